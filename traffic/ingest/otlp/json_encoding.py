"""OTLP in JSON, which spells ids in hex and 64-bit numbers as text; a bad span costs itself alone."""

from __future__ import annotations

import binascii
import json
import math
from collections.abc import Iterator
from typing import Any

import orjson

from traffic.ingest.bounds import MOST_ITEMS
from traffic.ingest.data_quality import CUT, TEXT
from traffic.ingest.density import refuse_dense
from traffic.ingest.otlp.spans import (
    DEEPEST,
    LONGEST_TEXT,
    MOST_ATTRIBUTES,
    MOST_TIME,
    Attributes,
    Bad,
    Signal,
    Span,
    Unreadable,
    too_many,
)

KEYS: dict[Signal, tuple[str, str, str]] = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
}
STATUS = {"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}  # some write the names, against the protocol


class Odd(ValueError):
    """What is wrong, in words of ours."""


ODD = (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError)


def read(body: bytes, signal: Signal) -> Iterator[Span | Bad | None]:
    """Each item of an export, the first `MOST_ITEMS`; None for one that needs no reading.

    Raises Unreadable, and ApiError (413) for a body with more values than may be read at once.
    """
    outer, middle, inner = KEYS[signal]
    made = {"traces": span_of, "logs": log_of, "metrics": None}[signal]
    left, more = MOST_ITEMS, 0
    refuse_dense(body)
    try:
        request, doubts = decoded(body)
        for of_resource in listed(request, outer):
            resource = attributes_of(of_resource.get("resource") or {})
            for of_scope in listed(of_resource, middle):
                scope = str((of_scope.get("scope") or {}).get("name") or "")
                items = listed(of_scope, inner)
                for item in items[:left]:
                    yield None if made is None else read_item(made, item, scope, resource, doubts)
                more += max(0, len(items) - left)
                left -= min(left, len(items))
    except ODD as error:
        raise Unreadable(why(error)) from None
    if more:
        yield too_many(more)


def why(error: Exception) -> str:
    """The reason for the sender; Python's own messages are about our code."""
    if isinstance(error, json.JSONDecodeError):
        return f"its JSON cannot be read, {error}."
    if isinstance(error, RecursionError):
        return "its JSON is nested too deep."
    return f"{error}." if isinstance(error, Odd) else "its JSON has another shape than OTLP's."


def decoded(body: bytes) -> tuple[Any, tuple[str, ...]]:
    """The JSON, and a doubt where it was not quite: broken bytes and halves of pairs are replaced."""
    try:
        return orjson.loads(body), ()
    except orjson.JSONDecodeError:
        # NaN and the like, and numbers that no float holds.
        loose = json.loads(body.decode("utf-8", "replace"), parse_constant=str, parse_float=float_or_text)
        return orjson.loads(json.dumps(loose, ensure_ascii=False).encode("utf-8", "replace")), (TEXT,)


def float_or_text(text: str) -> float | str:
    return number if math.isfinite(number := float(text)) else text


def read_item(made: Any, item: Any, scope: str, resource: Attributes, doubts: tuple[str, ...]) -> Span | Bad:
    try:
        span: Span = made(item, scope, resource)
    except ODD as error:
        return Bad(f"A span does not match OTLP: {why(error)}")
    if len(listed(item, "attributes")) > MOST_ATTRIBUTES:
        doubts = (*doubts, CUT)
    span.doubts = doubts
    return span


def span_of(span: dict[str, Any], scope: str, resource: Attributes) -> Span:
    """Raises one of ODD."""
    code = (span.get("status") or {}).get("code") or 0
    return Span(
        trace_id=identifier(span.get("traceId"), 16),
        span_id=identifier(span.get("spanId"), 8),
        parent_id=hexadecimal(span.get("parentSpanId") or "", 8),
        name=str(span.get("name") or ""),
        scope=scope,
        start_ns=time_of(span.get("startTimeUnixNano")),
        end_ns=time_of(span.get("endTimeUnixNano")),
        status=STATUS.get(code, 0) if isinstance(code, str) else int(code),
        attributes=attributes_of(span),
        resource=resource,
        events=[
            (str(event.get("name") or ""), time_of(event.get("timeUnixNano")), attributes_of(event))
            for event in listed(span, "events")[:MOST_ATTRIBUTES]
        ],
    )


def log_of(record: dict[str, Any], scope: str, resource: Attributes) -> Span:
    """A log record; its event's name is the span's, and it has no end. Raises one of ODD."""
    attributes, body = attributes_of(record), value_of(record.get("body") or {})
    if isinstance(body, dict):
        attributes = {**body, **attributes}
    return Span(
        trace_id=hexadecimal(record.get("traceId") or "", 16),
        span_id=hexadecimal(record.get("spanId") or "", 8),
        parent_id="",
        name=str(record.get("eventName") or (body if isinstance(body, str) else "")),
        scope=scope,
        start_ns=time_of(record.get("timeUnixNano")) or time_of(record.get("observedTimeUnixNano")),
        end_ns=0,
        status=0,
        attributes=attributes,
        resource=resource,
        is_log=True,
    )


def listed(holder: dict[str, Any], key: str) -> list[Any]:
    items = holder.get(key) or []
    if not isinstance(items, list):
        raise Odd(f"{key} must be a list")
    return items


def time_of(value: Any) -> int:
    number = int(value or 0)
    if not 0 <= number < MOST_TIME:
        raise Odd("a time must be nanoseconds since 1970 in 64 bits")
    return number


def identifier(value: Any, size: int) -> str:
    digits = hexadecimal(value or "", size)
    if not digits.strip("0"):
        raise Odd("a span needs a trace id and a span id")
    return digits


def hexadecimal(text: Any, size: int) -> str:
    """An id of `size` bytes, lower case; empty stays empty."""
    if not text:
        return ""
    try:
        raw = binascii.unhexlify(text)
    except (ValueError, TypeError):
        raise Odd("an id must be hexadecimal") from None
    if len(raw) != size:
        raise Odd(f"an id must have {size} bytes")
    return raw.hex()


def attributes_of(holder: dict[str, Any], key: str = "attributes", depth: int = 0) -> Attributes:
    pairs = listed(holder, key)[:MOST_ATTRIBUTES]
    return {str(pair["key"]): value_of(pair.get("value") or {}, depth) for pair in pairs}


def value_of(value: dict[str, Any], depth: int = 0) -> Any:
    if "stringValue" in value:
        return str(value["stringValue"])[:LONGEST_TEXT]
    if "intValue" in value:
        number = int(value["intValue"])
        return number if -(2**63) <= number < 2**63 else str(number)
    if "doubleValue" in value:
        return float(value["doubleValue"])
    if "boolValue" in value:
        return bool(value["boolValue"])
    if "arrayValue" in value and depth < DEEPEST:
        return [value_of(item, depth + 1) for item in listed(value["arrayValue"], "values")[:MOST_ATTRIBUTES]]
    if "kvlistValue" in value and depth < DEEPEST:
        return attributes_of(value["kvlistValue"], "values", depth + 1)
    return None
