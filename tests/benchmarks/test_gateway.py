"""The benches of the gateway measure what they say, on loads too short to say how fast anything is."""

from __future__ import annotations

import http.client
import shutil
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psutil
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from benchmarks import gateway, peers, streams
from benchmarks.chaos import upstream
from benchmarks.chaos.load import exchange
from benchmarks.gateway import (
    OURS,
    RELAY,
    STRAIGHT,
    Turn,
    Way,
    added,
    each_minute,
    load,
    of_others,
    process_of,
    relay,
    serve,
    warm_up,
)
from benchmarks.management.commands.bench import named_peer
from dashboard.embedded.servers import free_port
from tests.traffic.gateway_stack import until

TOOLS = ["python", *(["wrk"] if shutil.which("wrk") else [])]


@pytest.fixture
def ways() -> Iterator[dict[str, Way]]:
    port, relay_port = free_port(), free_port()
    with ExitStack() as things:
        direct = Way(port, "k", (things.enter_context(process_of(serve, port)),))
        relayed = Way(relay_port, "k", (things.enter_context(process_of(relay, relay_port, port)),))
        for way in (direct, relayed):
            until(partial(status_of, way.port, 200))
        yield {STRAIGHT: direct, RELAY: relayed}


def status_of(port: int, status: int) -> bool:
    url, headers = f"http://127.0.0.1:{port}/v1/chat/completions", {"content-type": "application/json"}
    return exchange("POST", url, b"{}", headers, timeout=5)[0] == status


@pytest.mark.parametrize("tool", TOOLS)
def test_a_load_counts_calls_and_the_processor_time_that_they_took(
    tool: str, ways: dict[str, Way], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: tool if tool == name else None)
    for way in ways.values():
        turn = load(way, 2, 1)
        assert turn.rate > 0 and 0 < turn.median_ms <= turn.p99_ms and turn.processor_ms > 0
    port = free_port()
    with process_of(relay, port, free_port()) as pid:  # nothing listens behind it
        until(partial(status_of, port, 500))
        with pytest.raises(RuntimeError):
            load(Way(port, "k", (pid,)), 1, 1)


def test_the_upstream_answers_whoever_looks_for_its_models_and_goes_on(ways: dict[str, Way]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", ways[STRAIGHT].port, timeout=30)
    for method, path, body in (("GET", "/v1/models", None), ("POST", "/v1/chat/completions", b"{}")):
        connection.request(method, path, body)
        answer = connection.getresponse()
        assert answer.status == 200 and b"bench" in answer.read()
    connection.request("HEAD", "/")
    with pytest.raises(http.client.RemoteDisconnected):
        connection.getresponse()


def test_a_long_load_has_calls_their_slowest_and_memory_of_each_minute(ways: dict[str, Way]) -> None:
    figures = list(each_minute(ways[RELAY], 2, 1))
    assert [(figure.what.partition(":")[0], figure.unit) for figure in figures] == [
        (f"minute {number}", unit) for number in (1, 2) for unit in ("calls/s", "ms", "MiB PSS")
    ]
    assert [figure.ratio for figure in figures[:3]] == [1, 1, 1] and all(figure.value > 0 for figure in figures)


NODE_PEER = """
const http = require("node:http");
const port = Number(process.argv.find((each) => each.startsWith("--port=")).slice(7));
http.createServer((call, answer) => {
  call.resume().on("end", () => answer.end(JSON.stringify([call.headers["x-portkey-custom-host"]])));
}).listen(port);
"""
PYTHON_PEER = """#!{python}
import http.server, os, sys, time
ready_at = []
if "--version" in sys.argv:
    print("LiteLLM: Current Version = 1.2.3")
    raise SystemExit
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        ready_at.append(time.monotonic() + 1.5)  # from the first call on, longer than the load that is not counted
        time.sleep(max(0, ready_at[0] - time.monotonic()))
        self.rfile.read(int(self.headers["content-length"]))
        body = open(options["--config"], "rb").read()
        key = os.environ["LITELLM_MASTER_KEY"]
        self.send_response(200 if self.headers["authorization"] == f"Bearer {key}" else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer((options["--host"], int(options["--port"])), Server).serve_forever()
"""


def peer_of(name: str, folder: Path) -> Path:
    """Something that is started like it, and answers with where it was to send calls."""
    if name == "portkey":
        (folder / "build").mkdir()
        (folder / "package.json").write_text('{"version": "1.2.3"}')
        (folder / "build" / "start-server.js").write_text(NODE_PEER)
        return folder
    program = folder / "litellm"
    program.write_text(PYTHON_PEER.replace("{python}", sys.executable))
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("name", ["litellm", *(["portkey"] if shutil.which("node") else [])])
def test_another_gateway_is_started_on_this_machine_alone_and_loaded_as_ours(name: str, tmp_path: Path) -> None:
    upstream_port = free_port()
    with peers.peers({name: peer_of(name, tmp_path)}, upstream_port) as others:
        ((title, way),) = others.items()
        assert title in ("Portkey 1.2.3", "LiteLLM 1.2.3")
        bound = {
            each.laddr.ip for each in psutil.Process(way.pids[0]).net_connections("tcp") if each.status == "LISTEN"
        }
        assert bound == {"127.0.0.1"}
        warm_up(way)
        url = f"http://127.0.0.1:{way.port}/v1/chat/completions"
        assert f"http://127.0.0.1:{upstream_port}/v1" in str(exchange("POST", url, b"{}", way.headers, timeout=5))
        assert load(way, 1, 1).rate > 0
    assert not psutil.pid_exists(way.pids[0])
    few = {each: [Turn(8.0 if each == title else 4.0, 2, 3, 1.0)] for each in (title, OURS, STRAIGHT)}
    assert [figure.ratio for figure in of_others([title], few, few)] == [2, 1, None, 1]


def test_a_peer_is_one_that_the_bench_can_start_and_goes_with_the_gateway(tmp_path: Path) -> None:
    assert named_peer(f"litellm={tmp_path}") == ("litellm", tmp_path)
    for text in (f"other={tmp_path}", "litellm=", "litellm=/nowhere", "litellm"):
        with pytest.raises(ArgumentTypeError):
            named_peer(text)
    with pytest.raises(CommandError, match="goes with gateway"):
        call_command("bench", "rules", "--peer", f"litellm={tmp_path}")
    with pytest.raises(CommandError, match="goes with gateway"):
        call_command("bench", "gateway", "--minutes", "1", "--peer", f"litellm={tmp_path}")


def test_what_a_way_adds_is_the_median_over_the_rounds() -> None:
    turns = {OURS: [Turn(1, ms, 9) for ms in (1.5, 9.0, 1.7)], STRAIGHT: [Turn(1, ms, 9) for ms in (0.5, 1.0, 0.6)]}
    assert added(turns, OURS, STRAIGHT) == pytest.approx(1.1)
    assert gateway.throughput({name: [Turn(4.0, 1, 1, 2.0)] for name in (*turns, RELAY, "capped", "two")})[1].ratio == 1


def test_a_stream_is_timed_to_its_first_token_and_its_end() -> None:
    port = free_port()
    with process_of(upstream.serve, port, 0.001):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        until(partial(status_of, port, 200))
        names = {streams.stream(connection, "k")[0] for _ in range(3)}
        _name, times = streams.stream(connection, "k")
    assert len(names) == 3 and 0 < times.first < times.whole
    assert (streams.at([3.0, 1.0, 2.0], 0.5), streams.at([3.0, 1.0, 2.0], 1.0)) == (2.0, 3.0)
