"""Requests on their way in: their bodies come in time or not at all, and no more of them are in memory than fit."""

from __future__ import annotations

import asyncio
from collections import Counter

from traffic.gateway.bounds import (
    DRAIN_BYTES,
    DRAIN_S,
    FIRST_BYTE_S,
    KEY_BYTES,
    KEY_CALLS,
    MIB,
    MOST_BODY,
    PROCESS_BYTES,
    PROCESS_CALLS,
    WHOLE_RATE,
    WHOLE_S,
    WINDOW_BYTES,
    WINDOW_S,
)
from traffic.gateway.refusals import CallerGone, Receive, Refusal, come_back


class Load:
    """What is in work: calls and bytes, of this process and of each key. For one event loop."""

    def __init__(self) -> None:
        self.calls = 0
        self.bytes = 0
        self._calls: Counter[int] = Counter()
        self._bytes: Counter[int] = Counter()

    def enter(self, key: int) -> Share:
        """Take a call in. Raises Refusal where there are too many."""
        if self.calls >= PROCESS_CALLS:
            raise come_back(503, "busy", f"The gateway has {PROCESS_CALLS:,} calls at work; come back.", 1)
        if self._calls[key] >= KEY_CALLS:
            raise come_back(429, "too-many-at-once", f"This key has {KEY_CALLS:,} calls at work; come back.", 1)
        self.calls += 1
        self._calls[key] += 1
        return Share(self, key)

    def take(self, key: int, size: int) -> None:
        """Count more of a body. Raises Refusal where it does not fit."""
        if self.bytes + size > PROCESS_BYTES:
            raise come_back(503, "busy", "The gateway holds as many bodies as fit into its memory; come back.", 1)
        if self._bytes[key] + size > KEY_BYTES:
            words = f"This key has {KEY_BYTES // MIB} MiB of bodies at work; come back."
            raise come_back(429, "too-many-bytes", words, 1)
        self.bytes += size
        self._bytes[key] += size

    def take_answer(self, size: int) -> None:
        """Count more of a large answer, which is nobody's fault. Raises Refusal where it does not fit."""
        if self.bytes + size > PROCESS_BYTES:
            raise come_back(503, "busy", "Answers and bodies together do not fit into memory.", 1)
        self.bytes += size

    def leave(self, key: int, size: int, answer: int) -> None:
        """A call is over: what it held is free."""
        self.calls -= 1
        self.bytes -= size + answer
        self._calls[key] -= 1
        if self._calls[key]:
            self._bytes[key] -= size
        else:  # none of a key's is left, so nothing is kept of the key
            del self._calls[key]
            self._bytes.pop(key, None)


class Share:
    """What one call holds of the load."""

    __slots__ = ("_answer", "_key", "_load", "_size")

    def __init__(self, load: Load, key: int) -> None:
        self._load = load
        self._key = key
        self._size = 0  # of the body
        self._answer = 0

    def take(self, size: int) -> None:
        """Hold so many bytes more. Raises Refusal where they do not fit."""
        self._load.take(self._key, size)
        self._size += size

    def take_answer(self, size: int) -> None:
        """The same for a part of a large answer."""
        self._load.take_answer(size)
        self._answer += size

    def free(self) -> None:
        self._load.leave(self._key, self._size, self._answer)


async def read_body(headers: dict[bytes, bytes], receive: Receive, share: Share) -> bytes:
    """The whole request body. Raises CallerGone, and Refusal past 32 MiB, where it does not fit, or comes too slowly.

    After the last of these nothing more can be read of the request.
    """
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > MOST_BODY:
        raise too_large()
    try:
        async with asyncio.timeout(FIRST_BYTE_S) as deadline:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                body: bytes = message.get("body", b"")
                if len(body) > MOST_BODY:
                    raise too_large()
                share.take(len(body))
                return body
            return await _read_on(message, receive, share, deadline)
    except TimeoutError:
        raise Refusal(408, "body-too-slow", "The request's body did not come in time.", CLOSE) from None


CLOSE = ((b"connection", b"close"),)


async def _read_on(message: dict[str, object], receive: Receive, share: Share, deadline: asyncio.Timeout) -> bytes:
    """The body from its first piece on, at least so much of it in any window, and all of it in time."""
    clock = asyncio.get_running_loop().time
    started = clock()
    pieces: list[bytes] = []
    size = in_window = 0
    while True:
        if message["type"] == "http.disconnect":
            raise CallerGone
        piece = message.get("body") or b""
        assert isinstance(piece, bytes)
        size += len(piece)
        in_window += len(piece)
        if size > MOST_BODY:
            raise too_large()
        share.take(len(piece))
        pieces.append(piece)
        if not message.get("more_body"):
            return b"".join(pieces)
        if len(pieces) == 1 or in_window >= WINDOW_BYTES:
            in_window = 0
            deadline.reschedule(min(clock() + WINDOW_S, started + WHOLE_S + size / WHOLE_RATE))
        message = await receive()


def too_large() -> Refusal:
    return Refusal(413, "body-too-large", f"The body may be {MOST_BODY // MIB} MiB at most.")


async def drain(receive: Receive) -> None:
    """Take a little of a body that nobody waits for, so that a caller who is at writing it sees the answer."""
    size = 0
    try:
        async with asyncio.timeout(DRAIN_S):
            while size < DRAIN_BYTES:
                message = await receive()
                size += len(message.get("body") or b"")
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return
    except TimeoutError:
        return
