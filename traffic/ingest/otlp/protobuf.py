"""OTLP in protobuf. An export is opened item by item, so that one bad span costs itself alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from traffic.ingest.bounds import MOST_ITEMS
from traffic.ingest.data_quality import CUT, DEEP
from traffic.ingest.data_quality import TEXT as NO_UTF8
from traffic.ingest.otlp.key_values import attributes_of, new_pair_of, remembered, value_of
from traffic.ingest.otlp.spans import MOST_ATTRIBUTES, Attributes, Bad, Signal, Span, Unreadable, too_many
from traffic.ingest.otlp.wire import Torn, measured, parts, pruned

LARGEST = 16 << 20  # bytes of one span: unpacked it takes many times that
SMALL = 1 << 16  # bytes, of which nobody can make much
MOST_PARTS = 500_000  # of one span: attributes, events, links, values in values


def read(body: bytes, signal: Signal) -> Iterator[Span | Bad | None]:
    """Each item of an export, the first `MOST_ITEMS`; None for one that needs no reading. Raises Unreadable."""
    left = MOST_ITEMS
    try:
        _head, resources, more = parts(body, 0, len(body), 1, MOST_ITEMS)
        for of_resource in resources:
            resource, scopes, beyond_here = parts(body, *of_resource, 2, MOST_ITEMS)
            more += beyond_here
            for of_scope in scopes:
                scope, items, beyond_here = parts(body, *of_scope, 2, left)
                left, more = left - len(items), more + beyond_here
                yield from read_scope(body, items, scope, resource, signal)
    except Torn as error:
        raise Unreadable("its protobuf cannot be decoded.") from error
    if more:
        yield too_many(more)


def read_scope(
    body: bytes, items: list[tuple[int, int]], scope: bytes, resource: bytes, signal: Signal
) -> Iterator[Span | Bad | None]:
    """The items of one scope; those of a scope or a resource that cannot be read are bad together."""
    made = {"traces": span_of, "logs": log_of, "metrics": None}[signal]
    try:
        attributes, name = resource_of(resource), scope_of(scope)
    except Unreadable as error:
        yield Bad(str(error), len(items))
        return
    for start, stop in items:
        yield None if made is None else read_item(made, body[start:stop], name, attributes)


def resource_of(written: bytes) -> Attributes:
    """Its attributes, which nobody changes. Raises Unreadable."""
    return (_small_resource if len(written) <= SMALL else _resource)(written)


def _resource(written: bytes) -> Attributes:
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    return attributes_of(message_of(Resource, "resource", written)[0].attributes)


def scope_of(written: bytes) -> str:
    """Its name. Raises Unreadable."""
    return (_small_scope if len(written) <= SMALL else _scope)(written)


def _scope(written: bytes) -> str:
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope

    return str(message_of(InstrumentationScope, "scope", written)[0].name)


# A program's exports have the same resource and few scopes.
_small_resource, _small_scope = lru_cache(64)(_resource), lru_cache(64)(_scope)


def read_item(made: Any, item: bytes, scope: str, resource: Attributes) -> Span | Bad:
    try:
        span: Span = made(item, scope, resource)
        return span
    except (Unreadable, Torn) as error:
        return Bad(str(error) or "A span is no protobuf.")
    except slim()[1]:
        return Bad("A span is no protobuf.")


def refuse_large(item: bytes, kind: str) -> None:
    """Raises Unreadable for what would take many times its size in memory, or does already."""
    if len(item) > LARGEST:
        raise Unreadable(f"A span is larger than {LARGEST >> 20} MiB.")
    if len(item) > SMALL and measured(item, kind, 0, len(item), MOST_PARTS)[0] == MOST_PARTS:
        raise Unreadable(f"A span has more than {MOST_PARTS:,} parts.")


def message_of(message: Any, kind: str, item: bytes) -> tuple[Any, tuple[str, ...]]:
    """The message, and doubts about it: text that was no UTF-8, values nested too deep. Raises Unreadable."""
    from google.protobuf.message import DecodeError

    refuse_large(item, kind)
    try:
        return opened(message, item)
    except DecodeError:
        pass  # perhaps for its depth alone
    try:
        mended, doubts = opened(message, pruned(item, kind, MOST_PARTS))
    except (DecodeError, Torn) as error:
        raise Unreadable("A span is no protobuf.") from error
    return mended, (*doubts, DEEP)


def opened(kind: Any, item: bytes) -> tuple[Any, tuple[str, ...]]:
    """The message, and a doubt where text in it was no UTF-8. Raises DecodeError."""
    from google.protobuf.message import DecodeError

    try:
        return kind.FromString(item), ()
    except DecodeError:
        return repaired(kind, item), (NO_UTF8,)


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
                for field in inner.field:
                    field.type = kinds.TYPE_BYTES if field.type == kinds.TYPE_STRING else field.type
        pool.Add(copied)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def mend(message: Any, real: Any) -> None:
    """Replace what is no UTF-8 in fields that are text in `real`, all the way down."""
    for field, value in message.ListFields():
        meant = real.fields_by_name[field.name]
        many = value if field.is_repeated else (value,)
        if meant.type == meant.TYPE_STRING:
            sound = [raw.decode("utf-8", "replace").encode() for raw in many]
            if field.is_repeated:
                value[:] = sound
            else:
                setattr(message, field.name, sound[0])
        elif meant.type == meant.TYPE_MESSAGE:
            for inner in many:
                mend(inner, meant.message_type)


def span_of(item: bytes, scope: str, resource: Attributes) -> Span:
    """Raises DecodeError or Unreadable."""
    if len(item) > SMALL:
        refuse_large(item, "span")
    of_span, broken = slim()
    doubts: tuple[str, ...] = ()
    try:
        span = of_span.FromString(item)
        pairs = span.attributes
        # A slice is a list at once, where a repeated field would be asked for one after the other.
        attributes = dict([remembered.get(pair) or new_pair_of(pair) for pair in pairs[:MOST_ATTRIBUTES]])
    except broken:
        from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

        span, doubts = message_of(Message, "span", item)
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
        events=events_of(span.events) if span.events else [],
        doubts=doubts if len(pairs) <= MOST_ATTRIBUTES else (*doubts, CUT),
    )


def events_of(events: Any) -> list[tuple[str, int, Attributes]]:
    return [(event.name, event.time_unix_nano, attributes_of(event.attributes)) for event in events[:MOST_ATTRIBUTES]]


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
    span_class = message_factory.GetMessageClass(pool.FindMessageTypeByName(trace_pb2.Span.DESCRIPTOR.full_name))
    return span_class, DecodeError


def log_of(item: bytes, scope: str, resource: Attributes) -> Span:
    """A log record; its event's name is the span's, and it has no end. Raises DecodeError."""
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    record, doubts = message_of(LogRecord, "log", item)
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


ZEROS = {size: bytes(size) for size in (8, 16)}  # what stands for no id, by its length


def identifier(octets: bytes, size: int) -> str:
    """Raises Unreadable: without ids, spans could not be told apart."""
    if len(octets) != size or octets == ZEROS[size]:
        raise Unreadable("A span has no valid trace id and span id.")
    return octets.hex()
