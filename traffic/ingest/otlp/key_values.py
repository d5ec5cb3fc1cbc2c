"""Attributes of OTLP's protobuf, by name. The one place where we read bytes of a message ourselves, for speed.

Most attributes are the same in every span of a program: a span is read with its attributes as bytes, and what was read
once is remembered by these bytes. Ids, counts and times are another in each span; `plain_pair_of` reads them byte by
byte where they are written as exporters write them, and leaves everything else to protobuf's own library. To make a
message of each, and ask it for its name, its value and the value's kind, costs more than all the rest of reading.

What it brings, as processor time of one span of 618 bytes and 14 attributes (2 cores, Python 3.11, the ways in turn,
30,720 spans each, medians of three runs):

| | reading | reading and making its row |
|---|---:|---:|
| as it is | 12.1 µs | 25.6 µs |
| the library reads each export whole | 14.8 µs | 29.6 µs |
| the library reads each span whole | 17.0 µs | 31.9 µs |

`manage.py bench otlp` has 20,781 spans a second on two cores, 96.2 µs of both for each; with 4 µs more it is 19,950,
and 20,000 are promised.
"""

from __future__ import annotations

from functools import cache, lru_cache
from struct import Struct
from typing import Any

from traffic.ingest.otlp.spans import DEEPEST, LONGEST_TEXT, MOST_ATTRIBUTES, Attributes


@cache
def key_value() -> Any:
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

    return KeyValue


def pair_of(item: bytes) -> tuple[str, Any]:
    """One attribute. Raises DecodeError."""
    pair = key_value().FromString(item)
    value = pair.value
    text = value.string_value
    return same(pair.key), text if text and len(text) <= LONGEST_TEXT else value_of(value)


SHORT = 128  # bytes of an attribute that may be kept for the next span
MOST_KEPT = 8_192
remembered: dict[bytes, tuple[str, Any]] = {}  # most attributes are the same in every span of a program


def new_pair_of(item: bytes) -> tuple[str, Any]:
    """One attribute that no span had lately. Raises DecodeError."""
    if len(item) > SHORT:
        return pair_of(item)
    pair = plain_pair_of(item) or pair_of(item)
    if type(pair[1]) is not float:  # a measurement, which comes once
        if len(remembered) >= MOST_KEPT:
            remembered.clear()
        remembered[item] = pair
    return pair


# What the parts of an attribute begin with on the wire: a field's number and the kind of its value.
NAME, VALUE, TEXT, INT, DOUBLE = 0x0A, 0x12, 0x0A, 0x18, 0x21
EIGHT_BYTES = Struct("<d")


def plain_pair_of(item: bytes) -> tuple[str, Any] | None:
    """A short attribute as exporters write it, its name and then text or a number; None where it is anything else.

    Ids, counts and times are another in each span, and to make a message of each takes twice as long as this.
    """
    size = len(item)
    if size < 6 or item[0] != NAME:
        return None
    end = item[1] + 2  # of the name
    start = end + 3  # of what is said, behind the value's tag, its length and the tag in it
    if start >= size or item[end] != VALUE or item[end + 1] != size - end - 2:
        return None
    kind, length = item[end + 2], size - start
    if kind == INT and length == 1 and item[start] < 0x80:
        value: str | int | float = item[start]
    elif kind == INT and length == 2 and item[start] >= 0x80 > item[start + 1]:
        value = item[start] & 0x7F | item[start + 1] << 7
    elif kind == DOUBLE and length == 8:
        value = EIGHT_BYTES.unpack_from(item, start)[0]
    elif kind == TEXT and length > 1 and item[start] == length - 1:
        try:
            value = item[start + 1 :].decode()
        except UnicodeDecodeError:
            return None
    else:
        return None
    name = name_of(item[2:end])
    return None if name is None else (name, value)


@lru_cache(4096)
def name_of(written: bytes) -> str | None:
    try:
        return same(written.decode())
    except UnicodeDecodeError:
        return None


def same(name: str) -> str:
    """Of equal names the first, so that they need not be compared. `sys.intern` keeps all for good in Python 3.12."""
    return _first_of(name) if len(name) <= SHORT else name


@lru_cache(4096)
def _first_of(name: str) -> str:
    return name


def attributes_of(pairs: Any, depth: int = 0) -> Attributes:
    """By name. The hottest lines of reading, so the commonest kind, short text, is asked for first."""
    attributes: Attributes = {}
    for pair in pairs if len(pairs) <= MOST_ATTRIBUTES else pairs[:MOST_ATTRIBUTES]:
        value = pair.value
        text = value.string_value
        attributes[pair.key] = text if text and len(text) <= LONGEST_TEXT else value_of(value, depth)
    return attributes


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
