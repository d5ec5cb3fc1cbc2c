"""Exports as an instrumented program sends them: OTLP in protobuf, 14 attributes a span, gzip left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.rows import batches

Value = str | int | float | bool


def exports(count: int, size: int, *, seed: int, since: datetime, span: timedelta) -> list[bytes]:
    """`count` bodies of `size` spans each, of the same requests that the bench of the native API sends."""
    return [export(rows) for rows in batches(count, size, seed=seed, since=since, span=span)]


def export(rows: list[dict[str, Any]]) -> bytes:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    fill(resource.resource.attributes, {"service.name": "bench", "telemetry.sdk.language": "python"})
    scope = resource.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.genai.anthropic"
    for row in rows:
        add(scope.spans.add(), row)
    return bytes(request.SerializeToString())


def add(span: Any, row: dict[str, Any]) -> None:
    started = datetime.fromisoformat(row["started_at"]).astimezone(UTC)
    span.trace_id = f"{row['id']:0>16}".encode()[-16:]
    span.span_id = f"{row['id']:0>8}".encode()[-8:]
    span.name, span.kind = f"chat {row['model']}", 3
    span.start_time_unix_nano = int(started.timestamp() * 1e6) * 1000
    span.end_time_unix_nano = span.start_time_unix_nano + int(row["latency_ms"] * 1e6)
    tokens = row["tokens"]
    fill(
        span.attributes,
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": row["provider"],
            "gen_ai.request.model": row["model"],
            "gen_ai.response.model": row["model"],
            "gen_ai.response.id": row["response_id"],
            "gen_ai.request.max_tokens": 1024,
            "gen_ai.request.temperature": 0.2,
            "gen_ai.request.stream": True,
            "gen_ai.response.time_to_first_chunk": row["ttft_ms"] / 1000,
            "gen_ai.usage.input_tokens": tokens["uncached_input"] + tokens["cache_read"],
            "gen_ai.usage.cache_read.input_tokens": tokens["cache_read"],
            "gen_ai.usage.output_tokens": tokens["output"],
            "server.address": "api.anthropic.com",
            "server.port": 443,
        },
    )


KINDS = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}


def fill(target: Any, attributes: dict[str, Value]) -> None:
    for name, value in attributes.items():
        pair = target.add()
        pair.key = name
        setattr(pair.value, KINDS[type(value)], value)
