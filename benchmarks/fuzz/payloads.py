"""What programs rightly send: one body of each kind, from which mutated ones are made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any

from benchmarks.fuzz import mutate
from benchmarks.rows import batches
from benchmarks.spans import Value, export, fill

Schema = dict[str, Any]
PROMPTS = ("Say hello.", "x" * 20_000, [{"role": "user", "content": "Hi"}], "_eyJ" + "a" * 3_000, "4 4 1 1 " * 400)


def native(rng: Random) -> Any:
    """A batch of the JSON API; some rows bring texts."""
    rows = _rows(rng)
    for row in rows:
        if rng.random() < 0.3:
            row |= {"prompt": rng.choice(PROMPTS), "answer": "Hello.", "user": "ada"}
    return {"requests": rows}


def litellm(rng: Random) -> Any:
    calls = [
        {
            "id": row["response_id"], "call_type": "acompletion", "model": row["model"], "status": "success",
            "custom_llm_provider": row["provider"], "startTime": 1_790_000_000.5, "endTime": 1_790_000_001.0,
            "prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15, "response_cost": 0.01, "stream": True,
            "messages": [{"role": "user", "content": "Hi"}],
            "response": {"choices": [{"message": {"content": "Hello"}}]},
            "metadata": {"user_api_key_alias": "playground", "usage_object": {"prompt_tokens": 12}}, "end_user": "ada",
        }
        for row in _rows(rng)
    ]  # fmt: skip
    return calls if rng.random() < 0.7 else calls[0]


def messages(rng: Random) -> Any:
    """A call of Anthropic's protocol. Short answers only: the demo's engine has two threads for everybody."""
    return {
        "model": rng.choice(("claude-sonnet-4-5", "claude-haiku-4-5", "mistral-7b", "nothing-such")), "max_tokens": 2,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}], "system": "Be short.",
        "stream": rng.random() < 0.4, "temperature": 0.2,
        "tools": [{"name": "t", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}],
    }  # fmt: skip


def chat(rng: Random) -> Any:
    return {
        "model": rng.choice(("claude-sonnet-4-5", "mistral-7b", "nothing-such")), "max_tokens": 2,
        "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Say hello."}],
        "stream": rng.random() < 0.4, "stream_options": {"include_usage": True}, "n": 1, "stop": ["x"],
    }  # fmt: skip


def embeddings(rng: Random) -> Any:
    return {"model": "nothing-such", "input": rng.choice(("Hi", ["Hi", "Ho"], [1, 2]))}


def responses(rng: Random) -> Any:
    return {"model": "nothing-such", "input": "Hi", "max_output_tokens": 2, "stream": rng.random() < 0.3}


def completion(rng: Random) -> Any:
    return {"model": "nothing-such", "prompt": "Hi", "max_tokens": 2}


def _rows(rng: Random) -> list[dict[str, Any]]:
    # Of yesterday morning, so that a case is the same all day.
    since = datetime.combine(datetime.now(UTC).date() - timedelta(days=1), time(9), UTC)
    seed = rng.randrange(1_000_000)
    return next(batches(1, rng.choice((1, 2, 30)), seed=seed, since=since, span=timedelta(hours=2)))


def traces(rng: Random) -> bytes:
    """An export of spans in protobuf; its attributes are spoiled here, where names and types are still known."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    body = export(_rows(rng))
    if rng.random() < 0.5:
        message = ExportTraceServiceRequest.FromString(body)
        span = message.resource_spans[0].scope_spans[0].spans[0]
        for pair in rng.sample(list(span.attributes), 3):
            spoil_value(rng, pair.value)
        extra: dict[str, Value] = {
            rng.choice(CONTENT): json.dumps([{"role": "user", "content": mutate.text(rng)}]),
            "k" * 600: True,
        }
        fill(span.attributes, extra)
        span.end_time_unix_nano = rng.choice((0, 1, 2**64 - 1, span.end_time_unix_nano))
        span.events.add().name = rng.choice(("gen_ai.content.prompt", "exception"))
        body = message.SerializeToString()
    return body


CONTENT = (
    "gen_ai.input.messages",
    "gen_ai.prompt",
    "gen_ai.output.messages",
    "input.value",
    "llm.prompts",
    "gen_ai.tool.call",
)


def spoil_value(rng: Random, target: Any) -> None:
    """Another kind of value for an attribute, at worst a deep one."""
    match rng.randrange(6):
        case 0:
            target.string_value = rng.choice(mutate.TEXTS).encode("utf-8", "replace").decode()
        case 1:
            target.int_value = rng.choice((-1, 0, 2**62, -(2**63)))
        case 2:
            target.double_value = rng.choice((float("nan"), float("inf"), -1e308, 0.5))
        case 3:
            target.bytes_value = b"\xff\0" * 50
        case 4:
            for _level in range(rng.choice((3, 20, 40))):
                target = target.array_value.values.add()
        case _:
            for level in range(rng.choice((3, 20))):
                pair = target.kvlist_value.values.add()
                pair.key, target = f"k{level}", pair.value


def logs(rng: Random) -> bytes:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    message = ExportLogsServiceRequest()
    scope = message.resource_logs.add().scope_logs.add()
    for row in _rows(rng)[:3]:
        record = scope.log_records.add()
        record.time_unix_nano = int(datetime.fromisoformat(row["started_at"]).timestamp() * 1e9)
        record.trace_id, record.span_id = b"t" * 16, b"s" * rng.choice((8, 8, 0, 3))
        record.event_name = rng.choice(("claude_code.api_request", "gen_ai.client.inference.operation.details", ""))
        names = {
            "event.name": "api_request",
            "model": row["model"],
            "input_tokens": "12",
            "output_tokens": 3,
            "cost_usd": 0.1,
        }
        fill(record.attributes, names)
        if rng.random() < 0.4:
            spoil_value(rng, record.body)
    return bytes(message.SerializeToString())


def metrics(rng: Random) -> bytes:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    message = ExportMetricsServiceRequest()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add()
    metric.name = rng.choice(("gen_ai.client.token.usage", "claude_code.token.usage", "x"))
    point = metric.sum.data_points.add()
    point.as_int, point.time_unix_nano = rng.choice((5, -1, 2**62)), rng.choice((0, 1_790_000_000 * 10**9, 2**64 - 1))
    fill(point.attributes, {"model": "claude-sonnet-4-5", "type": "input"})
    return bytes(message.SerializeToString())


def as_json(name: str, body: bytes) -> Any:
    """The same export as OTLP writes it in JSON."""
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    kinds: dict[str, Any] = {
        "logs": ExportLogsServiceRequest,
        "metrics": ExportMetricsServiceRequest,
        "traces": ExportTraceServiceRequest,
    }
    return MessageToDict(kinds[name].FromString(body), use_integers_for_enums=True)


OTLP: dict[str, Callable[[Random], bytes]] = {"traces": traces, "logs": logs, "metrics": metrics}


def of_schema(rng: Random, schema: Schema, whole: Schema, depth: int = 0) -> Any:
    """A value that a schema of the OpenAPI document describes, more or less; deep ones are cut short."""
    if "$ref" in schema:
        return of_schema(rng, whole["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], whole, depth + 1)
    if depth > 8:
        return None
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return of_schema(rng, rng.choice(choices), whole, depth + 1)
    if constants := schema.get("enum") or [schema[name] for name in ("const",) if name in schema]:
        return rng.choice(constants)
    match schema.get("type"):
        case "object":
            return dict(_members(rng, schema, whole, depth))
        case "array":
            return [of_schema(rng, schema.get("items", {}), whole, depth + 1) for _item in range(rng.choice((0, 1, 2)))]
        case "string":
            return _text(rng, schema)
        case kind:
            return rng.choice(PLAIN[kind]) if kind in PLAIN else mutate.value(rng)


PLAIN: dict[Any, tuple[Any, ...]] = {
    "integer": (0, 1, 5, 500, 2**31),
    "number": (0, 0.5, 1, 1e6),
    "boolean": (True, False),
    "null": (None,),
}


def _members(rng: Random, schema: Schema, whole: Schema, depth: int) -> Iterator[tuple[str, Any]]:
    for name, member in schema.get("properties", {}).items():
        if name in schema.get("required", ()) or rng.random() < 0.6:
            yield name, of_schema(rng, member, whole, depth + 1)


def _text(rng: Random, schema: Schema) -> str:
    if "date" in schema.get("format", "") or "date" in schema.get("pattern", ""):
        return rng.choice(("2026-11-01", "2026-11-24T10:00:00Z", "2026-12-31"))
    return rng.choice(
        ("anthropic", "playground", "2026-11", "2026-11-01", "model", "day", "1.25", "claude-sonnet-4-5", "A", "x")
    )
