"""Counts the parts of a protobuf message on the wire, before any object is made of it.

An empty span takes two bytes of a body and hundreds in memory. Counting needs no schema but which fields hold messages.
"""

from __future__ import annotations

from collections.abc import Iterator

from traffic.json_depth import TOO_DEEP

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5  # how a value is written
Field = tuple[int, int, int, int]  # its number, how it is written, where its value begins and ends
Place = tuple[int, int]


class Torn(ValueError):
    """These bytes are no protobuf."""


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number and where it ends. Raises Torn."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise Torn


def fields(data: bytes, at: int, end: int) -> Iterator[Field]:
    """What a message holds, in order. Raises Torn."""
    while at < end:
        tag, at = varint(data, at, end)
        kind, start = tag & 7, at
        if kind == BYTES:
            size, start = varint(data, at, end)
            at = start + size
        elif kind == VARINT:
            at = varint(data, at, end)[1]
        elif kind in (EIGHT, FOUR):
            at += 8 if kind == EIGHT else 4
        else:
            raise Torn  # groups, which OTLP has none of
        if at > end or tag < 8:
            raise Torn
        yield tag >> 3, kind, start, at


def parts(data: bytes, at: int, end: int, number: int, most: int) -> tuple[bytes, list[Place], int]:
    """Of a message its field 1, the places of its fields `number`, `most` at most, and how many are beyond.

    Raises Torn.
    """
    head: list[bytes] = []
    places: list[Place] = []
    tag = number << 3 | BYTES
    while at < end:
        # Most fields are the items themselves, each of a few hundred bytes: their head is read here, without a call.
        if data[at] == tag and at + 3 < end and data[at + 1] >= 0x80 > data[at + 2]:
            of, kind, start = number, BYTES, at + 3
            stop = start + (data[at + 1] & 0x7F | data[at + 2] << 7)
            if stop > end:
                raise Torn
        else:
            of, kind, start, stop = next(fields(data, at, end))
        if kind == BYTES and of == number:
            if len(places) == most:
                return b"".join(head), places, beyond(data, at, end, number)
            places.append((start, stop))
        elif kind == BYTES and of == 1:
            head.append(data[start:stop])  # each piece of a message adds to the one before
        at = stop
    return b"".join(head), places, 0


MOST_COUNTED = 200_000  # one by one
SHORT, BLOCK = 64, 1 << 12  # bytes of what may repeat itself, and of what is compared at once


def beyond(data: bytes, at: int, end: int, number: int) -> int:
    """How many fields `number` begin from here on; at least so many, where there are too many to be counted.

    What repeats itself, as it must to come in small, is counted by comparison. Raises Torn.
    """
    count = 0
    for _ in range(MOST_COUNTED):
        if at >= end:
            break
        of, _kind, _start, stop = next(fields(data, at, end))
        count += of == number
        unit, at = data[at:stop], stop
        if of == number and len(unit) <= SHORT:
            times = BLOCK // len(unit)
            block = unit * times
            while at + len(block) <= end and data.startswith(block, at):
                at, count = at + len(block), count + times
    return count


# The fields of OTLP's messages that are messages, and what each is.
INNER: dict[str, dict[int, str]] = {
    "resource": {1: "pair"},
    "scope": {3: "pair"},
    "span": {9: "pair", 11: "event", 13: "link"},
    "event": {3: "pair"},
    "link": {4: "pair"},
    "log": {5: "value", 6: "pair"},
    "pair": {2: "value"},
    "value": {5: "list", 6: "pairs"},
    "list": {1: "value"},
    "pairs": {1: "pair"},
}
MOST_NESTED = 60  # messages in messages; the library reads a hundred


def measured(data: bytes, kind: str, at: int, end: int, most: int) -> tuple[int, int]:
    """How many fields a message has, those of its messages counted in, and how deep they lie; counted up to `most`.

    Raises Torn.
    """
    count = deepest = 0
    opened = [(INNER[kind], fields(data, at, end))]
    while opened and count < most:
        deepest = max(deepest, len(opened))
        inner, left = opened[-1]
        for of, written, start, stop in left:
            count += 1
            if written == BYTES and of in inner:
                opened.append((INNER[inner[of]], fields(data, start, stop)))
                break
            if count == most:
                break
        else:
            opened.pop()
    return count, deepest


def pruned(data: bytes, kind: str, most: int) -> bytes:
    """The message without values that are nested too deep; words stand in their place. Raises Torn."""
    written: list[bytes] = []
    at = 0
    for of, how, start, stop in fields(data, 0, len(data)):
        inner = INNER[kind].get(of)
        if how == BYTES and inner and measured(data, inner, start, stop, most)[1] > MOST_NESTED:
            if inner == "pair":
                name = next((data[a:b] for number, _how, a, b in fields(data, start, stop) if number == 1), b"")
                written.append(framed(of, framed(1, name) + framed(2, WORDS)))
            elif inner == "value":
                written.append(framed(of, WORDS))
        else:
            written.append(data[at:stop])
        at = stop
    return b"".join(written)


def framed(number: int, value: bytes) -> bytes:
    """A field of bytes, as it is written."""
    return bytes([number << 3 | BYTES]) + sized(len(value)) + value


def sized(number: int) -> bytes:
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


WORDS = framed(1, TOO_DEEP.encode())  # a value that is a text
