"""What a stranger causes again and again: the first line at once, then one a minute, and bounded whoever they are."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import Event, Thread

import pytest

from lib import repeated_events
from lib.repeated_events import MINUTE_S, MOST, RepeatedEvents, log_repeated

logger = logging.getLogger("tests.repeated")


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Clock:
    caplog.set_level(logging.INFO, logger="tests.repeated")
    clock = Clock()
    own = RepeatedEvents(clock)
    own._thread = Thread()  # the test itself says when a minute is over
    monkeypatch.setattr(repeated_events, "repeated", own)
    return clock


def refuse(address: str, status: int = 413, size: int = 1) -> None:
    log_repeated(logger, logging.INFO, "request_refused", status=status, address=address, details={"bytes": size})


def texts(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return lines


def test_first_is_a_line_at_once_and_the_others_are_one_line_when_the_minute_ends(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for size in range(5_000):
        refuse("203.0.113.7", size=size)
    assert texts(caplog) == ["request_refused status=413 address=203.0.113.7 bytes=0"]
    clock.now += MINUTE_S - 1
    repeated_events.repeated.flush()
    assert texts(caplog) == []
    clock.now += 1
    repeated_events.repeated.flush()
    assert texts(caplog) == ["request_refused status=413 address=203.0.113.7 count=4999 s=60"]


def test_stream_of_refusals_is_one_line_a_minute_and_begins_anew_after_a_quiet_one(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _minute in range(3):
        for _n in range(10):
            refuse("203.0.113.7")
        clock.now += MINUTE_S
        repeated_events.repeated.flush()
    assert [line.partition("7 ")[2] for line in texts(caplog)] == ["bytes=1", "count=9 s=60", "count=10 s=60",
                                                                   "count=10 s=60"]  # fmt: skip
    clock.now += MINUTE_S
    repeated_events.repeated.flush()
    refuse("203.0.113.7")
    assert texts(caplog) == ["request_refused status=413 address=203.0.113.7 bytes=1"]


def test_reasons_and_callers_are_counted_apart(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    for _n in range(2):
        refuse("203.0.113.7")
        refuse("203.0.113.7", status=401)
        refuse("203.0.113.8")
    assert len(texts(caplog)) == 3
    repeated_events.repeated.flush(everything=True)
    assert [line.rpartition(" s=")[0].rpartition(" ")[2] for line in texts(caplog)] == ["count=1"] * 3


def test_however_many_addresses_come_the_lines_and_the_memory_are_bounded(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(10_000):
        refuse(f"2001:db8:0:{number:x}::/64")
    lines = texts(caplog)
    assert len(lines) == MOST + 1 and lines[-1] == "request_refused status=413 address=(other) bytes=1"
    assert len(repeated_events.repeated._repeats) == MOST + 1
    clock.now += MINUTE_S
    repeated_events.repeated.flush()
    assert texts(caplog) == [f"request_refused status=413 address=(other) count={10_000 - MOST - 1} s=60"]
    clock.now += MINUTE_S
    repeated_events.repeated.flush()
    assert not repeated_events.repeated._repeats


def test_event_below_the_level_of_its_logger_is_not_counted(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="tests.repeated")
    refuse("203.0.113.7")
    assert not repeated_events.repeated._repeats


def test_a_thread_writes_what_waits_without_another_event(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(repeated_events, "MINUTE_S", 0.0)
    caplog.set_level(logging.INFO, logger="tests.repeated")
    written = Event()

    class Own(RepeatedEvents):
        def flush(self, *, everything: bool = False) -> None:
            super().flush(everything=everything)
            if not self._repeats:
                written.set()

    monkeypatch.setattr(repeated_events, "repeated", Own())
    refuse("203.0.113.7")
    assert written.wait(30)
