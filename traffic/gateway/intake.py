"""Reads request bodies under a deadline and within a bound of memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

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
from traffic.gateway.protocols import BESIDE_THE_LOOP
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
            raise come_back(503, "busy", f"The gateway has {PROCESS_CALLS:,} running calls. Retry later.", 1)
        if self._calls[key] >= KEY_CALLS:
            raise come_back(429, "too-many-at-once", f"This key has {KEY_CALLS:,} running calls. Retry later.", 1)
        self.calls += 1
        self._calls[key] += 1
        return Share(self, key)

    def take(self, key: int, size: int) -> None:
        """Count more of a body. Raises Refusal where it does not fit."""
        if self.bytes + size > PROCESS_BYTES:
            raise come_back(503, "busy", "The gateway's memory for bodies is full. Retry later.", 1)
        if self._bytes[key] + size > KEY_BYTES:
            words = f"This key has {KEY_BYTES // MIB} MiB of bodies in running calls. Retry later."
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


LOOK_EVERY_S = 0.25


class Deadlines:
    """Ends the reading of bodies that come too slowly. For one event loop.

    One look over all of them now and then, for nearly every body is there at once: a timer for each would cost every
    call more than the rest of its intake.
    """

    def __init__(self) -> None:
        self._ends: dict[asyncio.Task[Any], float] = {}  # by the loop's clock
        self._late: set[asyncio.Task[Any]] = set()

    async def watch(self) -> None:
        """Look for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now = clock()
            for task in [task for task, end in self._ends.items() if end < now]:
                del self._ends[task]
                self._late.add(task)
                task.cancel()

    async def read_body(self, headers: dict[bytes, bytes], receive: Receive, share: Share) -> bytes:
        """The whole request body.

        Raises CallerGone, and Refusal past 32 MiB, where it does not fit, or comes too slowly; after that nothing more
        can be read of the request.
        """
        text = headers.get(b"content-length", b"")
        length = int(text) if text.isdigit() and b"transfer-encoding" not in headers else None
        if length is not None and length > MOST_BODY:
            raise too_large()
        task = asyncio.current_task()
        assert task is not None
        self._ends[task] = asyncio.get_running_loop().time() + FIRST_BYTE_S
        try:
            message = await receive()
            body: bytes = message.get("body") or b""
            # Our server says only by one message more that a body has ended, which costs as much as its bytes.
            if message["type"] == "http.request" and (not message.get("more_body") or len(body) == length):
                if len(body) > MOST_BODY:
                    raise too_large()
                share.take(len(body))
                return body
            return await self._read_on(message, receive, share, task, length)
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            raise Refusal(408, "body-too-slow", "The request's body did not come in time.", CLOSE) from None
        finally:
            self._ends.pop(task, None)
            self._late.discard(task)

    async def _read_on(
        self, message: dict[str, Any], receive: Receive, share: Share, task: asyncio.Task[Any], length: int | None
    ) -> bytes:
        """The body from its first piece on, at least so much of it in any window, and all of it in time."""
        clock = asyncio.get_running_loop().time
        started = clock()
        pieces: list[bytes] = []
        size = in_window = 0
        while True:
            if message["type"] == "http.disconnect":
                raise CallerGone
            piece: bytes = message.get("body") or b""
            size += len(piece)
            in_window += len(piece)
            if size > MOST_BODY:
                raise too_large()
            share.take(len(piece))
            pieces.append(piece)
            if not message.get("more_body") or size == length:
                if size <= BESIDE_THE_LOOP:
                    return b"".join(pieces)
                self._ends.pop(task, None)  # it has come, and is late no more
                return await asyncio.to_thread(b"".join, pieces)  # lets others work meanwhile: 20 ms for 30 MB
            if len(pieces) == 1 or in_window >= WINDOW_BYTES:
                in_window = 0
                self._ends[task] = min(clock() + WINDOW_S, started + WHOLE_S + size / WHOLE_RATE)
            message = await receive()


CLOSE = ((b"connection", b"close"),)


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
