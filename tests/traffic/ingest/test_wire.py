"""The quick way through a message on the wire finds what the plain walk over its fields finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from traffic.ingest.otlp.wire import BYTES, Torn, beyond, fields, framed, parts

MOST = 3


FIELD = st.one_of(
    st.builds(framed, st.integers(1, 3), st.sampled_from([0, 5, 127, 128, 300, 20_000]).map(bytes)),
    st.sampled_from([b"\x08\x01", b"\x11" + bytes(8), b"\x15" + bytes(4), b"\x13", b"\x8a\x01\x00"]),
)


def by_fields(data: bytes, end: int) -> object:
    """The parts of a message, field after field; None where it is torn."""
    head: list[bytes] = []
    places: list[tuple[int, int]] = []
    at = 0
    try:
        for number, kind, start, stop in fields(data, 0, end):
            if kind == BYTES and number == 2:
                if len(places) == MOST:
                    return b"".join(head), places, beyond(data, at, end, 2)
                places.append((start, stop))
            elif kind == BYTES and number == 1:
                head.append(data[start:stop])
            at = stop
    except Torn:
        return None
    return b"".join(head), places, 0


@given(st.lists(FIELD, max_size=6).map(b"".join), st.integers(0, 400))
def test_the_parts_of_a_message_are_those_of_its_fields_whole_or_cut(data: bytes, cut: int) -> None:
    end = max(0, len(data) - cut) if cut % 2 else len(data)
    try:
        found: object = parts(data, 0, end, 2, MOST)
    except Torn:
        found = None
    assert found == by_fields(data, end)
