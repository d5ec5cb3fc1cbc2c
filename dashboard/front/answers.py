"""Sends Django's answers to clients that may read slowly, so that no thread waits for a client without a limit."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import close_old_connections

from dashboard.front.bodies import Receive, next_of
from dashboard.front.pools import Pool
from dashboard.front.refusals import Gone
from lib.errors import ApiError
from lib.repeated_events import log_repeated

logger = logging.getLogger(__name__)

Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

AT_ONCE = 256 << 10  # bytes up to which an answer is given to the server in one piece
PIECE = 64 << 10
PIECE_S = 30.0  # how long a client may take to receive one piece
WHOLE_S = 600.0  # how long it may take to receive all pieces


class File:
    """An open file for `wsgi.file_wrapper`; the server itself sends a plain file from disk."""

    def __init__(self, file: Any, block_size: int = PIECE) -> None:
        self.file = file
        self.block_size = block_size

    @property
    def path(self) -> str | None:
        """The path of a plain file that nothing was read from yet, else None."""
        plain = type(self.file) is io.BufferedReader and isinstance(self.file.name, str)
        return self.file.name if plain and self.file.tell() == 0 else None

    def __iter__(self) -> Iterator[bytes]:
        return iter(partial(self.file.read, PIECE), b"")

    def close(self) -> None:
        self.file.close()


@dataclass(slots=True)
class Answer:
    """Status, headers, and one of: the whole body, the path of a file, an iterable of parts that are made later."""

    status: int
    headers: Headers
    body: bytes = b""
    path: str | None = None
    parts: Any = None

    def close(self) -> None:
        if self.parts is not None:
            self.parts.close()

    def stop(self) -> None:
        """Let parts end that wait for another server, where their response can do so from another thread."""
        if stop := getattr(self.parts, "stop", None):
            stop()


def answer_of(handler: Any, environ: dict[str, Any]) -> Answer:
    """Run Django's WSGI handler and return its answer. Must be called in a thread."""
    answer = Answer(500, [])

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        answer.status = int(status[:3])
        answer.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]

    result: Any = handler({**environ, "wsgi.file_wrapper": File}, start)
    if isinstance(result, File) and (path := result.path):
        answer.path = path
        result.close()
    elif isinstance(result, File) or result.streaming:
        answer.parts = result
        # The parts are made in another thread with a database connection of its own, so this one can close.
        close_old_connections()
    else:
        answer.body = result.content
        result.close()
    return answer


def answer_from(response: Any) -> Answer:
    """An answer from a Django response that no view made."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    size = str(len(response.content)).encode()
    return Answer(response.status_code, [*headers, (b"content-length", size)], response.content)


async def deliver(answer: Answer, receive: Receive, send: Send, downloads: Pool) -> None:
    """Send an answer. Raises ApiError (503) before anything was sent if too many downloads are under way."""
    start = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
    if answer.parts is not None:
        await stream(answer, start, receive, send, downloads)
        return
    await send(start)
    if answer.path is not None:
        await send({"type": "http.response.pathsend", "path": answer.path})
    elif len(answer.body) <= AT_ONCE:
        await send({"type": "http.response.body", "body": answer.body})
    else:
        await in_pieces(answer.body, send)


async def in_pieces(body: bytes, send: Send) -> None:
    end = asyncio.get_running_loop().time() + WHOLE_S
    try:
        for at in range(0, len(body), PIECE):
            await send_piece(send, body[at : at + PIECE], end)
    except TimeoutError:
        log_repeated(logger, logging.INFO, "answer_cut", reason="client_too_slow", details={"bytes": len(body)})
        return
    await send({"type": "http.response.body", "body": b""})


async def send_piece(send: Send, piece: bytes, end: float) -> None:
    """Send a piece. Raises TimeoutError if the client takes more than `PIECE_S`, or past `end` on the loop's clock."""
    async with asyncio.timeout_at(min(asyncio.get_running_loop().time() + PIECE_S, end)):
        await send({"type": "http.response.body", "body": piece, "more_body": True})


async def stream(answer: Answer, start: dict[str, Any], receive: Receive, send: Send, downloads: Pool) -> None:
    """Send parts while a thread makes them; the thread waits for the client after each part, with a time limit.

    Raises Gone if the client disconnected before the first part, so that nothing was sent.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    sent, begun = 0, False
    left = asyncio.ensure_future(hung_up(receive))
    left.add_done_callback(lambda task: None if task.cancelled() else answer.stop())

    async def push(piece: bytes) -> None:
        nonlocal begun, sent
        if left.done():
            raise Gone
        if not begun:
            begun = True
            await send(start)
        await send_piece(send, piece, began + WHOLE_S)
        sent += len(piece)

    def pump() -> None:
        try:
            for part in answer.parts:
                for at in range(0, len(part), PIECE):
                    asyncio.run_coroutine_threadsafe(push(part[at : at + PIECE]), loop).result()
        finally:
            answer.parts.close()

    try:
        await downloads.run(pump)
        if not begun:
            await send(start)
        await send({"type": "http.response.body", "body": b""})
    except ApiError:
        answer.parts.close()
        raise
    except (Gone, TimeoutError) as error:
        reason = "client_gone" if isinstance(error, Gone) else "client_too_slow"
        details = {"bytes": sent, "s": loop.time() - began}
        log_repeated(logger, logging.INFO, "download_cut", reason=reason, details=details)
        if not begun:
            raise Gone from None
    finally:
        left.cancel()


async def hung_up(receive: Receive) -> None:
    """Return when the client has disconnected."""
    with suppress(Gone):
        while True:
            await next_of(receive)
