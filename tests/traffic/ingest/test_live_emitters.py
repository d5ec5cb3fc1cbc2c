"""Real instrumentations of real SDKs, a real llama.cpp, the official exporter: each call is one row that is right.

Recorded once in a run, in forks of a process of its own; what became of each emitter's calls is then looked at apart.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from tests.database import conninfo
from tests.emptying import begin_again
from tests.factories import ApplicationFactory
from traffic.authentication.keys import callers, create_key
from traffic.ingest import late_texts
from traffic.ingest.context import clear_cache

pytestmark = pytest.mark.django_db  # one llama.cpp, one run

# "cancelled" is a stream that its caller left.
OPENAI = ["plain", "stream", "stream_without_usage", "cancelled", "error", "timeout", "responses", "embeddings"]
ANTHROPIC = ["plain", "stream", "raw_stream", "cancelled", "error", "timeout"]
# What is instrumented by what, more than one at a time included, and the calls that are made.
ORDERS: dict[str, tuple[str, list[str], list[str]]] = {
    "openai-v2": ("openai", ["openai_v2"], OPENAI[:6]),
    "openai-v2-and-openinference": ("openai", ["openai_v2", "openinference_openai"], OPENAI[:6]),
    "openai-v2-event-first": ("openai", ["openai_v2"], ["plain", "stream", "error"]),
    "openai-v2-messages-first": ("openai", ["openai_v2_messages"], ["plain", "stream", "error"]),
    "openai-v2-messages-last": ("openai", ["openai_v2_messages"], ["plain", "stream", "error"]),
    "openllmetry-openai-events-last": ("openai", ["openllmetry_openai_events"], ["plain", "stream", "error"]),
    "openllmetry-openai": ("openai", ["openllmetry_openai"], OPENAI),
    "openinference-openai": ("openai", ["openinference_openai"], OPENAI),
    "both-openai": ("openai", ["openllmetry_openai", "openinference_openai"], OPENAI[:6]),
    "anthropic-sdk": ("anthropic", ["anthropic_sdk"], ANTHROPIC),
    "openllmetry-anthropic": ("anthropic", ["openllmetry_anthropic"], ANTHROPIC),
    "openinference-anthropic": ("anthropic", ["openinference_anthropic"], ANTHROPIC),
    "three-anthropic": ("anthropic", ["openllmetry_anthropic", "openinference_anthropic"], ANTHROPIC),
    "pydantic-ai": ("pydantic", [], ["plain", "stream", "error", "tool"]),
    "pydantic-ai-and-openllmetry": ("pydantic", ["openllmetry_openai"], ["plain", "stream", "error"]),
    "langfuse": ("langfuse", [], ["plain", "stream", "timeout", "embedding"]),
    "langfuse-and-openinference": ("langfuse", ["openinference_openai"], ["plain", "stream", "timeout"]),
}
SLACK_MS = 3  # start and end of a span are read from two clocks

Calls = list[dict[str, Any]]


@dataclass(frozen=True)
class Emitted:
    """What the callers of one order saw, and the rows that it became, both in order of time."""

    seen: Calls
    rows: Calls


@pytest.fixture(scope="module")
def emitted(django_db_setup: None, django_db_blocker: Any, engine_url: str) -> Iterator[dict[str, Emitted]]:
    with django_db_blocker.unblock(), socket.create_server(("127.0.0.1", 0)) as deaf:
        server = LiveServer("localhost")
        try:
            lines = list(orders(server.url, engine_url, f"http://127.0.0.1:{deaf.getsockname()[1]}"))
            seen = run(lines)
            late_texts.attach_due(timezone.now() + timedelta(minutes=1))
            with psycopg.connect(conninfo(), autocommit=True) as conn:
                found = {name: Emitted(seen[name], stored(conn, name)) for name in ORDERS}
        finally:
            server.stop()
            begin_again()
            clear_cache()
            callers.clear()
    yield found


def orders(url: str, engine: str, dead: str) -> Iterator[dict[str, Any]]:
    """Each order with an application and a key of its own."""
    clear_cache()
    callers.clear()
    for name, (sdk, emitters, calls) in ORDERS.items():
        application = ApplicationFactory.create(slug=name, capture_bodies=name in CONTENT)
        key = create_key(name=name, scopes=["ingest"], application=application)[1]
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{key}",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            # One export at the end, however slow the machine: spans that only time joins must come together.
            "OTEL_BSP_SCHEDULE_DELAY": "60000",
            "OTEL_BLRP_SCHEDULE_DELAY": "60000",
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": CONTENT.get(name, ""),
            "LANGFUSE_FLUSH_INTERVAL": "60",
            "LANGFUSE_BASE_URL": url,
            "LANGFUSE_PUBLIC_KEY": "breakeven",
            "LANGFUSE_SECRET_KEY": key,
            "ANTHROPIC_API_KEY": "none",
        }
        yield {
            "name": name, "sdk": sdk, "emitters": emitters, "calls": calls, "url": engine, "dead": dead,
            "environment": environment, "first": "logs" if name.endswith("first") else "spans",
        }  # fmt: skip


def run(lines: list[dict[str, Any]]) -> dict[str, Calls]:
    given = "\n".join(json.dumps(line) for line in lines)
    # -P: its own folder has folders named like libraries.
    command = [sys.executable, "-P", str(Path(__file__).parents[1] / "emitters.py")]
    # That it ends is tested, not how soon: on a busy machine the SDKs take a minute to be imported.
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=300, check=True)
    seen: dict[str, Calls] = {name: [] for name in ORDERS}
    for line in map(json.loads, done.stdout.splitlines()):
        assert "failed" not in line, f"{line['order']}: {line['failed']}"
        seen[line["order"]].append(line)
    return seen


# What people wrote comes as log records, where the variable of the instrumentation says so.
CONTENT = {
    "openai-v2-event-first": "event_only", "openai-v2-messages-first": "true", "openai-v2-messages-last": "true",
    "openllmetry-openai-events-last": "true",
}  # fmt: skip
COLUMNS = (
    "response_id, outcome, streamed, uncached_input, cache_read, cache_write_5m, cache_write_1h, output, latency_ms,"
    " ttft_ms, extract(epoch FROM started_at)::numeric * 1000000000, raw::text, prompt, answer"
)


def stored(conn: psycopg.Connection, application: str) -> Calls:
    rows = conn.execute(
        f"SELECT {COLUMNS} FROM traffic_request AS r LEFT JOIN traffic_request_body AS b"
        " ON b.day = r.day AND b.request_id = r.id WHERE application_id ="
        " (SELECT id FROM traffic_application WHERE slug = %s) ORDER BY started_at",
        [application],
    ).fetchall()
    return [
        {
            "id": row[0], "outcome": row[1], "streamed": row[2],
            "tokens": None if row[3] is None else list(row[3:8]),
            "latency_ms": row[8], "ttft_ms": row[9], "began": int(row[10]), "raw": row[11],
            "prompt": row[12], "answer": row[13],
        }
        for row in rows
    ]  # fmt: skip


def expected(order: str, calls: Calls) -> Calls:
    """A row for each call to a model, as its caller saw it, less what the emitter does not say."""
    rows = []
    for call in calls:
        for tokens in call.get("each") or [call["tokens"]]:
            if tokens and tokens[4] is None:
                tokens = [*tokens[:4], 0]  # a stream that was left: its input is known, of its output nothing
            identifier = None if order in NO_ID else call.get("id")
            row = {"id": identifier, "outcome": call["outcome"], "streamed": call["streamed"], "tokens": tokens}
            rows.append(untold(row) if order in SILENT else row)
    return rows


def untold(row: dict[str, Any]) -> dict[str, Any]:
    """Without what came from a cache, whether it was streamed and whether its caller left."""
    tokens = row["tokens"] and [sum(row["tokens"][:4]), 0, 0, 0, row["tokens"][4]]
    outcome = "ok" if row["outcome"] == "cancelled" else row["outcome"]
    return {**row, "tokens": tokens, "streamed": False, "outcome": outcome}


NO_ID = {"langfuse"}  # its wrapper keeps no id of the answer
# Tells none of that; an instrumentation beside it does.
SILENT = {"openai-v2", *(name for name in CONTENT if name.startswith("openai-v2-"))}


@pytest.mark.parametrize("order", ORDERS)
def test_each_call_is_one_row_as_its_caller_saw_it(order: str, emitted: dict[str, Emitted]) -> None:
    wanted = expected(order, emitted[order].seen)
    rows = [{name: row[name] for name in ("id", "outcome", "streamed", "tokens")} for row in emitted[order].rows]
    if order == "langfuse-and-openinference":  # its caller was given none either; that it is there shows the twin
        assert all(row.pop("id") for row in rows if row["outcome"] == "ok")
        rows = [{"id": None, **row} for row in rows]
    assert rows == wanted


@pytest.mark.parametrize("order", ORDERS)
def test_times_lie_within_what_the_caller_measured(order: str, emitted: dict[str, Emitted]) -> None:
    calls = [call for call in emitted[order].seen for _ in call.get("each") or [0]]
    for call, row in zip(calls, emitted[order].rows, strict=True):
        assert call["began"] - SLACK_MS * 1e6 <= row["began"]
        assert 0 < row["latency_ms"] <= (call["ended"] - call["began"]) / 1e6 + SLACK_MS
        if call["streamed"] and call["outcome"] == "ok" and order not in SILENT:
            assert 0 < row["ttft_ms"] <= row["latency_ms"]
        elif not call["streamed"] or order in SILENT:
            assert row["ttft_ms"] is None


@pytest.mark.parametrize("order", CONTENT)
def test_what_log_records_say_is_the_body_of_its_call_where_the_application_keeps_it(
    order: str, emitted: dict[str, Emitted]
) -> None:
    for call, row in zip(emitted[order].seen, emitted[order].rows, strict=True):
        (asked,) = json.loads(row["prompt"])
        assert asked["role"] == "user"
        assert asked["content"].startswith("x x" if call["outcome"] == "error" else "What does a tired lamp say?")
        # OpenLLMetry writes the answer of a stream outside of its span, and so without saying of which call it is.
        lost = order.startswith("openllmetry") and call["streamed"]
        assert row["answer"] == (None if lost else call.get("said"))
    assert not any(row["prompt"] or row["answer"] for row in emitted["openai-v2"].rows)


def test_what_people_wrote_is_not_kept_and_what_is_not_understood_is(emitted: dict[str, Emitted]) -> None:
    kept = json.dumps([row["raw"] for one in emitted.values() for row in one.rows])
    assert "tired lamp" not in kept
    assert "pydantic_ai.cache.hit_ratio" in kept
    assert "langfuse.observation.model.parameters" in kept
