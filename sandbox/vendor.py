"""What the simulated vendors have in common: keys, limits, refusals and the shapes of their faults."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import orjson
from aiohttp import web

from sandbox.state import State

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAINTENANCE = (
    "<!doctype html><html><head><title>Maintenance</title></head><body><h1>We will be right back</h1></body></html>"
)
STILL_S = 120.0  # longer than any client waits


class Refused(Exception):
    """Answer this instead."""

    def __init__(self, response: web.Response) -> None:
        super().__init__()
        self.response = response


class Limit:
    """At most `calls` in `seconds` (a sliding window)."""

    def __init__(self, calls: int, seconds: float) -> None:
        self.calls, self.seconds = calls, seconds
        self._at: deque[float] = deque()

    def wait(self) -> float:
        """0 and the call is counted, or the seconds until one is free."""
        now = time.monotonic()
        while self._at and self._at[0] <= now - self.seconds:
            self._at.popleft()
        if len(self._at) >= self.calls:
            return self._at[0] + self.seconds - now
        self._at.append(now)
        return 0.0

    @property
    def left(self) -> int:
        return self.calls - len(self._at)


class Vendor(ABC):
    """One simulated vendor under `/{prefix}`."""

    name: ClassVar[str]  # as faults and states call it
    prefix: ClassVar[str]

    def __init__(self, state: State) -> None:
        self.state = state

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """Paths relative to the prefix."""

    @abstractmethod
    def load(self, data: dict[str, Any]) -> int:
        """Take in what the generator sends to `PUT /state/{name}`; the number of rows. Raises ValueError, KeyError."""

    @abstractmethod
    def check(self, request: web.Request) -> None:
        """Key and rate limit. Raises Refused."""

    @abstractmethod
    def bad_key(self) -> web.Response:
        """What this vendor says to a wrong key."""

    @abstractmethod
    def too_many(self, wait: float) -> web.Response:
        """What this vendor says to too many calls."""

    @abstractmethod
    def broken(self) -> web.Response:
        """What this vendor says when it has a problem itself."""

    def decorate(self, response: web.StreamResponse) -> None:  # noqa: B027 - having none is fine
        """Headers that this vendor puts on every answer."""

    def mounted(self) -> list[web.RouteDef]:
        return [
            web.RouteDef(route.method, f"/{self.prefix}{route.path}", self._guarded(route.handler), route.kwargs)
            for route in self.routes()
        ]

    def _guarded(self, handler: Any) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                self.check(request)
                response: web.StreamResponse = await handler(request)
            except Refused as refused:
                response = refused.response
            if not response.prepared:
                self.decorate(response)
            return response

        return answer

    async def faulty(self, kind: str, request: web.Request) -> web.StreamResponse:
        """The answer that a fault calls for; `down` and `timeout` give none."""
        if kind == "timeout":
            await _stay_silent(request)
        if kind in ("down", "timeout"):
            return hang_up(request)
        ready: dict[str, Callable[[], web.Response]] = {
            "429": lambda: self.too_many(7.0),
            "500": self.broken,
            "auth": self.bad_key,
            "garbage": lambda: web.Response(body=b"\x00\xff{]garbage", content_type="application/json"),
            "truncated": lambda: web.Response(body=b'{"data": [{"starting_at": "20', content_type="application/json"),
            "html": lambda: web.Response(text=MAINTENANCE, content_type="text/html"),
            "redirect": lambda: web.Response(status=302, headers={"location": "http://elsewhere.example/"}),
            "huge": lambda: web.Response(body=b" " * (33 * 1024 * 1024), content_type="application/json"),
            "spend_cap": self.spend_cap,
        }
        response = ready[kind]()
        self.decorate(response)
        return response

    def spend_cap(self) -> web.Response:
        """Only some vendors know one."""
        return self.too_many(7.0)


async def _stay_silent(request: web.Request) -> None:
    """Until the caller gives up, or for longer than any caller waits."""
    end = time.monotonic() + STILL_S
    while time.monotonic() < end and request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(0.05)


def hang_up(request: web.Request) -> web.Response:
    """Close the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def json(data: Any, status: int = 200, content_type: str = "application/json", **headers: str) -> web.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(body=orjson.dumps(data), status=status, content_type=content_type, headers=named)


def bearer(request: web.Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ").strip()
