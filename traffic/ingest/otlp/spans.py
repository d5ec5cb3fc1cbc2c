"""Spans as plain data, from protobuf or from OTLP's JSON, which spells ids in hex and 64-bit numbers as text."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

Attributes = dict[str, Any]
MOST_ATTRIBUTES = 2_000  # of one span; what is beyond is not read
LONGEST_TEXT = 100_000  # of one attribute


class Unreadable(ValueError):
    """The body is no OTLP request."""


@dataclass(slots=True)
class Span:
    trace_id: str
    span_id: str
    parent_id: str  # empty: a root
    name: str
    kind: int  # 1 internal, 2 server, 3 client
    scope: str
    start_ns: int
    end_ns: int  # 0: the emitter gave none
    status: int  # 0 unset, 1 ok, 2 error
    attributes: Attributes
    resource: Attributes
    events: list[tuple[str, int, Attributes]] = field(default_factory=list)


def from_protobuf(body: bytes) -> Iterator[Span]:
    """Raises Unreadable."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError as error:
        raise Unreadable(str(error)) from None
    for of_resource in request.resource_spans:
        resource = attributes_of(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield Span(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    name=span.name,
                    kind=span.kind,
                    scope=of_scope.scope.name,
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    status=span.status.code,
                    attributes=attributes_of(span.attributes),
                    resource=resource,
                    events=[
                        (event.name, event.time_unix_nano, attributes_of(event.attributes)) for event in span.events
                    ],
                )


def attributes_of(pairs: Any) -> Attributes:
    """By name. The hottest lines of reading, so the commonest kind, short text, is asked for first."""
    found: Attributes = {}
    for pair in pairs if len(pairs) <= MOST_ATTRIBUTES else pairs[:MOST_ATTRIBUTES]:
        value = pair.value
        text = value.string_value
        found[pair.key] = text if text and len(text) <= LONGEST_TEXT else value_of(value)
    return found


PLAIN = frozenset(("int_value", "double_value", "bool_value"))


def value_of(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind in PLAIN:
        return getattr(value, kind)
    if kind == "string_value":
        return value.string_value[:LONGEST_TEXT]
    if kind == "array_value":
        return [value_of(item) for item in value.array_value.values[:MOST_ATTRIBUTES]]
    if kind == "kvlist_value":
        return attributes_of(value.kvlist_value.values)
    return None


def from_json(body: bytes) -> Iterator[Span]:
    """Raises Unreadable for what is not the request's shape; unknown keys are ignored."""
    try:
        request = orjson.loads(body)
        for of_resource in listed(request, "resourceSpans"):
            resource = json_attributes(of_resource.get("resource") or {})
            for of_scope in listed(of_resource, "scopeSpans"):
                scope = (of_scope.get("scope") or {}).get("name") or ""
                for span in listed(of_scope, "spans"):
                    yield json_span(span, scope, resource)
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError) as error:
        raise Unreadable(f"not an OTLP request in JSON: {error}") from None


def json_span(span: dict[str, Any], scope: str, resource: Attributes) -> Span:
    return Span(
        trace_id=hexadecimal(span.get("traceId"), 16),
        span_id=hexadecimal(span.get("spanId"), 8),
        parent_id=hexadecimal(span.get("parentSpanId") or "", 8),
        name=str(span.get("name") or ""),
        kind=int(span.get("kind") or 0),
        scope=str(scope),
        start_ns=int(span.get("startTimeUnixNano") or 0),
        end_ns=int(span.get("endTimeUnixNano") or 0),
        status=int((span.get("status") or {}).get("code") or 0),
        attributes=json_attributes(span),
        resource=resource,
        events=[
            (str(event.get("name") or ""), int(event.get("timeUnixNano") or 0), json_attributes(event))
            for event in listed(span, "events")
        ],
    )


def listed(holder: dict[str, Any], key: str) -> list[Any]:
    found = holder.get(key) or []
    if not isinstance(found, list):
        raise TypeError(f"{key} must be a list")
    return found


def hexadecimal(text: Any, size: int) -> str:
    """An id of `size` bytes, lower case; empty stays empty."""
    if not text:
        return ""
    raw = binascii.unhexlify(text)
    if len(raw) != size:
        raise ValueError(f"an id must have {size} bytes")
    return raw.hex()


def json_attributes(holder: dict[str, Any]) -> Attributes:
    pairs = listed(holder, "attributes")[:MOST_ATTRIBUTES]
    return {str(pair["key"]): json_value(pair.get("value") or {}) for pair in pairs}


def json_value(value: dict[str, Any]) -> Any:
    if "stringValue" in value:
        return str(value["stringValue"])[:LONGEST_TEXT]
    if "intValue" in value:
        return int(value["intValue"])
    if "doubleValue" in value:
        return float(value["doubleValue"])
    if "boolValue" in value:
        return bool(value["boolValue"])
    if "arrayValue" in value:
        return [json_value(item) for item in listed(value["arrayValue"], "values")[:MOST_ATTRIBUTES]]
    if "kvlistValue" in value:
        return {
            str(pair["key"]): json_value(pair.get("value") or {}) for pair in listed(value["kvlistValue"], "values")
        }
    return None
