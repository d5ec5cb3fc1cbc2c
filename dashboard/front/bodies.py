"""Reads request bodies on the event loop, with deadlines, size limits and a limit on the memory of all bodies."""

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
MOVED_EVERY_S = 0.5  # least time between two moves of the deadline
LEAST = 5_500  # bytes that must arrive in a window and this half second: 1 KB a second
WHOLE_S = 75.0  # for a whole body in memory: enough for 64 KiB at 1 KB a second, for 64 MiB at 0.9 MB a second
DRAIN_S, DRAIN_BYTES = 1.0, 16 << 20
WRITTEN_AT_ONCE = 1 << 20
KEPT_FREE = 1 << 30  # bytes of the disk that uploads leave free


class Budget:
    """Limits the bytes of bodies in memory, of a class of callers (`most`) and of each caller in it (`each`).

    If there is no room, the caller with the most bytes loses its oldest unfinished body, unless the new caller would
    then have more. So one caller cannot take the room of all others.
    """

    def __init__(self, most: int, each: int) -> None:
        self.most, self.each = most, each
        self.used = 0
        self._by_caller: Counter[object] = Counter()
        self._coming: dict[object, dict[InMemory, None]] = {}  # unfinished bodies by caller, the oldest first

    def is_scarce(self, caller: object) -> bool:
        """Whether more than half of the whole budget, or of this caller's share, is in use."""
        return 2 * self.used > self.most or 2 * self._by_caller[caller] > self.each

    def take(self, caller: object, size: int) -> None:
        """Reserve `size` bytes. Raises ApiError (503) if there is no room."""
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
        """Register a body that is being received; until `end` it may be given up for another caller's."""
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
    return ApiError(503, _("Too much is being sent at once. Send the same again in a moment."), retry_after=2)


class Body:
    """A body of `size` bytes for a view to read; `close` frees its memory or disk space after the view."""

    def __init__(self, stream: Any = None, size: int = 0) -> None:
        self.stream: Any = stream or io.BytesIO()
        self.size = size

    def close(self) -> None:
        self.stream.close()


class Unread:
    """Stands for a body that was not read because its sender showed no valid key; the view will refuse the request.

    Reading it raises UnreadablePostError, which Django handles as a broken connection: its check of a form's CSRF token
    reads the body even on the way to an error page.
    """

    size = 1

    @property
    def stream(self) -> Unread:
        return self

    def read(self, *_size: int) -> bytes:
        raise UnreadablePostError("It was not read.")

    readline = read

    def close(self) -> None:
        """Does nothing, as no memory is held."""


class InMemory(Body):
    """A body in memory within a budget. Its parts are joined once at the end: a growing stream is copied many times."""

    def __init__(self, budget: Budget, caller: object) -> None:
        super().__init__()
        self.caller = caller
        self.stop: Callable[[], None] = lambda: None  # ends the wait for more bytes
        self._budget = budget
        self._given_up = False
        self._parts: list[bytes] = []
        budget.begin(self)

    async def write(self, chunk: bytes) -> None:
        """Add a part. Raises ApiError (503) if there is no room."""
        self.refuse_if_given_up()
        self._budget.take(self.caller, len(chunk))
        self.size += len(chunk)
        self._parts.append(chunk)

    async def finish(self) -> None:
        """Join the parts into `stream`. Raises ApiError (503) if the body was given up."""
        self.refuse_if_given_up()
        self._budget.end(self)
        parts, self._parts = self._parts, []
        self.stream = io.BytesIO(b"".join(parts))

    def give_up(self) -> None:
        """Free its memory at once for another caller's body; its sender is answered 503."""
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
    """Bodies on disk, at most `most` at once; each is a nameless file, which the system deletes when it is closed."""

    def __init__(self, folder: Callable[[], Path], most: int) -> None:
        self.folder = folder
        self.most = most
        self.open = 0

    def begin(self, declared: int) -> OnDisk:
        """A new body. Raises ApiError: 503 if too many are being received, 413 if it does not fit on the disk twice."""
        if self.open >= self.most:
            raise ApiError(503, _("Too many files are being uploaded. Send yours again in a moment."), retry_after=3)
        # Twice, because Django's parser takes the file out of the form and writes it to disk again.
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
    """Read a body to its end, or with `cut` at most `limit` bytes; returns whether that was all of it.

    Raises Gone if the client disconnected; ApiError: 408 if it is too slow, 413 past `limit` bytes, 503 without room.
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
                # A fast sender fills a window with each part, and moving the deadline costs more than reading the part:
                # so it is moved twice a second at most.
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
        deadline.reschedule(0)  # a time that has passed


async def next_of(receive: Receive) -> tuple[bytes, bool]:
    """The next part of the body, and whether more follows. Raises Gone if the client disconnected."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    return message.get("body", b""), message.get("more_body", False)


async def drain(receive: Receive) -> bool:
    """Read and drop the rest of a body for a moment; returns whether that was all of it. A client that is still sending
    would otherwise see a broken connection and not the answer with the reason.
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
