"""Reads an answer as it passes by. Whatever cannot be read never changes what the caller gets."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import aiohttp

from lib.repeated_events import log_repeated
from traffic.gateway.answers import Answer, StreamTap, read_answer
from traffic.gateway.bounds import LARGE_ANSWER, MOST_ANSWER, TooMuch
from traffic.gateway.exchange import Exchange
from traffic.gateway.inflate import inflater
from traffic.gateway.intake import Share
from traffic.gateway.protocols import MEDIA, Protocol
from traffic.gateway.refusals import Send
from traffic.gateway.translated import NOT_OF_TRANSLATED
from traffic.gateway.translation import Unreadable
from traffic.gateway.upstream import KEPT_FROM_CALLERS

_OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{")

logger = logging.getLogger(__name__)


def listener_of(tap: StreamTap, encoding: str | None) -> Callable[[bytes], None]:
    """What feeds the tap. An engine that compresses unasked is inflated for the tap alone.

    Raises TooMuch; whatever else an engine says that cannot be listened to, the caller gets it.
    """
    inflate = inflater(encoding) if encoding and encoding != "identity" else None
    deaf = False

    def listen(chunk: bytes) -> None:
        nonlocal deaf
        if deaf:
            return
        try:
            tap.feed(chunk if inflate is None else inflate(chunk))
        except TooMuch:
            raise
        except Exception as error:  # the answer is worth more than what we learn of it
            log_repeated(logger, logging.ERROR, "stream_unreadable", at="chunk", error=type(error).__name__)
            tap.answer.unread = deaf = True

    return listen


def read_whole(exchange: Exchange, body: bytes) -> Answer:
    """What a whole answer tells; nothing, where it cannot be read."""
    try:
        return read_answer(exchange.spoken, body, with_text=exchange.keep_bodies)
    except Exception as error:  # the answer is worth more than what we learn of it
        details = {"call": exchange.external_id}
        log_repeated(logger, logging.ERROR, "answer_unreadable", error=type(error).__name__, details=details)
        return Answer(unread=True)


def judge_whole(protocol: Protocol, status: int, body: bytes) -> None:
    """Raises Unreadable where a result is no JSON object: a proxy's page, or what could not be inflated."""
    if status < 400 and protocol != MEDIA and not _OBJECT.match(body):
        raise Unreadable("an answer that is no JSON object")


def finished(tap: StreamTap) -> Answer:
    """What a stream told by its end."""
    try:
        return tap.finish()
    except Exception as error:  # the same
        log_repeated(logger, logging.ERROR, "stream_unreadable", at="end", error=type(error).__name__)
        tap.answer.unread = True
        return tap.answer


async def whole_body(upstream: aiohttp.ClientResponse, share: Share) -> bytes:
    """An unstreamed answer. Raises TooMuch past its bound, and Refusal where it does not fit beside the others."""
    length = upstream.content_length
    if length is not None and length <= LARGE_ANSWER:
        return await upstream.read()
    if length is not None and length > MOST_ANSWER:
        raise TooMuch(f"an answer of {length:,} bytes")
    pieces: list[bytes] = []
    size = 0
    async for piece in upstream.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > MOST_ANSWER:
            raise TooMuch(f"an answer of more than {MOST_ANSWER:,} bytes")
        if size > LARGE_ANSWER:
            share.take_answer(len(piece))
    return b"".join(pieces)


async def start_answer(send: Send, exchange: Exchange, upstream: aiohttp.ClientResponse) -> None:
    """Pass the status and headers of an answer on, with ours."""
    headers = [
        (lower, value)
        for name, value in upstream.raw_headers
        if (lower := name.lower()) not in KEPT_FROM_CALLERS and not lower.startswith(b"x-breakeven-")
    ]
    if exchange.translation is not None:
        streamed = upstream.content_type == "text/event-stream"
        headers = [header for header in headers if header[0].lower() not in NOT_OF_TRANSLATED]
        headers.append((b"content-type", b"text/event-stream" if streamed else b"application/json"))
    headers += exchange.own_headers
    await send({"type": "http.response.start", "status": upstream.status, "headers": headers})
