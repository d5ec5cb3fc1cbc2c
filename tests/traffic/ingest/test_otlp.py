"""Spans of any emitter become one row a call, with disjoint token classes; the receiver keeps to the protocol."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import psycopg
import pytest
from django.test import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceResponse,
)

from tests.factories import ApplicationFactory, DeploymentFactory
from tests.traffic.otlp_exports import (
    CLASSES,
    TRACE,
    USAGE,
    body,
    key,
    ns,
    protobuf,
    rows,
    send,
    span,
)
from tests.traffic.request_rows import assert_rollups_exact
from traffic.authentication.keys import callers, create_key
from traffic.ingest.context import clear_cache

__all__ = ["key"]  # a fixture


def test_inclusive_input_becomes_disjoint_classes(key: str, conn: psycopg.Connection) -> None:
    answer = send(key, body(span()))
    assert (answer.status_code, answer.json()) == (200, {})
    assert rows(conn, CLASSES) == [(300, 600, 100, 0, 50)]
    assert rows(conn, "provider, model, outcome, source, latency_ms, streamed") == [
        ("anthropic", "claude-opus-5-5", "ok", "otlp", 1200.0, False)
    ]


def test_protobuf_and_json_of_the_same_span_are_one_row(key: str, conn: psycopg.Connection) -> None:
    send(key, body(span()))
    answer = send(key, protobuf(body(span())), "application/x-protobuf")
    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b"", "application/x-protobuf")
    assert len(rows(conn, "id")) == 1


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_exports_are_read(key: str, conn: psycopg.Connection, encoding: str, pack: Any) -> None:
    send(key, pack(protobuf(body(span()))), "application/x-protobuf", **{"Content-Encoding": encoding})
    assert len(rows(conn, "id")) == 1


def test_a_client_span_and_its_sdk_span_are_one_call(key: str, conn: psycopg.Connection) -> None:
    outer = span(1, attributes={**USAGE, "gen_ai.usage.output_tokens": 50}, endTimeUnixNano=str(ns(1.5)))
    inner = span(2, parent=1, attributes={**USAGE, "gen_ai.response.id": "msg_01ABCDEFGHIJKLMNOPQRSTUV"})
    send(key, body(inner, outer))
    assert rows(conn, "latency_ms, output, response_id") == [(1500.0, 50, "msg_01ABCDEFGHIJKLMNOPQRSTUV")]


def test_twins_in_two_traces_meet_by_their_response_id(key: str, conn: psycopg.Connection) -> None:
    twin = {**USAGE, "gen_ai.response.id": "msg_01ABCDEFGHIJKLMNOPQRSTUV"}
    send(key, body(span(1, attributes=twin)))
    send(key, body(span(2, attributes=twin, traceId=TRACE[::-1])))
    assert len(rows(conn, "id")) == 1


@pytest.mark.parametrize(
    ("begins", "ends", "calls"),
    [(0.001, 1.199, 1), (0.001, 1.26, 1), (0.5, 1.26, 1), (0.01, 1.4, 2), (1.19, 1.26, 2), (1.201, 1.25, 2)],
    ids=["inside", "ended late", "began late", "ended too late", "hardly at the same time", "in turn"],
)
def test_two_instrumentations_in_two_traces_meet_by_their_time(
    key: str, conn: psycopg.Connection, begins: float, ends: float, calls: int
) -> None:
    """On a busy machine the inner one is ended after the outer one; calls in turn are two all the same."""
    times: dict[str, Any] = {"startTimeUnixNano": str(ns(begins)), "endTimeUnixNano": str(ns(ends))}
    content = body(span(1))
    inner = body(span(2, traceId=TRACE[::-1], **times))["resourceSpans"][0]["scopeSpans"][0]
    content["resourceSpans"][0]["scopeSpans"].append({**inner, "scope": {"name": "another"}})
    send(key, content)
    assert len(rows(conn, "id")) == calls


INNER = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-opus-5-5-20260801", "error.type": "Timeout"}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1), (1, 2, 0)])
def test_spans_of_one_call_in_exports_of_their_own_are_one_row(
    key: str, conn: psycopg.Connection, order: tuple[int, ...]
) -> None:
    """A failed try and the one that worked below the span of an instrumentation, itself below a proxy's."""
    proxy = span(1, parent=9, endTimeUnixNano=str(ns(2)), attributes={**INNER, "error.type": ""})
    tries = [span(3, parent=2, attributes=INNER, status={"code": 2}), span(4, parent=2)]
    exports = [[proxy], [span(2, parent=1, endTimeUnixNano=str(ns(1.5)), attributes={"gen_ai.operation.name": "chat"})]]
    exports.append(tries)
    for number in (*order, *order):
        assert send(key, body(*exports[number])).status_code == 200
    assert rows(conn, f"external_id, latency_ms, outcome, error_type, {CLASSES}") == [
        (f"{TRACE}:{1:016x}", 2000.0, "ok", None, 300, 600, 100, 0, 50)
    ]
    assert_rollups_exact(conn)


def test_a_parent_that_is_another_model_or_no_call_joins_nothing(key: str, conn: psycopg.Connection) -> None:
    """Two calls of one agent stay two, and so does a call below one of another model."""
    other = {**USAGE, "gen_ai.request.model": "gpt-6"}
    for one in (span(2, parent=1), span(3, parent=1), span(4, parent=3, attributes=other)):
        send(key, body(one))
    send(key, body(span(1, attributes={**USAGE, "gen_ai.operation.name": "invoke_agent"})))
    assert len(rows(conn, "id")) == 3
    assert_rollups_exact(conn)


def test_agents_tools_and_other_spans_are_accepted_and_ignored(key: str, conn: psycopg.Connection) -> None:
    others = [
        span(1, attributes={**USAGE, "gen_ai.operation.name": "invoke_agent"}),
        span(2, attributes={"gen_ai.operation.name": "execute_tool"}),
        span(3, attributes={"http.method": "GET"}),
    ]
    assert send(key, body(*others)).json() == {}
    assert rows(conn, "id") == []


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"openinference.span.kind": "LLM", "llm.model_name": "m", "llm.token_count.prompt": 10,
          "llm.token_count.completion": 5, "llm.token_count.prompt_details.cache_read": 4}, (6, 4, 0, 0, 5)),
        ({"llm.request.type": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "m",
          "gen_ai.usage.prompt_tokens": "10", "gen_ai.usage.completion_tokens": 5.0}, (10, 0, 0, 0, 5)),
        ({**USAGE, "gen_ai.usage.input_tokens": 10}, (10, 600, 100, 0, 50)),
        ({**USAGE, "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 80}, (300, 600, 20, 80, 50)),
        ({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}, (None, None, None, None, None)),
    ],
)  # fmt: skip
def test_every_dialect_is_understood(key: str, conn: psycopg.Connection, attributes: Any, expected: Any) -> None:
    send(key, body(span(attributes=attributes)))
    assert rows(conn, CLASSES) == [expected]


def test_vllm_is_known_by_its_service_name(key: str, conn: psycopg.Connection) -> None:
    own = DeploymentFactory.create(slug="mistral", name="M", url="http://gpu:8000", model="mistral-7b")
    clear_cache()
    attributes = {
        "gen_ai.usage.prompt_tokens": 20, "gen_ai.usage.completion_tokens": 5,
        "gen_ai.latency.time_to_first_token": 0.2,
    }  # fmt: skip
    send(key, body(span(name="llm_request", attributes=attributes), service="mistral"))
    assert rows(conn, "deployment_id, provider, model, ttft_ms, streamed, cost_reason") == [
        (own.pk, "self", "mistral-7b", 200.0, True, "leased")
    ]


def test_a_collectors_key_names_the_application_by_the_service(conn: psycopg.Connection) -> None:
    clear_cache()
    callers.clear()
    docs = ApplicationFactory.create(slug="docs", name="Docs")
    secret = create_key(name="collector", scopes=["ingest"])[1]
    send(secret, body(span(1), service="docs"))
    send(secret, body(span(2), service="unheard-of"))
    assert set(rows(conn, "application_id")) == {(docs.pk,), (None,)}


def test_content_is_not_kept(key: str, conn: psycopg.Connection) -> None:
    send(key, body(span(attributes={**USAGE, "gen_ai.input.messages": "secret", "input.value": "secret"})))
    assert "secret" not in json.dumps(rows(conn, "raw"))


def test_an_error_has_no_usage_and_its_type(key: str, conn: psycopg.Connection) -> None:
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "error.type": "APITimeoutError"}
    send(key, body(span(attributes=attributes, status={"code": 2})))
    assert rows(conn, "outcome, error_type") == [("timeout", "APITimeoutError")]


def test_a_span_out_of_time_is_rejected_and_the_others_land(key: str, conn: psycopg.Connection) -> None:
    old = span(1, startTimeUnixNano="1000000000")
    answer = send(key, body(old, span(2)))
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "1"
    answer = send(key, protobuf(body(old)), "application/x-protobuf")
    parsed = ExportTraceServiceResponse.FromString(answer.content)
    assert parsed.partial_success.rejected_spans == 1
    assert len(rows(conn, "id")) == 1


def test_a_span_without_an_end_or_with_a_negative_duration_has_no_latency(key: str, conn: psycopg.Connection) -> None:
    send(key, body(span(1, endTimeUnixNano="0"), span(2, endTimeUnixNano=str(ns(-5)))))
    assert rows(conn, "latency_ms") == [(None,), (None,)]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"resourceSpans": 1}', b'{"resourceSpans": [{"scopeSpans": 1}]}'])
def test_a_body_that_is_no_export_is_400(key: str, content: bytes) -> None:
    assert send(key, content).status_code == 400
    assert send(key, b"\xff\xff\xff", "application/x-protobuf").status_code == 400


def test_an_empty_export_is_a_success(key: str) -> None:
    assert send(key, {}).status_code == 200
    assert send(key, b"", "application/x-protobuf").status_code == 200


def test_another_content_type_is_415_and_no_key_401(key: str) -> None:
    assert send(key, b"x", "text/plain").status_code == 415
    assert send("wrong", {}).status_code == 401


def test_nul_bytes_and_odd_numbers_never_fail_the_batch(key: str, conn: psycopg.Connection) -> None:
    odd = {**USAGE, "x": "a\0b", "gen_ai.usage.output_tokens": -5, "user.id": "a\0b", "y": "\\u0000"}
    assert send(key, body(span(1, attributes=odd), span(2))).status_code == 200
    assert len(rows(conn, "id")) == 2


def test_metrics_and_logs_are_taken(key: str) -> None:
    for path in ("/v1/metrics", "/v1/logs"):
        answer = Client().post(path, "{}", content_type="application/json", headers={"Authorization": f"Bearer {key}"})
        assert (answer.status_code, answer.json()) == (200, {})
