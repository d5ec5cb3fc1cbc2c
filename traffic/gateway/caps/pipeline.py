"""Runs scripts in Valkey over one connection. Those of one turn of the event loop are sent together.

redis-py opens the connection, whatever its address asks for. For the scripts it is left out, for it takes 0.1 ms of a
processor for each, and most of that for an answer that may be anything. Here each script answers with one line.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha1
from typing import Any, cast

ANSWER_S = 5.0  # in which Valkey must answer; a busy machine is no reason to let a call pass its caps
LATER_S = 0.005  # after which a script that no call waits for is sent, unless another one is sent before
LONGEST_LINE = 64 << 10  # bytes of an answer
MOST_SENDS = 2  # of one script: where the connection ended it is sent over a new one


class NoAnswer(Exception):
    """Valkey does not answer, or not as it should."""


@dataclass(slots=True)
class Command:
    """A script with its keys and arguments, on its way."""

    script: str
    parts: int
    packed: bytes  # what follows the script
    answer: asyncio.Future[str]
    since: float  # by the loop's clock
    whole: bool = False  # with the script's text, which Valkey does not have
    sends: int = 0

    def written(self) -> bytes:
        """As it goes over the connection."""
        self.sends += 1
        return b"*%d\r\n%b%b" % (self.parts + 2, _beginning(self.script, whole=self.whole), self.packed)


class Pipeline(asyncio.Protocol):
    """To be made inside an event loop and used there alone; opens its connection with the first script."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._writer: asyncio.StreamWriter | None = None  # which would close the transport at its own end
        self._opening: asyncio.Task[None] | None = None
        self._waiting: list[Command] = []
        self._sent: deque[Command] = deque()
        self._rest = b""  # of a line that is not whole yet
        self._flush_soon = False
        self._flush_later: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None

    def run(
        self, script: str, keys: Sequence[str], arguments: Iterable[str | int], *, later: bool = False
    ) -> asyncio.Future[str]:
        """What the script answers, or NoAnswer. They run in the order of these calls, awaited or not.

        `later`: with the next one that is not, or after a moment.
        """
        words = [str(len(keys)), *keys, *map(str, arguments)]
        packed = "".join([f"${len(word)}\r\n{word}\r\n" for word in words]).encode("ascii")
        command = Command(script, len(words), packed, self._loop.create_future(), self._loop.time())
        self._waiting.append(command)
        if later:
            if self._flush_later is None:
                self._flush_later = self._loop.call_later(LATER_S, self._flush_the_late)
        elif not self._flush_soon:
            self._flush_soon = True
            self._loop.call_soon(self._flush)
        if self._look is None:
            self._look = self._loop.call_later(ANSWER_S, self._end_late)
        return command.answer

    async def close(self, timeout_s: float = 2.0) -> None:
        """Wait for what is under way, and close the connection."""
        self._flush()
        if answers := [command.answer for command in (*self._sent, *self._waiting)]:
            await asyncio.wait(answers, timeout=timeout_s)
        self._fail(NoAnswer("closed"))
        for handle in (self._flush_later, self._look):
            if handle is not None:
                handle.cancel()
        if self._opening is not None:
            self._opening.cancel()
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Answers, in the order of the scripts."""
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for line in lines:
            self._take(line)
        if len(self._rest) > LONGEST_LINE and self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """What is not answered goes over a new connection, once."""
        self._transport = self._writer = None
        self._rest = b""
        again = [command for command in self._sent if command.sends < MOST_SENDS]
        lost = [command for command in self._sent if command.sends >= MOST_SENDS]
        self._sent.clear()
        self._waiting[:0] = again
        _fail_each(lost, NoAnswer("connection lost"))
        if self._waiting:
            self._flush()

    def _flush_the_late(self) -> None:
        self._flush_later = None
        if self._waiting:
            self._flush()

    def _flush(self) -> None:
        self._flush_soon = False
        if self._transport is not None:
            self._transport.write(b"".join([command.written() for command in self._waiting]))
            self._sent.extend(self._waiting)
            self._waiting.clear()
        elif self._opening is None and self._waiting:
            self._opening = self._loop.create_task(self._open())

    async def _open(self) -> None:
        from redis import asyncio as redis  # 0.2 s, for those alone who have caps
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError

        try:
            pool = redis.ConnectionPool.from_url(
                self._url, protocol=2, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S,
                retry=Retry(NoBackoff(), 1),
            )  # fmt: skip
            connection: Any = pool.make_connection()  # type: ignore[no-untyped-call]
            await connection.connect()
            # What it has opened is taken over whole, so that its own end does not close it.
            writer: asyncio.StreamWriter = connection._writer
            connection._writer = connection._reader = None
            transport = cast("asyncio.Transport", writer.transport)
        except (OSError, RedisError) as error:
            self._fail(NoAnswer(type(error).__name__))
        else:
            self._transport, self._writer = transport, writer
            transport.set_protocol(self)
        finally:
            self._opening = None
        self._flush()

    def _take(self, line: bytes) -> None:
        """One answer. What is none ends the connection, for then nothing says whose the next one is."""
        command = self._sent.popleft() if self._sent else None
        if command is None or line[:1] not in b"+:-" or not line:
            if command is not None:
                _fail_each([command], NoAnswer("no answer of a script"))
            if self._transport is not None:
                self._transport.abort()
        elif line.startswith(b"-NOSCRIPT") and not command.whole and self._transport is not None:
            command.whole = True
            self._transport.write(command.written())
            self._sent.append(command)
        elif line.startswith(b"-"):
            _fail_each([command], NoAnswer(line[1:200].decode("ascii", "replace")))
        elif not command.answer.done():
            command.answer.set_result(line[1:].decode("ascii", "replace"))

    def _end_late(self) -> None:
        """End all where the oldest has waited too long; a look now and then, for a timer each would cost every call."""
        self._look = None
        oldest = next(iter(self._sent or self._waiting), None)
        if oldest is None:
            return
        left = oldest.since + ANSWER_S - self._loop.time()
        if left > 0:
            self._look = self._loop.call_later(left, self._end_late)
        else:
            self._fail(NoAnswer("no answer in time"))
            if self._transport is not None:
                self._transport.abort()

    def _fail(self, error: NoAnswer) -> None:
        commands = [*self._sent, *self._waiting]
        self._sent.clear()
        self._waiting.clear()
        _fail_each(commands, error)


def _fail_each(commands: Iterable[Command], error: NoAnswer) -> None:
    for command in commands:
        if not command.answer.done():
            command.answer.set_exception(error)


@lru_cache(64)
def _beginning(script: str, *, whole: bool) -> bytes:
    word, text = ("EVAL", script) if whole else ("EVALSHA", sha1(script.encode(), usedforsecurity=False).hexdigest())
    return f"${len(word)}\r\n{word}\r\n${len(text.encode())}\r\n{text}\r\n".encode()
