"""The bench of faults can tell a lost row from a kept one, and a cut stream from a whole one."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator

import orjson
import pytest

from benchmarks import chaos
from benchmarks.chaos import Outcome, Report, Window
from benchmarks.chaos.load import Tally, exchange
from benchmarks.chaos.upstream import MODEL, WORDS, serve
from dashboard.embedded.servers import free_port
from tests.traffic.gateway_stack import until


@pytest.fixture
def upstream() -> Iterator[str]:
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(port,), daemon=True)
    process.start()
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    until(lambda: exchange("POST", url, b"{}", timeout=5)[0] == 200)
    yield url
    process.terminate()
    process.join()


def test_rows_are_looked_for_by_the_fault_during_which_they_were_acknowledged() -> None:
    tally = Tally()
    for fault, ids in (("calm", ["a", "b"]), ("web killed", ["c", "d", "e"])):
        tally.fault = fault
        tally.acknowledge(ids)
    stored = Counter({"a": 1, "b": 1, "c": 1, "d": 2, "stranger": 2})
    window = Window("web killed", 0.0, 1.0, 100.0)
    outcome = chaos._outcome(window, tally, stored)
    assert (outcome.acknowledged, outcome.lost, outcome.doubled) == (3, 1, 1)
    assert chaos._outcome(Window("calm", 0.0, 1.0, 100.0), tally, stored).lost == 0


def test_seconds_without_service_are_the_longest_between_two_good_answers() -> None:
    tally = Tally()
    tally.answered["web"] = [90.0, 101.0, 101.2, 107.2, 107.4]
    assert tally.longest_gap("web", 100.0, 108.0) == pytest.approx(6.0)
    assert tally.longest_gap("web", 100.0, 120.0) == pytest.approx(12.6), "away until the end counts too"
    assert tally.answers("web", 107.3) and not tally.answers("web", 107.4)


def test_an_answer_has_an_id_of_its_own_whole_or_word_by_word(upstream: str) -> None:
    status, text = exchange("POST", upstream, orjson.dumps({"model": MODEL}), timeout=5)
    first = orjson.loads(text)["id"]
    streamed, events = exchange("POST", upstream, orjson.dumps({"model": MODEL, "stream": True}), timeout=20)
    parts = [part.removeprefix(b"data: ") for part in events.strip().split(b"\n\n")]
    assert (status, streamed, len(parts), parts[-1]) == (200, 200, WORDS + 2, b"[DONE]")
    assert orjson.loads(parts[0])["id"] not in (first, "")


def test_a_request_to_a_closed_port_has_no_answer() -> None:
    assert exchange("GET", f"http://127.0.0.1:{free_port()}/", timeout=2) == (0, b"")


def test_the_table_has_a_row_for_each_fault_and_says_what_was_left_out() -> None:
    outcome = Outcome("web killed", 1234, 0, 0, 5.81, 5.9, 0.2, 0, 2, 3, 161.4)
    text = chaos.table(Report([outcome], ["disk full: no"], "all equal"))
    assert "| web killed | 1,234 | 0 | 0 | 5.8 | 5.9 | 0.2 | 0 | 2 | 161 |" in text
    assert "all equal" in text and "Left out: disk full: no." in text
    head, rule, *_ = text.splitlines()
    assert head.count("|") == rule.count("|")
