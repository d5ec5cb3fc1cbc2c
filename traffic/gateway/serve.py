"""Serves the gateway: `python -m traffic.gateway.serve --host 127.0.0.1 --port 8001`, as many processes on one port as
one likes.

uvicorn reads requests in the event loop itself; docs/decisions/0046-the-gateway-is-served-in-its-loop.md says why. It
puts no end to the head of a request, to its trailers, to requests that are sent before the answer to the last one, and
to the number of connections, so their bounds are here.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import sys
from contextlib import suppress
from typing import Any, cast

from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lib.connections import BACKLOG, CONNECTIONS, HEAD_S, MOST_HEAD
from lib.repeated_events import log_repeated
from traffic.authentication.limits import network_of
from traffic.gateway.app import Scope, application, protocol_of
from traffic.gateway.protocols import error_body
from traffic.gateway.refusals import UNREADABLE

logger = logging.getLogger(__name__)

AHEAD = 16  # requests on a connection that wait for the answer to an earlier one
CUT_S = 5  # for calls under way at Ctrl-C; SIGTERM gives them their grace (traffic/gateway/shutdown.py)
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
UNREADABLE_HEAD = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nx-breakeven-error: bad-request\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n"
)


class TooManyAhead(Exception):
    """A client sends requests without reading answers."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection, of which the head of a request comes in time and has an end."""

    head_since: float | None = None  # by the loop's clock, while a head is awaited
    head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Take a connection, or end it at once where there are too many."""
        super().connection_made(transport)
        self.head_since = self.loop.time()
        if len(self.connections) > CONNECTIONS:
            self._refused("too-many-connections")
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read on; a head that does not end is refused."""
        super().data_received(data)
        if self.head_since is not None and not self.transport.is_closing():
            self.head_bytes += len(data)
            if self.head_bytes > MOST_HEAD:
                self._refused("head-too-large")
                self.transport.write(TOO_LARGE)
                self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP. A call whose body it is gets the answer of its protocol; one that is whole keeps its
        own answer, as the last on this connection."""
        self._refused("no-http")
        if self.cycle is None or self.cycle.response_complete:
            super().send_400_response(msg)
        elif self.pipeline:
            self.transport.close()
        elif self.cycle.more_body and not self.cycle.response_started:
            protocol = protocol_of(cast("Scope", self.cycle.scope))
            body = error_body(protocol, UNREADABLE.status, UNREADABLE.code, str(UNREADABLE))
            self.transport.write(UNREADABLE_HEAD % len(body) + body)
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def on_message_begin(self) -> None:
        """A request begins, perhaps in the time that a connection has for its first one."""
        super().on_message_begin()
        if self.head_since is None:
            self.head_since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header. Those behind a body are dropped: nothing reads them, and they would have no bound."""
        if self.head_since is not None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Answer the request, or put it behind those that wait. Raises TooManyAhead, which ends the parser's work."""
        self.head_since, self.head_bytes = None, 0
        if len(self.pipeline) >= AHEAD:
            self._refused("too-many-ahead")
            self.transport.abort()
            raise TooManyAhead
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request; where the body of this one has no end yet, it would have none ever."""
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self.transport.close()

    def end_late_head(self, now: float) -> None:
        """Hang up on a client who does not come to the end of a head; `now` is of the loop's clock."""
        if self.head_since is not None and now - self.head_since > HEAD_S:
            self.transport.close()

    def _refused(self, reason: str) -> None:
        address = network_of(self.client[0]) if self.client else None
        log_repeated(logger, logging.INFO, "connection_refused", reason=reason, address=address)


OPTIONS: dict[str, Any] = {
    "http": BoundedProtocol, "ws": "none", "loop": "asyncio", "interface": "asgi3", "lifespan": "on",
    "backlog": BACKLOG, "timeout_keep_alive": HEAD_S, "timeout_graceful_shutdown": CUT_S,
    "proxy_headers": False, "server_header": False, "access_log": False, "log_config": None, "log_level": "error",
}  # fmt: skip


def listener(host: str, port: int) -> socket.socket:
    """A socket bound to an address that other gateways may share. It does not listen yet: uvicorn begins to when the
    gateway has started, and until then another one gets all connections. Raises OSError."""
    family, kind, protocol, _name, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def server() -> Server:
    """The server of the gateway, not started."""

    async def look() -> None:
        now = asyncio.get_running_loop().time()
        for connection in tuple(serving.server_state.connections):
            if isinstance(connection, BoundedProtocol):
                connection.end_late_head(now)

    # Each second: the server asks once a second whether more than so many have passed.
    serving = Server(Config(application, callback_notify=look, timeout_notify=0, **OPTIONS))
    return serving


def main() -> int:
    """Serve until a signal; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m traffic.gateway.serve", description="Serves Breakeven's gateway.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8001, metavar="N", help="gateways may share it (default: 8001)")
    options = parser.parse_args()
    try:
        sock = listener(options.host, options.port)
    except OSError as error:
        sys.stderr.write(f"The gateway cannot listen on {options.host}:{options.port}: {error.strerror}.\n")
        return 1
    with suppress(KeyboardInterrupt):  # how uvicorn passes on the signal at which it has ended
        server().run(sockets=[sock])
    return 0


if __name__ == "__main__":
    sys.exit(main())
