"""Sends what a person types through the gateway with the playground's key, and reads the answer as it comes.

No browser sees the key. A call that its reader gives up is closed, and the gateway records it as cancelled.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Literal
from uuid import UUID

import httpx
import msgspec
from django.conf import settings
from django.utils.translation import gettext as _

from traffic.gateway.bounds import TooMuch
from traffic.gateway.translation.sse import EventReader

MOST_S = 120.0  # of one answer
SILENT_S = 60.0
CONNECT_S = 5.0
AT_ONCE = 4  # sends of one web process
MOST_ANSWER = 256 << 10  # characters

_places = threading.BoundedSemaphore(AT_ONCE)


class NoPlace(Exception):
    """As many answers as this process streams at once are under way."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What to send, and where: `target` is the slug of a deployment or a route."""

    target: str
    prompt: str
    answer_tokens: int
    model: str = "auto"


class Connection:
    """That of one call to the gateway. A thread that waits on it goes on at once when another ends it."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._ended = False

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Learn from httpcore of the socket: while no answer has begun, httpx has nothing that could be closed."""
        if event == "connection.connect_tcp.complete":
            self._socket = info["return_value"].get_extra_info("socket")
            if self._ended:
                self.end()

    def end(self) -> None:
        self._ended = True
        if self._socket is not None:
            with suppress(OSError):  # the call is over
                self._socket.shutdown(socket.SHUT_RDWR)


@dataclass(slots=True)
class Answer:
    """What is known of an answer so far. Times are milliseconds from the send, as this process measures them."""

    text: str = ""
    thinking: str = ""
    ttft_ms: float | None = None
    ms: float | None = None
    request: UUID | None = None
    deployment: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    ended: bool = False
    connection: Connection = field(default_factory=Connection)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer, as it came."""

    kind: Literal["text", "thinking"]
    text: str


@contextmanager
def place() -> Iterator[None]:
    """Hold one of the places for an answer. Raises NoPlace."""
    if not _places.acquire(blocking=False):
        raise NoPlace
    try:
        yield
    finally:
        _places.release()


def pieces(ask: Ask, key: str, answer: Answer) -> Generator[Piece, None, None]:
    """The answer piece by piece, which `answer` follows. Whatever goes wrong is a sentence in `answer.problem`."""
    began = monotonic()
    body = {
        "model": ask.model,
        "messages": [{"role": "user", "content": ask.prompt}],
        "max_tokens": ask.answer_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    headers = {"authorization": f"Bearer {key}", "x-breakeven-route": ask.target, "cache-control": "no-store"}
    timeout, extensions = httpx.Timeout(SILENT_S, connect=CONNECT_S), {"trace": answer.connection.trace}
    url = f"{settings.GATEWAY_URL}/v1/chat/completions"
    try:
        with (
            httpx.Client(timeout=timeout, trust_env=False) as client,
            client.stream("POST", url, json=body, headers=headers, extensions=extensions) as response,
        ):
            _headers(response, answer)
            if response.status_code >= 400:
                answer.problem = problem_of(response.status_code, response.read())
                return
            yield from _pieces(response, answer, began)
    except httpx.ConnectError:
        answer.problem = _("The gateway does not answer. Check that it runs.")
    except httpx.TimeoutException:
        answer.problem = _("No answer came for %(seconds)s seconds.") % {"seconds": f"{SILENT_S:.0f}"}
    except (httpx.HTTPError, TooMuch):
        answer.problem = _("The answer broke off.")
    finally:
        answer.ms = (monotonic() - began) * 1000


def _headers(response: httpx.Response, answer: Answer) -> None:
    answer.deployment = response.headers.get("x-breakeven-deployment", "")
    if identifier := response.headers.get("x-breakeven-request-id"):
        answer.request = UUID(identifier)


def _pieces(response: httpx.Response, answer: Answer, began: float) -> Generator[Piece, None, None]:
    reader = EventReader()
    for chunk in response.iter_bytes():
        for data in reader.feed(chunk):
            for piece in _read(data, answer):
                if answer.ttft_ms is None:
                    answer.ttft_ms = (monotonic() - began) * 1000
                setattr(answer, piece.kind, getattr(answer, piece.kind) + piece.text)
                yield piece
        if answer.ended or answer.problem:
            return
        if monotonic() - began > MOST_S or len(answer.text) + len(answer.thinking) > MOST_ANSWER:
            answer.problem = _("The answer took longer than the playground waits and was stopped.")
            return
    if not answer.ended:
        answer.problem = _("The answer broke off.")


def _read(data: bytes, answer: Answer) -> list[Piece]:
    if data == b"[DONE]":
        answer.ended = True
        return []
    try:
        event = msgspec.json.decode(data)
        if event.get("error"):
            answer.problem = sentence_of(event)
            return []
        answer.usage = event.get("usage") or answer.usage
        delta = (event.get("choices") or [{}])[0].get("delta") or {}
        thinking = delta.get("reasoning_content") or delta.get("reasoning")
        parts: list[tuple[Literal["text", "thinking"], Any]] = [("thinking", thinking), ("text", delta.get("content"))]
        return [Piece(kind, text) for kind, text in parts if isinstance(text, str) and text]
    except (msgspec.DecodeError, UnicodeDecodeError, AttributeError, IndexError, TypeError, RecursionError):
        return []


def problem_of(status: int, body: bytes) -> str:
    """What went wrong, as a sentence."""
    try:
        sentence = sentence_of(msgspec.json.decode(body[:65_536]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        sentence = ""
    return sentence or _("The deployment answered with status %(status)s.") % {"status": status}


def sentence_of(error: Any) -> str:
    inner = error.get("error") if isinstance(error, dict) else None
    message = inner.get("message") if isinstance(inner, dict) else inner
    return message[:1_000] if isinstance(message, str) and message else _("The deployment answered with an error.")
