"""JSON that is nested without end: words stand in its place, the row lands, and so do its neighbours."""

from __future__ import annotations

import json
from typing import Any

import orjson
import psycopg
import pytest
from django.test import Client
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.factories import ApplicationFactory
from tests.traffic import litellm_events as litellm
from tests.traffic import native_posts as native
from tests.traffic import otlp_exports as otlp
from tests.traffic.otlp_exports import ns
from traffic.authentication.keys import callers, create_key
from traffic.ingest import data_quality
from traffic.ingest.batch import json_text
from traffic.ingest.context import clear_cache
from traffic.ingest.otlp import wire
from traffic.json_depth import DEEPEST, TOO_DEEP, loads, shallow
from traffic.redaction.rules import EVERYTHING, redaction_of

LEVELS = (101, 700, 1_000, 10_000)
PROTOBUF = "application/x-protobuf"


def nested(levels: int, around: str = "[]") -> str:
    return around[0] * levels + around[1] * levels


def a_list(levels: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(levels - 1):
        made = [made]
    return made


def depth_of(text: str) -> int:
    """How many brackets are open at once."""
    depth = deepest = 0
    for character in text.replace(TOO_DEEP, ""):
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    return deepest


@pytest.fixture
def key(conn: psycopg.Connection) -> str:
    """Of an application that keeps texts."""
    clear_cache()
    callers.clear()
    shop = ApplicationFactory.create(slug="shop", name="Shop", capture_bodies=True)
    return create_key(name="k", scopes=["ingest"], application=shop)[1]


def prompts(conn: psycopg.Connection) -> list[str]:
    return [prompt for (prompt,) in conn.execute("SELECT prompt FROM traffic_request_body").fetchall()]


def count(conn: psycopg.Connection) -> int:
    (rows,) = conn.execute("SELECT count(*) FROM traffic_request").fetchone() or (0,)
    return int(rows)


@pytest.mark.parametrize("levels", LEVELS)
def test_the_native_way_in_keeps_the_row_and_its_neighbour(key: str, conn: psycopg.Connection, levels: int) -> None:
    deep = json.dumps(native.row(id="deep", prompt="DEEP")).replace('"DEEP"', f'[{{"content": {nested(levels)}}}]')
    answer = native.post(key, f'{{"requests": [{deep}, {json.dumps(native.row(id="good"))}]}}'.encode())
    if levels > 1_024:
        assert answer.status_code == 400
        assert answer.json()["detail"] == "The body's JSON is nested too deep to be read."
        return
    assert answer.json() == {"accepted": 2, "duplicates": 0, "rejected": []}
    (prompt,) = prompts(conn)
    assert TOO_DEEP in prompt and depth_of(prompt) <= DEEPEST


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("around", ["[]", "{}"])
def test_a_prompt_that_is_json_in_a_text(key: str, conn: psycopg.Connection, levels: int, around: str) -> None:
    text = nested(levels) if around == "[]" else '{"a":' * levels + "1" + "}" * levels
    answer = native.post(key, {"requests": [native.row(id="deep", prompt=text), native.row(id="good")]})
    assert answer.json() == {"accepted": 2, "duplicates": 0, "rejected": []}
    (prompt,) = prompts(conn)
    assert depth_of(prompt) <= DEEPEST or prompt == text  # what no reader takes is a text like any other


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("name", ["gen_ai.prompt", "gen_ai.input.messages", "output.value", "input.value"])
def test_json_in_an_attribute(key: str, conn: psycopg.Connection, levels: int, name: str) -> None:
    said = f'[{{"role": "user", "content": {nested(levels)}}}]' if "input" in name else nested(levels)
    attributes = {**otlp.USAGE, name: said}
    content = otlp.body(otlp.span(1, attributes=attributes), otlp.span(2))
    assert otlp.send(key, content).json() == {}
    assert otlp.send(key, otlp.protobuf(content), PROTOBUF).content == b""
    assert count(conn) == 2


@pytest.mark.parametrize("levels", LEVELS)
def test_values_in_values_in_otlp_json(key: str, conn: psycopg.Connection, levels: int) -> None:
    span = json.dumps(otlp.span(1))
    deep = '{"arrayValue":{"values":[' * (levels // 3) + '{"intValue":1}' + "]}}" * (levels // 3)
    spoilt = span.replace('"attributes": [', f'"attributes": [{{"key": "deep", "value": {deep}}}, ')
    body = json.dumps(otlp.body(otlp.span(2))).replace('"spans": [', f'"spans": [{spoilt}, ')
    answer = otlp.send(key, body.encode())
    if levels > 1_024:
        assert answer.status_code == 400
        assert answer.json()["message"] == "This is no OTLP request: its JSON is nested too deep."
        return
    assert answer.json() == {}
    assert count(conn) == 2


def deep_value(levels: int) -> bytes:
    """A list in a list, written by hand: the library refuses to write it."""
    made = wire.framed(1, b"x")
    for _ in range(levels):
        made = wire.framed(5, wire.framed(1, made))
    return made


@pytest.mark.parametrize("levels", LEVELS)
def test_values_in_values_in_protobuf(key: str, conn: psycopg.Connection, levels: int) -> None:
    request = ExportTraceServiceRequest.FromString(otlp.protobuf(otlp.body(otlp.span(1))))
    good = ExportTraceServiceRequest.FromString(otlp.protobuf(otlp.body(otlp.span(2)))).SerializeToString()
    span = request.resource_spans[0].scope_spans[0].spans[0].SerializeToString()
    span += wire.framed(9, wire.framed(1, b"app.deep") + wire.framed(2, deep_value(levels)))
    export = wire.framed(1, wire.framed(2, wire.framed(2, span))) + good
    assert otlp.send(key, export, PROTOBUF).content == b""
    found = conn.execute("SELECT raw -> 'attributes' ->> 'app.deep', raw -> 'doubts' FROM traffic_request").fetchall()
    assert sorted(found, key=str) == sorted([(TOO_DEEP, [data_quality.DEEP]), (None, None)], key=str)


@pytest.mark.parametrize("levels", LEVELS)
def test_a_deep_resource_costs_no_span(key: str, conn: psycopg.Connection, levels: int) -> None:
    request = ExportTraceServiceRequest.FromString(otlp.protobuf(otlp.body(otlp.span(1))))
    scopes = request.resource_spans[0].scope_spans[0].SerializeToString()
    resource = wire.framed(1, wire.framed(1, b"deep") + wire.framed(2, deep_value(levels)))
    assert otlp.send(key, wire.framed(1, wire.framed(1, resource) + wire.framed(2, scopes)), PROTOBUF).content == b""
    assert count(conn) == 1


@pytest.mark.parametrize("levels", LEVELS)
def test_a_log_record_with_a_deep_body(key: str, levels: int) -> None:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.trace_id, record.span_id = b"1" * 16, b"2" * 8
    record.time_unix_nano, record.event_name = ns(), "gen_ai.user.message"
    record.attributes.append(KeyValue(key="content", value=AnyValue(string_value=nested(levels))))
    deep = record.SerializeToString() + wire.framed(5, deep_value(levels))
    export = wire.framed(1, wire.framed(2, wire.framed(2, deep)))
    headers = {"Authorization": f"Bearer {key}"}
    answer = Client().post("/v1/logs", export, content_type=PROTOBUF, headers=headers)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("place", ["metadata", "model", "call_type", "response_cost", "request_tags", "id"])
def test_litellm_keeps_the_row_and_its_neighbour(key: str, conn: psycopg.Connection, levels: int, place: str) -> None:
    deep = json.dumps(litellm.event(1, **{place: "DEEP"})).replace('"DEEP"', nested(levels))
    good = json.dumps(litellm.event(2))
    for body in (f"[{deep}, {good}]", f"{deep}\n{good}"):
        answer = litellm.send(key, body)
        if levels > 1_024:
            assert answer.status_code in (200, 400), answer.content  # of lines the other is read
            continue
        assert answer.status_code == 200
        assert answer.json()["rejected"] == []
    assert count(conn) == (1 if levels > 1_024 else 2)


@pytest.mark.parametrize("levels", LEVELS)
def test_imports_keep_the_record_and_its_neighbour(levels: int) -> None:
    from traffic.imports.readers import parsed
    from traffic.imports.values import nested as cell

    values, problem = parsed(b'{"id": "a", "metadata": ' + nested(levels).encode() + b"}")
    assert (problem == "") == (levels < 1_024)
    assert depth_of(orjson.dumps(values).decode()) <= DEEPEST
    inner = cell('{"a": ' + nested(levels) + "}")
    assert depth_of(orjson.dumps(inner).decode()) <= DEEPEST


def test_a_hundred_levels_are_kept_as_they_are() -> None:
    kept = a_list(DEEPEST)
    assert shallow(kept) == kept and loads(nested(DEEPEST)) == kept
    assert EVERYTHING.prompt(nested(DEEPEST)) == nested(DEEPEST)
    assert TOO_DEEP in (EVERYTHING.prompt(nested(DEEPEST + 1)) or "")
    assert depth_of(json.dumps(shallow(a_list(900)))) == DEEPEST


def test_nothing_of_redaction_or_of_the_store_ends_by_its_depth() -> None:
    own = redaction_of((), ("x",))
    for levels in (101, 254, 700, 950):
        deep = {"a": a_list(levels)}
        for redaction in (EVERYTHING, own):
            assert redaction.needed(deep)
            assert TOO_DEEP in json.dumps(redaction.tree(deep, "someone"))
        assert levels < 254 or depth_of(json_text(deep)) <= DEEPEST + 1  # inside of one object more
