"""Exports of OpenTelemetry traces: bodies in JSON and protobuf, and the key that sends them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.test import Client
from django.utils import timezone
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from tests.factories import ApplicationFactory
from traffic.authentication.keys import callers, create_key
from traffic.ingest.context import clear_cache

TRACE = "0af7651916cd43dd8448eb211c80319c"

START = timezone.now().replace(microsecond=0) - timedelta(minutes=5)

USAGE = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "claude-opus-5-5",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.cache_read.input_tokens": 600,
    "gen_ai.usage.cache_write.input_tokens": 100,
    "gen_ai.usage.output_tokens": 50,
}


@pytest.fixture
def key(conn: psycopg.Connection) -> str:
    clear_cache()
    callers.clear()
    shop = ApplicationFactory.create(slug="shop", name="Shop")
    return create_key(name="otlp", scopes=["ingest"], application=shop)[1]


def ns(seconds: float = 0) -> int:
    return int((START.timestamp() + seconds) * 1e9)


def value(item: Any) -> dict[str, Any]:
    if isinstance(item, bool):
        return {"boolValue": item}
    if isinstance(item, int):
        return {"intValue": str(item)}
    if isinstance(item, float):
        return {"doubleValue": item}
    return {"stringValue": item}


def span(number: int = 1, parent: int | None = None, **given: Any) -> dict[str, Any]:
    attributes = given.pop("attributes", USAGE)
    made = {
        "traceId": TRACE, "spanId": f"{number:016x}", "name": "chat claude-opus-5-5", "kind": 3,
        "startTimeUnixNano": str(ns()), "endTimeUnixNano": str(ns(1.2)), "status": {"code": 0},
        "attributes": [{"key": name, "value": value(item)} for name, item in attributes.items()],
    }  # fmt: skip
    if parent is not None:
        made["parentSpanId"] = f"{parent:016x}"
    return {**made, **given}


def body(*spans: dict[str, Any], service: str = "any") -> dict[str, Any]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "t"}, "spans": list(spans)}]}]}


def protobuf(content: dict[str, Any]) -> bytes:
    """The same request in protobuf; ids there are bytes."""
    request = ExportTraceServiceRequest()
    for of_resource in content["resourceSpans"]:
        target = request.resource_spans.add()
        fill(target.resource.attributes, of_resource["resource"]["attributes"])
        for given in of_resource["scopeSpans"][0]["spans"]:
            made = target.scope_spans.add().spans.add()
            made.trace_id, made.span_id = bytes.fromhex(given["traceId"]), bytes.fromhex(given["spanId"])
            made.parent_span_id = bytes.fromhex(given.get("parentSpanId", ""))
            made.name, made.kind = given["name"], given["kind"]
            made.start_time_unix_nano = int(given["startTimeUnixNano"])
            made.end_time_unix_nano = int(given["endTimeUnixNano"])
            fill(made.attributes, given["attributes"])
    return bytes(request.SerializeToString())


def fill(target: Any, pairs: list[dict[str, Any]]) -> None:
    for pair in pairs:
        made = target.add()
        made.key = pair["key"]
        ((kind, item),) = pair["value"].items()
        names = {"stringValue": "string_value", "intValue": "int_value", "doubleValue": "double_value"}
        setattr(made.value, names[kind], int(item) if kind == "intValue" else item)


def send(key: str, content: Any, kind: str = "application/json", **headers: str) -> Any:
    data = content if isinstance(content, bytes) else json.dumps(content)
    return Client().post("/v1/traces", data, content_type=kind, headers={"Authorization": f"Bearer {key}", **headers})


def rows(conn: psycopg.Connection, columns: str) -> list[Any]:
    return conn.execute(f"SELECT {columns} FROM traffic_request ORDER BY id").fetchall()


CLASSES = "uncached_input, cache_read, cache_write_5m, cache_write_1h, output"
