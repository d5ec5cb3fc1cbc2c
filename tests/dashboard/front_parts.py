"""Messages as a server hands them to the front."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Messages = list[dict[str, Any]]

SCOPE: dict[str, Any] = {
    "type": "http", "method": "POST", "http_version": "1.1", "scheme": "http", "path": "/a b/é",
    "raw_path": b"/a%20b/%C3%A9", "query_string": b"x=%C3%A9", "server": ("127.0.0.1", "1"),
    "client": ("127.0.0.1", "2"),
    "headers": [
        (b"host", b"here"), (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x-two", b"1"), (b"x-two", b"2"),
        (b"x_api_key", b"smuggled"), (b"content-length", b"9"), (b"content-type", b"text/plain"), (b"proxy", b"x"),
    ],
}  # fmt: skip


def sender(messages: Messages) -> Callable[[], Awaitable[dict[str, Any]]]:
    """A client that sends these and then nothing."""
    left = iter(messages)

    async def receive() -> dict[str, Any]:
        for message in left:
            return message
        await asyncio.Event().wait()
        raise AssertionError("nothing is set")

    return receive


def part(content: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}
