"""Reading a body on the event loop: under deadlines, under limits, and within a bounded sum of memory."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.http import UnreadablePostError
from django.utils.translation import gettext as _

from dashboard.front.refusals import Gone, too_large, too_slow
from lib.disk import disk_of
from lib.errors import ApiError

Receive = Callable[[], Awaitable[dict[str, Any]]]

FIRST_BYTE_S = WINDOW_S = 5.0
MOVED_EVERY_S = 0.5  # so often at most the deadline of a window is moved
LEAST = 5_500  # bytes in each window, the half second included: 1 KB a second
WHOLE_S = 75.0  # for a body in memory: 64 KiB at the least rate, 64 MiB at 0.9 MB a second
DRAIN_S, DRAIN_BYTES = 1.0, 16 << 20
WRITTEN_AT_ONCE = 1 << 20
KEPT_FREE = 1 << 30  # bytes of the disk that uploads leave to others


class Budget:
    """The bytes of all bodies in memory that one class of callers may have, and one caller of them.

    Where there is no room, whoever has most loses the oldest of its bodies that still come in to who would have less.
    """

    def __init__(self, most: int, each: int) -> None:
        self.most, self.each = most, each
        self.used = 0
        self._by_caller: Counter[object] = Counter()
        self._coming: dict[object, dict[InMemory, None]] = {}  # by caller, the oldest first

    def is_scarce(self, caller: object) -> bool:
        """Whether more than half is in use, of all or of what this caller may have."""
        return 2 * self.used > self.most or 2 * self._by_caller[caller] > self.each

    def take(self, caller: object, size: int) -> None:
        """Raises ApiError (503) where there is no room now."""
        of_caller = self._by_caller[caller] + size
        while self.used + size > self.most or of_caller > self.each:
            body = self._oldest_of_who_has_most() if of_caller <= self.each else None
            if body is None or self._by_caller[body.caller] <= of_caller:
                raise no_room()
            body.give_up()
        self.used += size
        self._by_caller[caller] = of_caller

    def give_back(self, caller: object, size: int) -> None:
        self.used -= size
        self._by_caller[caller] -= size
        if not self._by_caller[caller]:
            del self._by_caller[caller]

    def begin(self, body: InMemory) -> None:
        """The body comes in from now on, and may be given up until it `ends`."""
        self._coming.setdefault(body.caller, {})[body] = None

    def end(self, body: InMemory) -> None:
        bodies = self._coming.get(body.caller, {})
        bodies.pop(body, None)
        if not bodies:
            self._coming.pop(body.caller, None)

    def _oldest_of_who_has_most(self) -> InMemory | None:
        if not self._coming:
            return None
        most = max(self._coming, key=self._by_caller.__getitem__)
        return next(iter(self._coming[most]))


def no_room() -> ApiError:
    return ApiError(503, _("Too much is being sent at once; send the same again in a moment."), retry_after=2)


class Body:
    """What a view reads; `size` bytes. `close` gives back what it holds, once the view is done."""

    def __init__(self, stream: Any = None, size: int = 0) -> None:
        self.stream: Any = stream or io.BytesIO()
        self.size = size

    def close(self) -> None:
        self.stream.close()


class Unread:
    """Stands for a body that was not read as its sender showed no key: the view, which asks for one first, says so.

    What reads it all the same meets a body that broke off, as Django expects of bodies: the check of a form's token on
    its way to a page of an error does.
    """

    size = 1

    @property
    def stream(self) -> Unread:
        return self

    def read(self, *_size: int) -> bytes:
        raise UnreadablePostError("It was not read.")

    readline = read

    def close(self) -> None:
        """There is nothing to give back."""


class InMemory(Body):
    """A body that grows within a budget. Its parts are put together once: a growing stream is copied many times."""

    def __init__(self, budget: Budget, caller: object) -> None:
        super().__init__()
        self.caller = caller
        self.stop: Callable[[], None] = lambda: None  # ends the wait for more of it
        self._budget = budget
        self._given_up = False
        self._parts: list[bytes] = []
        budget.begin(self)

    async def write(self, chunk: bytes) -> None:
        """Raises ApiError (503) where there is no room."""
        self.refuse_if_given_up()
        self._budget.take(self.caller, len(chunk))
        self.size += len(chunk)
        self._parts.append(chunk)

    async def finish(self) -> None:
        """Raises ApiError (503) where it was given up meanwhile."""
        self.refuse_if_given_up()
        self._budget.end(self)
        parts, self._parts = self._parts, []
        self.stream = io.BytesIO(b"".join(parts))

    def give_up(self) -> None:
        """For another's body: what has come of it is let go at once, and its sender is told."""
        self._given_up = True
        self.close()
        self.stop()

    def refuse_if_given_up(self) -> None:
        if self._given_up:
            raise no_room()

    def close(self) -> None:
        self._parts = []
        self._budget.end(self)
        self._budget.give_back(self.caller, self.size)
        self.size = 0
        super().close()


class Uploads:
    """Bodies on disk, as many at once as `most`; each is a file without a name, which goes with its last reader."""

    def __init__(self, folder: Callable[[], Path], most: int) -> None:
        self.folder = folder
        self.most = most
        self.open = 0

    def begin(self, declared: int) -> OnDisk:
        """Raises ApiError: 503 where as many come in already, 413 where the disk has no room for it twice."""
        if self.open >= self.most:
            raise ApiError(503, _("Others send files just now; send yours again in a moment."), retry_after=3)
        # Django's parser takes the file out of the form and writes it again.
        disk = disk_of(Path(settings.DATA_DIR))
        if disk is not None and disk.free < 2 * declared + max(KEPT_FREE, disk.floor):
            raise ApiError(413, _("The disk has no room for this file."))
        self.open += 1
        return OnDisk(self)


class OnDisk(Body):
    def __init__(self, uploads: Uploads) -> None:
        file: IO[bytes] = tempfile.TemporaryFile(dir=uploads.folder())  # noqa: SIM115 -- closed by `close`
        super().__init__(file)
        self._uploads: Uploads | None = uploads
        self._parts: list[bytes] = []
        self._waiting = 0

    async def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._waiting += len(chunk)
        self._parts.append(chunk)
        if self._waiting >= WRITTEN_AT_ONCE:
            await self._flush()

    async def finish(self) -> None:
        await self._flush()
        self.stream.seek(0)

    async def _flush(self) -> None:
        parts, self._parts, self._waiting = self._parts, [], 0
        await asyncio.to_thread(self.stream.writelines, parts)

    def close(self) -> None:
        if self._uploads is not None:
            self._uploads.open -= 1
            self._uploads = None
        super().close()


async def read(receive: Receive, body: InMemory | OnDisk, limit: int, *, cut: bool = False) -> bool:
    """Read a body to its end; with `cut`, at most `limit` bytes. Whether that was all of it.

    Raises ApiError: 408 for what comes too slowly, 413 past `limit` bytes, 503 where there is no room; Gone.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + WHOLE_S if isinstance(body, InMemory) else float("inf")
    since = LEAST  # the first byte opens the first window
    opened = 0.0
    try:
        async with asyncio.timeout(FIRST_BYTE_S) as deadline:
            if isinstance(body, InMemory):
                body.stop = partial(end_now, deadline)
            more = True
            while more:
                chunk, more = await next_of(receive)
                if body.size + len(chunk) > limit:
                    if not cut:
                        raise too_large(limit)
                    await body.write(chunk[: limit - body.size])
                    break
                await body.write(chunk)
                since += len(chunk)
                # A quick sender fills a window with each part; to move the deadline each time costs more than to read.
                if since >= LEAST and (now := clock()) >= opened + MOVED_EVERY_S:
                    since, opened = 0, now
                    deadline.reschedule(min(now + WINDOW_S + MOVED_EVERY_S, end))
    except TimeoutError:
        if isinstance(body, InMemory):
            body.refuse_if_given_up()
        raise too_slow() from None
    await body.finish()
    return not more


def end_now(deadline: asyncio.Timeout) -> None:
    if not deadline.expired():
        deadline.reschedule(0)  # which has passed


async def next_of(receive: Receive) -> tuple[bytes, bool]:
    """A part of the body, and whether more follows. Raises Gone."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    return message.get("body", b""), message.get("more_body", False)


async def drain(receive: Receive) -> bool:
    """Let a body go by for a moment: who is still sending would see a broken connection, and not why. Whether it
    came to its end.
    """
    size = 0
    with suppress(TimeoutError, Gone):
        async with asyncio.timeout(DRAIN_S):
            while size < DRAIN_BYTES:
                chunk, more = await next_of(receive)
                size += len(chunk)
                if not more:
                    return True
    return False
