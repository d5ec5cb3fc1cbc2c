"""What clients may hold of a process: connections in great number, more than their address's part, and answers."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
from contextlib import closing

import httpx
import pytest
from honcho.environ import parse_procfile

from lib.connections import BACKLOG, CONNECTIONS, HEAD_S, Crowd, address_of, established, holder_of, open_files
from tests.holders import held, held_by_server
from tests.traffic.gateway_stack import BASE, KEY, Stack, calm, stack, until

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db

HEADERS = {"x-api-key": KEY}
ASKED = {"model": "claude-test", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}


def port_of(stack: Stack) -> int:
    return int(stack.url.rsplit(":", 1)[1])


def test_the_server_takes_as_many_connections_as_there_is_room_for() -> None:
    web = parse_procfile((BASE / "Procfile").read_text()).processes["web"]
    assert f"--backpressure {CONNECTIONS} " in web
    assert f"--backlog {BACKLOG} " in web
    assert f"--http1-header-read-timeout {HEAD_S * 1000} " in web


def test_a_process_makes_room_as_far_as_it_may() -> None:
    script = "import resource; from lib import connections; connections.make_room(); print(resource.getrlimit(7))"

    def limits(soft: int, hard: int) -> tuple[str, str]:
        def lower() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

        run = subprocess.run(
            [sys.executable, "-c", script], cwd=BASE, preexec_fn=lower, capture_output=True, text=True, check=True
        )
        return run.stdout.strip(), run.stderr

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    enough = CONNECTIONS + 1_000
    assert limits(1_024, 4_096)[0] == "(4096, 4096)"
    assert "open_files_limited limit=4096 needed=17384" in limits(1_024, 4_096)[1]
    assert limits(1_024, hard) == (f"({min(enough, hard)}, {hard})", limits(1_024, hard)[1])


def test_thousands_of_silent_connections_of_one_address_keep_nobody_from_the_gateway(calm: Stack) -> None:
    port, half = port_of(calm), b"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-a: "
    with held(port, 2_000) as silent, held(port, 2_000, half):
        assert httpx.get(f"{calm.url}/healthz", timeout=60).status_code == 200
        assert httpx.get(f"{calm.url}/v1/models", headers=HEADERS, timeout=60).status_code == 200
        assert httpx.post(f"{calm.url}/v1/messages", json=ASKED, headers=HEADERS, timeout=60).status_code == 200
        assert any(held_by_server(port, holder) for holder in silent[::50]), "they had not come to their end by then"


def test_who_takes_nothing_of_a_stream_is_hung_up_and_its_row_says_so(calm: Stack) -> None:
    calm.claude.behaviour = "flood"
    body = json.dumps({**ASKED, "stream": True})
    request = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    before = calm.count()
    with held(port_of(calm), 1, request.encode()) as (caller,):
        until(lambda: not held_by_server(port_of(calm), caller))
        assert calm.claude.hung_up.wait(120)
    until(lambda: calm.count() > before)
    row = calm.newest(streamed=True)
    assert (row["outcome"], row["error_type"]) == ("cancelled", "caller_too_slow")


class Closing:
    """Both ends of connections, for as long as a test needs them."""

    def __init__(self) -> None:
        self.clients: list[socket.socket] = []
        self.accepted: list[socket.socket] = []

    def come(self, server: socket.socket, address: str) -> None:
        self.clients.append(socket.create_connection(server.getsockname(), 5, (address, 0)))
        self.accepted.append(server.accept()[0])

    def close(self) -> None:
        for end in (*self.clients, *self.accepted):
            end.close()


def is_open(client: socket.socket) -> bool:
    client.settimeout(0)
    try:
        return client.recv(1) != b""
    except BlockingIOError:
        return True


def test_one_address_has_a_part_of_the_connections_and_those_that_came_first_stay(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Fewer files than that are not looked through at all.
    each = len(open_files())
    with closing(Closing()) as opened, socket.create_server(("127.0.0.1", 0), backlog=256) as server:
        crowd = Crowd({server.getsockname()[1]}, each)
        for _ in range(each):
            opened.come(server, "127.0.0.2")
        assert crowd.look() == 0
        opened.come(server, "127.0.0.1")
        for _ in range(3):
            opened.come(server, "127.0.0.2")
        assert crowd.look() == 3
        assert [is_open(client) for client in opened.clients] == [*[True] * (each + 1), *[False] * 3]
        assert crowd.look() == 0
        opened.clients[0].close()
        opened.accepted[0].close()
        opened.come(server, "127.0.0.2")
        assert crowd.look() == 0, "there is room again"
    assert f"connections_ended connections=3 limit={each} addresses=127.0.0.2" in caplog.text


def test_an_address_of_ipv6_counts_as_its_network() -> None:
    mapped, other = "0000000000000000FFFF00000100007F", "B80D0120000000000000000001000000"
    assert holder_of(mapped) == "0100007F"
    assert (address_of("0100007F"), address_of(holder_of(other))) == ("127.0.0.1", "2001:db8::/64")


def test_connections_are_counted_at_the_ports_that_are_served_alone() -> None:
    with closing(Closing()) as opened, socket.create_server(("127.0.0.1", 0)) as server:
        opened.come(server, "127.0.0.3")
        assert list(established({server.getsockname()[1]}).values()) == ["0300007F"]
        assert list(established({opened.clients[0].getsockname()[1]}).values()) == ["0100007F"]
        assert established({1}) == {}
