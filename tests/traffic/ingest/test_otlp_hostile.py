"""What no honest emitter sends: rejected, or kept with the doubt recorded; never a 500, never a wrong sum."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from typing import Any

import psycopg
import pytest
from django.test import Client
from google.rpc.status_pb2 import Status
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.traffic.otlp_exports import CLASSES, USAGE, body, key, ns, protobuf, rows, send, span
from tests.traffic.request_rows import assert_rollups_exact
from traffic.ingest import data_quality
from traffic.ingest.rows import Tokens

__all__ = ["key"]  # the fixture

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


def kept(conn: psycopg.Connection) -> list[Any]:
    """The doubts of each row."""
    return [found[0] for found in rows(conn, "raw -> 'doubts'")]


def usage(**given: Any) -> dict[str, Any]:
    """A span's attributes with these counts in place of the usual ones."""
    names = {"input": "input_tokens", "output": "output_tokens", "total": "total_tokens"}
    counts = {f"gen_ai.usage.{names.get(name, name)}": value for name, value in given.items()}
    return {**{name: value for name, value in USAGE.items() if ".usage." not in name}, **counts}


COUNTS: list[tuple[dict[str, Any], Any, Any]] = [
    (usage(input="12", output="7.0"), (12, 0, 0, 0, 7), None),
    (usage(input=12.0, output=7), (12, 0, 0, 0, 7), None),
    (usage(input=12.5, output=7), None, [data_quality.NOT_A_COUNT]),
    (usage(input=-1, output=7), None, [data_quality.NOT_A_COUNT]),
    (usage(input="many", output=7), None, [data_quality.NOT_A_COUNT]),
    (usage(input=float("nan"), output=7), None, [data_quality.TEXT, data_quality.NOT_A_COUNT]),
    (usage(input=2**63 - 1, output=7), None, [data_quality.NOT_A_COUNT]),
    (usage(input=True, output=7), None, [data_quality.NOT_A_COUNT]),
    (usage(output=7), None, [data_quality.NO_INPUT]),
    (usage(input=12), (12, 0, 0, 0, 0), [data_quality.NO_OUTPUT]),
    (usage(input=12, total=19), (12, 0, 0, 0, 7), None),
    (usage(output=7, total=19), (12, 0, 0, 0, 7), None),
    (usage(input=12, output=7, total=99), (12, 0, 0, 0, 7), [data_quality.TOTAL]),
    # The total tells whether input holds what was cached, and output what was thought.
    (usage(input=12, output=7, total=29, cached_tokens=10), (12, 10, 0, 0, 7), None),
    (usage(input=12, output=7, total=24, reasoning_tokens=5), (12, 0, 0, 0, 12), None),
    (usage(input=12, output=7, reasoning_tokens=9), (12, 0, 0, 0, 7), [data_quality.PART]),
]


def test_counts_that_cannot_be_are_unknown_and_odd_ones_are_said(key: str, conn: psycopg.Connection) -> None:
    for number, (attributes, _expected, _doubt) in enumerate(COUNTS, start=1):
        assert send(key, body(span(number, attributes=attributes))).json() == {}
    found = conn.execute(f"SELECT raw -> 'doubts', {CLASSES} FROM traffic_request ORDER BY external_id").fetchall()
    assert found == [(doubt, *(expected or (None,) * 5)) for _attributes, expected, doubt in COUNTS]
    assert_rollups_exact(conn)


ENDS = {
    "0": data_quality.NO_END,
    str(ns(-5)): data_quality.BACKWARDS,
    str(ns(3 * 365 * 86_400)): data_quality.ENDLESS,
    str(2**64 - 1): data_quality.ENDLESS,
}


def test_an_end_that_cannot_be_leaves_the_latency_unknown(key: str, conn: psycopg.Connection) -> None:
    send(key, body(*[span(number, endTimeUnixNano=end) for number, end in enumerate(ENDS, start=1)]))
    found = conn.execute("SELECT latency_ms, raw -> 'doubts' FROM traffic_request ORDER BY external_id").fetchall()
    assert found == [(None, [doubt]) for doubt in ENDS.values()]


def test_a_clock_that_is_off_by_years_costs_its_own_span(key: str, conn: psycopg.Connection) -> None:
    off = [span(9, startTimeUnixNano=str(ns(years * 365 * 86_400))) for years in (-5, 5)]
    for number, (content, kind) in enumerate(
        ((body(off[0], span(1)), JSON), (protobuf(body(off[1], span(2))), PROTOBUF))
    ):
        answer = send(key, content, kind)
        assert answer.status_code == 200
        assert b"ahead of our clock" in answer.content
        assert len(rows(conn, "id")) == number + 1


BAD: list[dict[str, Any]] = [
    {"traceId": "zz"}, {"spanId": "0000000000000000"}, {"traceId": ""}, {"startTimeUnixNano": "-1"},
    {"endTimeUnixNano": str(2**80)}, {"endTimeUnixNano": "9" * 5_000}, {"attributes": [{"value": {}}]},
    {"attributes": [{"key": "x", "value": {"doubleValue": {}}}]}, {"status": 7}, {"events": {"a": 1}},
]  # fmt: skip


def test_bad_spans_in_json_cost_themselves_alone(key: str, conn: psycopg.Connection) -> None:
    bad = [{**span(2), **broken} for broken in BAD]
    answer = send(key, body(span(1), *bad, span(3)))
    assert (answer.status_code, answer.json()["partialSuccess"]["rejectedSpans"]) == (200, str(len(BAD)))
    assert len(rows(conn, "id")) == 2


def test_spans_without_ids_are_not_taken_for_one(key: str, conn: psycopg.Connection) -> None:
    request = ExportTraceServiceRequest.FromString(protobuf(body(span(1), span(2), span(3))))
    spans = [of_scope.spans[0] for of_scope in request.resource_spans[0].scope_spans]
    spans[0].span_id, spans[1].trace_id = b"", b"short"
    answer = send(key, request.SerializeToString(), PROTOBUF)
    assert answer.status_code == 200
    assert b"no valid trace id" in answer.content
    assert len(rows(conn, "id")) == 1


def test_text_that_is_no_utf8_is_replaced_and_said(key: str, conn: psycopg.Connection) -> None:
    content = body(span(1, attributes={**USAGE, "user.id": "BROKEN"}), span(2))
    torn = protobuf(content).replace(b"BROKEN", b"\xff\xfe\xc3(\xf0A")
    assert send(key, torn, PROTOBUF).content == b""
    assert kept(conn) == [[data_quality.TEXT], None] or kept(conn) == [None, [data_quality.TEXT]]
    assert conn.execute("SELECT count(user_hash) FROM traffic_request").fetchone() == (1,)
    for number, text in enumerate((b"\xff\xfe", b"\\ud83d", b"\\u0000"), start=3):
        torn = json.dumps(body(span(number, attributes={**USAGE, "x": "BROKEN"}))).encode().replace(b"BROKEN", text)
        assert send(key, torn).status_code == 200
    assert len(rows(conn, "id")) == 5


def test_half_a_surrogate_pair_in_an_answer_is_no_error(key: str, conn: psycopg.Connection) -> None:
    attributes = {**USAGE, "output.value": '{"id": "msg_01ABCDEFGHIJKLMNOP\\ud83d"}'}
    assert send(key, body(span(attributes=attributes))).status_code == 200
    assert rows(conn, "response_id") == [("msg_01ABCDEFGHIJKLMNOP?",)]


def test_numbers_that_the_database_has_no_room_for(key: str, conn: psycopg.Connection) -> None:
    odd = {**USAGE, "http.response.status_code": 99_999, "ttft_ms": 10**30, "server.port": -4, "x": 2**70}
    assert send(key, body(span(attributes=odd))).json() == {}
    assert rows(conn, "http_status, ttft_ms") == [(None, None)]


def test_a_row_that_the_database_refuses_is_rejected_alone(
    key: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A figure that no check foresaw; here a count that the column has no room for."""
    too_many = Tokens(output=10**20)
    monkeypatch.setattr(
        "traffic.ingest.otlp.rows.tokens_of",
        lambda span, *_found, **_given: too_many if span.span_id[-1] == "3" else None,
    )
    answer = send(key, body(*[span(number) for number in range(1, 8)]))
    assert (answer.status_code, answer.json()["partialSuccess"]["rejectedSpans"]) == (200, "1")
    assert len(rows(conn, "id")) == 6
    assert_rollups_exact(conn)


def test_a_hundred_thousand_attributes_are_read_as_far_as_the_rule_says(key: str, conn: psycopg.Connection) -> None:
    request = ExportTraceServiceRequest.FromString(protobuf(body(span(1))))
    pairs = request.resource_spans[0].scope_spans[0].spans[0].attributes
    pairs.extend([KeyValue(key=f"a{number}", value=AnyValue(int_value=number)) for number in range(100_000)])
    assert send(key, request.SerializeToString(), PROTOBUF).content == b""
    many = span(2)
    many["attributes"] += [{"key": f"a{number}", "value": {"intValue": number}} for number in range(100_000)]
    assert send(key, body(many)).json() == {}
    assert kept(conn) == [[data_quality.CUT]] * 2
    assert rows(conn, CLASSES) == [(300, 600, 100, 0, 50)] * 2
    assert max(len(json.dumps(raw)) for (raw,) in rows(conn, "raw")) < 20_000


def test_ten_megabytes_of_text_are_left_out_and_more_than_a_span_may_have_is_rejected(
    key: str, conn: psycopg.Connection
) -> None:
    long = {**USAGE, "note": "x" * (10 << 20), "gen_ai.request.model": "m" * 1_000}
    assert send(key, protobuf(body(span(1, attributes=long))), PROTOBUF).content == b""
    assert send(key, body(span(2, attributes=long))).json() == {}
    assert rows(conn, "length(model), raw -> 'attributes' -> 'note'") == [(200, None)] * 2
    answer = send(key, protobuf(body(span(3, attributes={**USAGE, "note": "x" * (17 << 20)}), span(4))), PROTOBUF)
    assert b"larger than 16 MiB" in answer.content
    assert len(rows(conn, "id")) == 3


def test_values_nested_without_end_are_no_error(key: str, conn: psycopg.Connection) -> None:
    deep: dict[str, Any] = {"stringValue": "x"}
    for _ in range(300):
        deep = {"arrayValue": {"values": [deep]}}
    nested = span(1)
    nested["attributes"].append({"key": "deep", "value": deep})
    assert send(key, body(nested)).json() == {}
    assert send(key, b'{"resourceSpans":' + b"[" * 100_000).status_code == 400


def status_of(answer: Any) -> str:
    """The message of the protobuf Status that an error carries."""
    assert answer["Content-Type"] == PROTOBUF
    return str(Status.FromString(answer.content).message)


@pytest.mark.parametrize(("encoding", "window"), [("gzip", 31), ("deflate", 15)])
def test_bombs_end_at_the_ratio_and_at_the_limit(
    key: str, encoding: str, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("traffic.ingest.otlp_views.MAX_BYTES", 5 << 20)

    def sent(content: bytes) -> str:
        machine = zlib.compressobj(9, zlib.DEFLATED, window)
        packed = machine.compress(content) + machine.flush()
        answer = send(key, packed, PROTOBUF, **{"Content-Encoding": encoding})
        assert (answer.status_code, answer.get("Retry-After")) == (413, None)
        return status_of(answer)

    assert "250 times" in sent(bytes(5 << 20))
    assert "larger than 5 MiB" in sent(random.Random(1).randbytes(1 << 14) * 321)


def test_a_torn_or_trailing_stream_is_400(key: str) -> None:
    whole = gzip.compress(b"{}")
    for packed in (whole[:2], whole[:-4], whole + b"more", whole * 2, b"{}"):
        assert send(key, packed, JSON, **{"Content-Encoding": "gzip"}).status_code == 400


def test_errors_carry_a_status_in_the_encoding_of_the_request(key: str) -> None:
    assert "no OTLP request" in status_of(send(key, b"\xff\xff\xff", PROTOBUF))
    assert "unknown, expired or revoked" in status_of(send("wrong", b"", PROTOBUF))
    assert "not supported" in status_of(send(key, b"", PROTOBUF, **{"Content-Encoding": "br"}))
    assert "no OTLP request: its JSON cannot be read, " in send(key, b"{").json()["message"]
    assert send(key, b"[]").json()["message"] == "This is no OTLP request: its JSON has another shape than OTLP's."
    odd = send(key, body(span(1, traceId="no hex"))).json()["partialSuccess"]
    assert odd["errorMessage"] == "A span does not match OTLP: an id must be hexadecimal."
    refused = Client().get("/v1/traces")
    assert (refused.status_code, refused["Allow"], refused["Content-Type"]) == (405, "POST", "application/json")
    assert refused.json()["detail"] == "GET is not understood here, but POST."


whatever = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = [
    *USAGE, "gen_ai.usage.total_tokens", "gen_ai.response.id", "gen_ai.response.time_to_first_chunk", "ttft_ms",
    "http.response.status_code", "output.value", "url.full", "user.id", "error.type", "gen_ai.request.stream",
]  # fmt: skip
values = st.one_of(
    st.builds(lambda item: {"stringValue": item}, st.text(max_size=30)),
    st.builds(lambda item: {"intValue": item}, st.integers() | st.integers(-(2**70), 2**70).map(str)),
    st.builds(lambda item: {"doubleValue": item}, st.floats() | st.sampled_from(["NaN", "Infinity", "-Infinity"])),
    st.builds(lambda item: {"arrayValue": {"values": [item]}}, whatever),
    whatever,
)
odd_spans = st.fixed_dictionaries(
    {
        "traceId": st.just("0af7651916cd43dd8448eb211c80319c") | whatever,
        "spanId": st.integers(1, 9).map(lambda n: f"{n:016x}"),
        "startTimeUnixNano": st.just(str(ns())) | st.integers(),
        "endTimeUnixNano": st.just(str(ns(1))) | st.integers() | whatever,
        "attributes": st.lists(
            st.builds(lambda k, v: {"key": k, "value": v}, st.sampled_from(NAMES) | st.text(max_size=9), values),
            max_size=12,
        ),
    },
    optional=dict.fromkeys(("parentSpanId", "name", "status", "events", "kind", "links"), whatever),
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(spans=st.lists(odd_spans, max_size=4))
@example(spans=[{**span(1), "attributes": [{"key": "user.id", "value": {"stringValue": "\ud800"}}]}])
def test_json_of_any_shape_is_answered_by_the_protocol(key: str, conn: psycopg.Connection, spans: Any) -> None:
    answer = send(key, body(*spans))
    assert answer.status_code in (200, 400)
    assert_rollups_exact(conn)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_protobuf_with_bytes_changed_is_answered_by_the_protocol(
    key: str, conn: psycopg.Connection, data: st.DataObject
) -> None:
    whole = bytearray(protobuf(body(span(1), span(2, parent=1), span(3))))
    for _ in range(data.draw(st.integers(0, 6))):
        place = data.draw(st.integers(0, len(whole) - 1))
        patch = data.draw(st.binary(max_size=4))
        whole[place : place + data.draw(st.integers(0, 4))] = patch
    path = data.draw(st.sampled_from(["/v1/traces", "/v1/logs", "/v1/metrics"]))
    headers = {"Authorization": f"Bearer {key}"}
    answer = Client().post(path, bytes(whole), content_type=PROTOBUF, headers=headers)
    assert answer.status_code in (200, 400)
    assert_rollups_exact(conn)
