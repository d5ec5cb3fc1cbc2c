"""What a client may send to the gateway's server, and hold of it, before a call is one."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from pathlib import Path
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from lib.connections import HEAD_S, MOST_HEAD
from tests.traffic.gateway_stack import KEY, Stack, calm, stack, until
from traffic.gateway import serve
from traffic.gateway.serve import AHEAD, OPTIONS, BoundedProtocol, listener

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db

BODY = json.dumps({"model": "claude-test", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}).encode()
HEAD = b"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: " + KEY.encode() + b"\r\n"
LOOK = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


def sent(stack: Stack, *pieces: bytes) -> bytes:
    """What comes back until the gateway closes the connection."""
    with socket.create_connection(("127.0.0.1", int(stack.url.rsplit(":", 1)[1])), 120) as client:
        for piece in pieces:
            client.sendall(piece)
        answer = b""
        while piece := client.recv(65_536):
            answer += piece
        return answer


class Transport(asyncio.Transport):
    """The server's end of a connection, without a network."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 4711), "sockname": ("127.0.0.1", 8001)})
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Connection:
    """A connection to an application that answers when `answer` is set, and what it was asked."""

    def __init__(self, state: ServerState | None = None) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.answer = asyncio.Event()
        self.transport = Transport()
        self.protocol = BoundedProtocol(
            Config(self._application, **OPTIONS), state or ServerState(), {}, asyncio.get_running_loop()
        )
        self.protocol.connection_made(self.transport)

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        await self.answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def send(self, data: bytes) -> None:
        self.protocol.data_received(data)
        for _ in range(5):
            await asyncio.sleep(0)

    def later(self, seconds: float) -> bool:
        """Whether the connection is closed after so long."""
        self.protocol.end_late_head(asyncio.get_running_loop().time() + seconds)
        return self.transport.closed


@pytest.mark.parametrize("begun", [b"", b"G", b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: "])
def test_a_head_has_ten_seconds(begun: bytes) -> None:
    async def run() -> None:
        connection = Connection()
        if begun:
            await connection.send(begun)
        assert not connection.later(HEAD_S - 1)
        assert connection.later(HEAD_S + 1)
        assert connection.scopes == []

    asyncio.run(run())


def test_the_second_head_of_a_connection_has_ten_seconds_too() -> None:
    async def run() -> None:
        connection = Connection()
        connection.answer.set()
        await connection.send(LOOK)
        assert not connection.later(1000), "between two requests the server's own time-out counts"
        await connection.send(LOOK[:20])
        assert not connection.later(HEAD_S - 1)
        assert connection.later(HEAD_S + 1)

    asyncio.run(run())


def test_a_call_under_way_has_no_deadline_of_a_head() -> None:
    async def run() -> None:
        connection = Connection()
        await connection.send(LOOK)
        assert not connection.later(1000)
        assert len(connection.scopes) == 1

    asyncio.run(run())


def test_a_head_without_an_end_is_refused() -> None:
    async def run() -> None:
        connection = Connection()
        await connection.send(b"GET /healthz HTTP/1.1\r\nx-a: " + b"a" * (MOST_HEAD // 2))
        assert connection.transport.written == b""
        await connection.send(b"a" * (MOST_HEAD // 2))
        assert connection.transport.written.startswith(b"HTTP/1.1 431 ")
        assert connection.transport.closed

    asyncio.run(run())


def test_heads_of_many_requests_are_not_added_up() -> None:
    async def run() -> None:
        connection = Connection()
        connection.answer.set()
        for _ in range(5):
            await connection.send(b"GET /healthz HTTP/1.1\r\nx-a: " + b"a" * (MOST_HEAD // 4))
            await connection.send(b"\r\n\r\n")
        assert len(connection.scopes) == 5
        assert not connection.transport.closed

    asyncio.run(run())


def test_headers_behind_a_body_are_dropped() -> None:
    async def run() -> None:
        connection = Connection()
        await connection.send(
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx-api-key: k\r\n\r\n"
        )
        [scope] = connection.scopes
        assert scope["headers"] == [(b"transfer-encoding", b"chunked")]

    asyncio.run(run())


def test_who_sends_on_without_reading_answers_is_hung_up(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        connection = Connection()
        await connection.send(LOOK * (AHEAD + 1))
        assert connection.protocol in connection.protocol.connections
        await connection.send(LOOK * 4_000)
        assert connection.transport.closed
        assert len(connection.protocol.pipeline) == AHEAD

    with caplog.at_level(logging.INFO):
        asyncio.run(run())
    assert "connection_refused reason=too-many-ahead address=192.0.2.7" in caplog.text


def test_requests_that_wait_are_answered_in_their_turn() -> None:
    async def run() -> None:
        connection = Connection()
        await connection.send(LOOK * 3)
        assert len(connection.scopes) == 1
        connection.answer.set()
        while len(connection.scopes) < 3:
            await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)
        assert connection.transport.written.count(b"HTTP/1.1 200 OK") == 3

    asyncio.run(run())


def test_a_connection_ends_with_an_answer_to_a_body_that_has_no_end_yet() -> None:
    async def run() -> None:
        connection = Connection()
        await connection.send(b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nab")
        connection.answer.set()
        while not connection.transport.closed:
            await asyncio.sleep(0)
        assert connection.transport.written.startswith(b"HTTP/1.1 200 OK")

    asyncio.run(run())


def test_connections_over_the_limit_are_ended_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "CONNECTIONS", 2)

    async def run() -> None:
        state = ServerState()
        assert [Connection(state).transport.closed for _ in range(3)] == [False, False, True]

    asyncio.run(run())


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
        b"content-length: 2\r\ncontent-length: 3\r\n\r\n",
        b"x-a: 1\rx-b: 2\r\n\r\n",
        b"x a: 1\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_another_server_could_read_otherwise_is_refused(calm: Stack, head: bytes) -> None:
    before = len(calm.claude.seen)
    assert sent(calm, HEAD + head + b"{}").startswith(b"HTTP/1.1 400 ")
    assert len(calm.claude.seen) == before


def test_what_follows_a_whole_call_takes_nothing_of_its_answer(calm: Stack) -> None:
    length = b"content-length: %d\r\n\r\n" % len(BODY)
    answer = sent(calm, HEAD + length + BODY + b"is no HTTP\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK") and b"connection: close" in answer.lower()
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_refused_head_is_logged_and_the_gateway_goes_on(calm: Stack) -> None:
    assert sent(calm, b"\x16\x03\x01 is no HTTP\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    until(lambda: b"connection_refused reason=no-http" in Path(calm.gateway.log.name).read_bytes())
    answer = sent(calm, LOOK[:-2] + b"connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK") and answer.endswith(b'{"status":"ok"}')


def test_gateways_share_a_port_and_nobody_else_does() -> None:
    with listener("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with listener("127.0.0.1", port) as second:
            assert second.getsockname() == first.getsockname()
        with pytest.raises(OSError, match="in use"), socket.socket() as other:
            other.bind(("127.0.0.1", port))
