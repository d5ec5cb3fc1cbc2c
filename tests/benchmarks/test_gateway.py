"""The benches of the gateway measure what they say, on loads too short to say how fast anything is."""

from __future__ import annotations

import http.client
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from benchmarks import gateway, streams
from benchmarks.chaos import upstream
from benchmarks.chaos.load import exchange
from benchmarks.gateway import OURS, RELAY, STRAIGHT, Turn, Way, added, each_minute, load, process_of, relay, serve
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


def test_a_long_load_has_a_row_of_calls_and_one_of_memory_for_each_minute(ways: dict[str, Way]) -> None:
    figures = list(each_minute(ways[RELAY], 2, 1))
    assert [(figure.what.partition(":")[0], figure.unit) for figure in figures] == [
        (f"minute {number}", unit) for number in (1, 2) for unit in ("calls/s", "MiB PSS")
    ]
    assert [figure.ratio for figure in figures[:2]] == [1, 1] and all(figure.value > 0 for figure in figures)


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
