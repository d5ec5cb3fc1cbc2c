"""Server-sent events: bytes that are cut anywhere into the data of whole events, and objects into events."""

from __future__ import annotations

from typing import Any

import msgspec

from traffic.gateway.bounds import MOST_EVENT, TooMuch


class EventReader:
    """Collects the pieces of a stream; its state is at most one event."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # of a line that is not whole yet
        self._data: list[bytes] = []
        self._size = 0  # of both

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that are whole now. Raises TooMuch where one has no end."""
        lines = chunk.split(b"\n")
        if len(lines) > 1 and self._rest:
            lines[0] = b"".join((*self._rest, lines[0]))
            self._rest.clear()
        rest = lines.pop()
        events = []
        for line in lines:
            line = line.rstrip(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
                self._grow(len(line))
            elif not line and self._data:
                events.append(b"\n".join(self._data))
                self._data.clear()
                self._size = 0
        if rest:
            self._rest.append(rest)
            self._grow(len(rest))
        return events

    def _grow(self, more: int) -> None:
        self._size += more
        if self._size > MOST_EVENT:
            raise TooMuch(f"an event of more than {MOST_EVENT:,} bytes")

    def finish(self) -> list[bytes]:
        """A last event that lacks its empty line."""
        self._size = 0
        return self.feed(b"\n\n")


def event(data: dict[str, Any], *, named: bool) -> bytes:
    """One event; `named`: with its type in a line of its own, as Messages and Responses have it."""
    head = f"event: {data['type']}\n".encode() if named else b""
    return b"".join((head, b"data: ", msgspec.json.encode(data), b"\n\n"))
