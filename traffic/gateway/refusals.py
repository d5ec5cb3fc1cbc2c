"""Errors that the gateway answers itself, in the shape of the caller's protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from traffic.gateway.protocols import Protocol, error_body

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Headers = Iterable[tuple[bytes, bytes]]


class Refusal(Exception):
    """The gateway itself says no; `code` is the word in `x-breakeven-error`, the message a sentence for the caller."""

    def __init__(self, status: int, code: str, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


class CallerGone(Exception):
    """The caller hung up before its request was here, or the server cannot read the rest: it tells of both alike."""


# For whoever is still there, who without an answer would be sent the server's bare 500.
UNREADABLE = Refusal(
    400,
    "bad-request",
    "The body of this request ended early, or its chunks are not valid.",
    ((b"connection", b"close"),),
)


def come_back(status: int, code: str, message: str, wait: int) -> Refusal:
    """A refusal for now: `wait` is in whole seconds."""
    return Refusal(status, code, message, ((b"retry-after", str(wait).encode()),))


async def send_error(
    send: Send,
    protocol: Protocol,
    status: int,
    code: str,
    message: str,
    headers: Headers = (),
    *,
    more: bool = False,
) -> None:
    """An error of our own, in the shape of the caller's protocol. `more`: the answer is whole, but not ended yet."""
    body = error_body(protocol, status, code, message)
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"x-breakeven-error", code.encode()),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": more})
