"""OTLP in protobuf. An export is opened item by item, so that one bad span costs itself alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from sys import intern
from typing import Any

from traffic.ingest.otlp.doubts import CUT, TEXT
from traffic.ingest.otlp.spans import (
    DEEPEST,
    LONGEST_TEXT,
    MOST_ATTRIBUTES,
    Attributes,
    Bad,
    Signal,
    Span,
    Unreadable,
)

LARGEST = 16 << 20  # bytes of one span: unpacked it takes many times that


def read(body: bytes, signal: Signal) -> Iterator[Span | Bad | None]:
    """Each item of an export; None for one that needs no reading. Raises Unreadable."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    made = {"traces": span_of, "logs": log_of, "metrics": None}[signal]
    try:
        for of_resource in envelope().FromString(body).resources:
            resource, _repaired = opened(Resource, of_resource.resource)
            attributes = attributes_of(resource.attributes)
            for of_scope in of_resource.scopes:
                scope, _repaired = opened(InstrumentationScope, of_scope.scope)
                for item in of_scope.items:
                    yield None if made is None else read_item(made, item, scope.name, attributes)
    except DecodeError as error:
        raise Unreadable("its protobuf cannot be decoded.") from error


def read_item(made: Any, item: bytes, scope: str, resource: Attributes) -> Span | Bad:
    if len(item) > LARGEST:
        return Bad(f"A span is larger than {LARGEST >> 20} MiB.")
    try:
        span: Span = made(item, scope, resource)
        return span
    except Unreadable as error:
        return Bad(str(error))
    except slim()[1]:
        return Bad("A span is no protobuf.")


@cache
def envelope() -> Any:
    """An export whose items stay bytes; spans, logs and metrics lie at the same numbers in theirs."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="envelope.proto", package="envelope", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in (
        ("OfScope", (("scope", 1, ""), ("items", 2, ""))),
        ("OfResource", (("resource", 1, ""), ("scopes", 2, "OfScope"))),
        ("Export", (("resources", 1, "OfResource"),)),
    ):
        message = file.message_type.add(name=name)
        for title, number, kind in fields:
            added = message.field.add(name=title, number=number, type=kinds.TYPE_BYTES)
            added.label = kinds.LABEL_REPEATED if title.endswith("s") else kinds.LABEL_OPTIONAL
            if kind:
                added.type, added.type_name = kinds.TYPE_MESSAGE, f".envelope.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("envelope.Export"))


def opened(kind: Any, item: bytes) -> tuple[Any, tuple[str, ...]]:
    """The message, and a doubt where text in it was no UTF-8. Raises DecodeError."""
    from google.protobuf.message import DecodeError

    try:
        return kind.FromString(item), ()
    except DecodeError:
        return repaired(kind, item), (TEXT,)


def repaired(kind: Any, item: bytes) -> Any:
    """The same message with what is no UTF-8 replaced. Raises DecodeError for what is no message at all."""
    message = tolerant(kind.DESCRIPTOR.full_name).FromString(item)
    mend(message, kind.DESCRIPTOR)
    return kind.FromString(message.SerializeToString())


@cache
def tolerant(name: str) -> Any:
    """OTLP's messages with bytes in the place of text: the same on the wire, without the check."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from opentelemetry.proto.logs.v1 import logs_pb2
    from opentelemetry.proto.trace.v1 import trace_pb2

    pool, kinds = descriptor_pool.DescriptorPool(), descriptor_pb2.FieldDescriptorProto
    common, resource = trace_pb2.DESCRIPTOR.dependencies
    for file in (common, resource, trace_pb2.DESCRIPTOR, logs_pb2.DESCRIPTOR):
        copied = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(copied)
        for message in copied.message_type:
            for inner in (message, *message.nested_type):
                for one in inner.field:
                    one.type = kinds.TYPE_BYTES if one.type == kinds.TYPE_STRING else one.type
        pool.Add(copied)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def mend(message: Any, real: Any) -> None:
    """Replace what is no UTF-8 in fields that are text in `real`, all the way down."""
    for given, value in message.ListFields():
        meant = real.fields_by_name[given.name]
        many = value if given.is_repeated else (value,)
        if meant.type == meant.TYPE_STRING:
            sound = [one.decode("utf-8", "replace").encode() for one in many]
            if given.is_repeated:
                value[:] = sound
            else:
                setattr(message, given.name, sound[0])
        elif meant.type == meant.TYPE_MESSAGE:
            for one in many:
                mend(one, meant.message_type)


def span_of(item: bytes, scope: str, resource: Attributes) -> Span:
    """Raises DecodeError or Unreadable."""
    of_span, broken = slim()
    doubts: tuple[str, ...] = ()
    try:
        span = of_span.FromString(item)
        pairs = span.attributes
        attributes = dict(
            [
                _short_pair_of(pair) if len(pair) <= SHORT else pair_of(pair)
                for pair in (pairs if len(pairs) <= MOST_ATTRIBUTES else pairs[:MOST_ATTRIBUTES])
            ]
        )
    except broken:
        from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

        span, doubts = repaired(Message, item), (TEXT,)
        pairs = span.attributes
        attributes = attributes_of(pairs)
    return Span(
        trace_id=identifier(span.trace_id, 16),
        span_id=identifier(span.span_id, 8),
        parent_id=span.parent_span_id.hex() if len(span.parent_span_id) == 8 else "",
        name=span.name,
        scope=scope,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        status=span.status.code,
        attributes=attributes,
        resource=resource,
        events=[
            (event.name, event.time_unix_nano, attributes_of(event.attributes))
            for event in span.events[:MOST_ATTRIBUTES]
        ],
        doubts=doubts if len(pairs) <= MOST_ATTRIBUTES else (*doubts, CUT),
    )


@cache
def slim() -> tuple[Any, type[Exception]]:
    """A span whose attributes stay bytes, as most are the same in every span and read once; and what it raises."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.trace.v1 import trace_pb2

    pool = descriptor_pool.DescriptorPool()
    for file in (*trace_pb2.DESCRIPTOR.dependencies, trace_pb2.DESCRIPTOR):
        copied = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(copied)
        for message in copied.message_type:
            for field in message.field if message.name == "Span" else ():
                if field.name == "attributes":
                    field.type = field.TYPE_BYTES
                    field.ClearField("type_name")
        pool.Add(copied)
    found = message_factory.GetMessageClass(pool.FindMessageTypeByName(trace_pb2.Span.DESCRIPTOR.full_name))
    return found, DecodeError


@cache
def key_value() -> Any:
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

    return KeyValue


def pair_of(item: bytes) -> tuple[str, Any]:
    """One attribute. Raises DecodeError."""
    pair = key_value().FromString(item)
    value = pair.value
    text = value.string_value
    return intern(pair.key), text if text and len(text) <= LONGEST_TEXT else value_of(value)


SHORT = 128  # bytes of an attribute that is kept for the next span
_short_pair_of = lru_cache(8192)(pair_of)


def log_of(item: bytes, scope: str, resource: Attributes) -> Span:
    """A log record; its event's name is the span's, and it has no end. Raises DecodeError."""
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    record, doubts = opened(LogRecord, item)
    attributes, body = attributes_of(record.attributes), value_of(record.body)
    if isinstance(body, dict):
        attributes = {**body, **attributes}
    return Span(
        trace_id=record.trace_id.hex() if len(record.trace_id) == 16 else "",
        span_id=record.span_id.hex() if len(record.span_id) == 8 else "",
        parent_id="",
        name=record.event_name or (body if isinstance(body, str) else ""),
        scope=scope,
        start_ns=record.time_unix_nano or record.observed_time_unix_nano,
        end_ns=0,
        status=0,
        attributes=attributes,
        resource=resource,
        doubts=doubts if len(record.attributes) <= MOST_ATTRIBUTES else (*doubts, CUT),
        is_log=True,
    )


def identifier(given: bytes, size: int) -> str:
    """Raises Unreadable: without ids, spans could not be told apart."""
    if len(given) != size or not any(given):
        raise Unreadable("A span has no valid trace id and span id.")
    return given.hex()


def attributes_of(pairs: Any, depth: int = 0) -> Attributes:
    """By name. The hottest lines of reading, so the commonest kind, short text, is asked for first."""
    found: Attributes = {}
    for pair in pairs if len(pairs) <= MOST_ATTRIBUTES else pairs[:MOST_ATTRIBUTES]:
        value = pair.value
        text = value.string_value
        found[pair.key] = text if text and len(text) <= LONGEST_TEXT else value_of(value, depth)
    return found


PLAIN = frozenset(("int_value", "double_value", "bool_value"))


def value_of(value: Any, depth: int = 0) -> Any:
    kind = value.WhichOneof("value")
    if kind in PLAIN:
        return getattr(value, kind)
    if kind == "string_value":
        return value.string_value[:LONGEST_TEXT]
    if kind == "array_value" and depth < DEEPEST:
        return [value_of(item, depth + 1) for item in value.array_value.values[:MOST_ATTRIBUTES]]
    if kind == "kvlist_value" and depth < DEEPEST:
        return attributes_of(value.kvlist_value.values, depth + 1)
    return None
