"""What real instrumentations sent of real calls, replayed: each call is one row that says what its caller saw.

`record_emitters` made the recordings, with a real llama.cpp and the sandbox's Claude on the other side. Those of
emitters that are no Python packages to install beside the suite are written by what they document.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.test import Client
from django.utils import timezone
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.factories import ApplicationFactory
from tests.traffic.emitters import EMITTERS
from tests.traffic.request_rows import assert_rollups_exact
from traffic.authentication.keys import callers, create_key
from traffic.ingest.context import clear_cache

DOCUMENTED = ("vercel", "litellm", "vllm")
RECORDED = Path(__file__).parents[1] / "recorded"
COLUMNS = "response_id, outcome, streamed, uncached_input, cache_read, cache_write_5m, cache_write_1h, output"
TIMES = ("startTimeUnixNano", "endTimeUnixNano", "timeUnixNano")


@pytest.fixture
def key(conn: psycopg.Connection) -> str:
    clear_cache()
    callers.clear()
    shop = ApplicationFactory.create(slug="shop", name="Shop")
    return create_key(name="otlp", scopes=["ingest"], application=shop)[1]


def recording(name: str) -> dict[str, Any]:
    """A recording as if it had been made just now: what is older than retention is rejected."""
    found: dict[str, Any] = json.loads((RECORDED / f"otlp_{name}.json").read_text())
    first = min(int(span["startTimeUnixNano"]) for export in found["exports"] for span in spans_of(export))
    shift(found["exports"], (int(timezone.now().timestamp()) - 3600) * 10**9 - first // 10**9 * 10**9)
    return found


def shift(item: Any, ns: int) -> None:
    if isinstance(item, list):
        for one in item:
            shift(one, ns)
    elif isinstance(item, dict):
        for name, value in item.items():
            if name in TIMES:
                item[name] = str(int(value) + ns)
            else:
                shift(value, ns)


def spans_of(export: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for of_resource in export["resourceSpans"]:
        for of_scope in of_resource["scopeSpans"]:
            yield from of_scope["spans"]


def protobuf(export: dict[str, Any]) -> bytes:
    """The same export in protobuf, as it was recorded; its JSON reader wants ids in base64."""
    content = copy.deepcopy(export)
    for span in spans_of(content):
        for name in ("traceId", "spanId", "parentSpanId"):
            if name in span:
                span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    return bytes(ParseDict(content, ExportTraceServiceRequest()).SerializeToString())


def send(key: str, content: bytes | str, kind: str = "application/x-protobuf") -> None:
    answer = Client().post("/v1/traces", content, kind, headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.content) == (200, b"{}" if kind == "application/json" else b"")


def stored(conn: psycopg.Connection) -> list[dict[str, Any]]:
    rows = conn.execute(f"SELECT {COLUMNS} FROM traffic_request ORDER BY started_at").fetchall()
    return [
        {"id": row[0], "outcome": row[1], "streamed": row[2], "tokens": None if row[3] is None else list(row[3:])}
        for row in rows
    ]


def expected(recorded: dict[str, Any], rows: list[dict[str, Any]], silent: set[str]) -> list[dict[str, Any]]:
    """What the caller saw, less what the emitter is silent about; nobody knows the output of a broken stream."""
    calls = [call for call in recorded["calls"] if call["call"] not in silent]
    found = []
    for call, row in zip(calls, rows, strict=True):
        tokens = call["tokens"]
        if tokens and "cache" in silent:
            tokens = [sum(tokens[:4]), 0, 0, 0, tokens[4]]
        if tokens and tokens[4] is None:
            tokens = [*tokens[:4], min(row["tokens"][4], 1)]
        streamed = call["streamed"] and "streamed" not in silent
        outcome = "ok" if call["outcome"] == "cancelled" and "outcome" in silent else call["outcome"]
        found.append({"id": call.get("id"), "outcome": outcome, "streamed": streamed, "tokens": tokens})
    return found


# What an instrumentation does not say, and calls that it does not see.
SILENT = {"openai_v2": {"streamed", "cache", "responses", "outcome"}}
NO_FIRST_TOKEN = {"openai_v2"}


@pytest.mark.parametrize("name", [*EMITTERS, *DOCUMENTED])
def test_each_call_is_one_row_that_says_what_its_caller_saw(name: str, key: str, conn: psycopg.Connection) -> None:
    recorded = recording(name)
    for export in recorded["exports"]:
        send(key, protobuf(export))
    rows = stored(conn)
    assert rows == expected(recorded, rows, SILENT.get(name, set()))
    assert_rollups_exact(conn)
    (timed,) = conn.execute("SELECT count(ttft_ms) FROM traffic_request WHERE ttft_ms <= latency_ms").fetchone() or (0,)
    assert (timed > 0) is (name not in NO_FIRST_TOKEN)


@pytest.mark.parametrize("name", [*EMITTERS, *DOCUMENTED])
def test_a_whole_batch_in_json_is_the_same_rows_and_twice_too(name: str, key: str, conn: psycopg.Connection) -> None:
    recorded = recording(name)
    batch = {"resourceSpans": [of for export in recorded["exports"] for of in export["resourceSpans"]]}
    for _ in range(2):
        send(key, json.dumps(batch), "application/json")
    rows = stored(conn)
    assert rows == expected(recorded, rows, SILENT.get(name, set()))
    assert_rollups_exact(conn)


@pytest.mark.parametrize("name", [*EMITTERS, *DOCUMENTED])
def test_what_people_wrote_is_not_kept(name: str, key: str, conn: psycopg.Connection) -> None:
    for export in recording(name)["exports"]:
        send(key, protobuf(export))
    raw = json.dumps(conn.execute("SELECT raw, error_type FROM traffic_request").fetchall())
    assert "tired lamp" not in raw
    assert "figures agree" not in raw  # what the sandbox's Claude answers
    assert "someone@example.org" not in raw and "192.0.2.7" not in raw and "u-17" not in raw


def test_calls_at_the_same_time_that_fail_stay_apart(key: str, conn: psycopg.Connection) -> None:
    recorded = recording("openllmetry_anthropic")
    number = [call["call"] for call in recorded["calls"]].index("timeout")
    one = recorded["exports"][number]
    other = json.loads(json.dumps(one))
    for span in spans_of(other):
        span["traceId"], span["spanId"] = span["traceId"][::-1], span["spanId"][::-1]
    shift(other, 50_000_000)  # 50 ms later, while the first still waits
    send(key, json.dumps({"resourceSpans": [*one["resourceSpans"], *other["resourceSpans"]]}), "application/json")
    assert [row["outcome"] for row in stored(conn)] == ["timeout", "timeout"]
