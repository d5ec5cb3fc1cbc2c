"""Starts, stops and what was away, as the processes write it to the log."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import psycopg
import pytest
from celery.signals import beat_init, worker_ready, worker_shutdown
from django.core.handlers.wsgi import WSGIHandler

from dashboard.celery import app
from dashboard.front.app import Front
from dashboard.front.pulse import Pulse
from dashboard.health import readiness, worker_memory
from dashboard.health.readiness import Readiness
from dashboard.http.database_away import first_line
from lib.disk import Disk
from providers.audit.counts import Count, Counts, Kind
from providers.audit.log import Actor


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    return [record.__dict__["fields"] for record in caplog.records if record.__dict__.get("event") == event]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def test_worker_keeps_the_level_of_events_whatever_celery_is_started_with(monkeypatch: pytest.MonkeyPatch) -> None:
    root, setup = logging.getLogger(), app.log
    before = (root.level, list(root.handlers))
    root.setLevel(logging.INFO)
    monkeypatch.setattr(setup, "already_setup", False)
    try:
        setup.setup_logging_subsystem(loglevel="WARNING")
        assert root.level == logging.INFO and root.handlers == before[1]
    finally:
        root.setLevel(before[0])


def test_worker_and_beat_write_their_start_and_their_stop(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_memory, "start", lambda: None)
    monkeypatch.delenv("BREAKEVEN_RUN", raising=False)
    for signal in (worker_ready, worker_shutdown, beat_init):
        signal.send(sender=None)
    assert [len(lines(log, event)) for event in ("worker_started", "worker_stopped", "beat_started")] == [1, 1, 1]


def test_web_process_writes_its_start_and_its_stop(log: pytest.LogCaptureFixture) -> None:
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: dict[str, Any]) -> None:
        await asyncio.sleep(0)

    asyncio.run(Front(WSGIHandler())({"type": "lifespan"}, receive, send))
    (started,), (stopped,) = lines(log, "web_started"), lines(log, "web_stopped")
    assert started["pid"] == stopped["pid"] and started["ms"] >= 0


def test_database_that_goes_away_and_comes_back_is_written_once_each(log: pytest.LogCaptureFixture) -> None:
    failures = iter([psycopg.OperationalError("no answer\nsecond line"), psycopg.OperationalError("still none"), None])

    def ask() -> None:
        if error := next(failures):
            raise error

    async def scene() -> None:
        pulse = Pulse(ask, lambda error: None)
        pulse.suspect()
        assert pulse._asking is not None
        await pulse._asking
        pulse.close()

    asyncio.run(scene())
    assert lines(log, "database_away") == [{"error": "no answer", "sqlstate": None}]
    assert len(lines(log, "database_back")) == 1


def test_change_of_readiness_is_written_once(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, db: Any
) -> None:
    ready = Readiness()
    monkeypatch.setattr(Readiness, "_database", lambda self: "")
    monkeypatch.setattr(Readiness, "_ask_queue", lambda self: "")
    monkeypatch.setattr(readiness, "REMEMBERED_S", -1.0)
    monkeypatch.setattr(readiness, "disk_of", lambda folder: Disk(100, 99, 1, 3))
    ready.reasons()
    ready.reasons()
    monkeypatch.setattr(readiness, "disk_of", lambda folder: Disk(100, 9, 91, 3))
    ready.reasons()
    assert lines(log, "readiness_changed") == [
        {"ready": False, "reasons": "The disk of the data directory is nearly full: nothing is taken in."},
        {"ready": True, "reasons": None},
    ]


def test_error_without_a_text_is_written_by_its_kind() -> None:
    assert first_line(psycopg.OperationalError()) == "OperationalError"
    assert first_line(psycopg.OperationalError("one\ntwo")) == "one"


def test_queue_that_is_away_is_a_line_and_then_counted(log: pytest.LogCaptureFixture, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"  # nobody listens there
    ready = Readiness()
    assert [bool(ready._ask_queue()) for _n in range(3)] == [True] * 3
    assert len(lines(log, "queue_away")) == 1


def test_probe_of_the_database_that_crashes_is_an_error_with_its_traceback(log: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        pulse = Pulse(lambda: 1 / 0, lambda error: None)  # type: ignore[arg-type]  # it raises
        pulse.suspect()
        assert pulse._asking is not None
        await pulse._asking
        pulse.close()

    asyncio.run(scene())
    assert len(lines(log, "database_probe_crashed")) == 1 and "ZeroDivisionError" in log.text


def test_counted_refusals_that_cannot_be_written_are_an_error_and_tried_again(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(Counts):
        tries = 0

        def flush(self, *, everything: bool = True) -> int:
            self.tries += 1
            if self.tries > 2:
                raise SystemExit
            raise ZeroDivisionError

    counts = Failing()
    counts._counts[Kind("refused", Actor("stranger", ""))] = Count("", 0.0, 1)
    monkeypatch.setattr("providers.audit.counts.time.sleep", lambda seconds: None)
    monkeypatch.setattr(counts._changed, "wait", lambda timeout: None)
    with pytest.raises(SystemExit):
        counts._work()
    assert len(lines(log, "audit_counts_not_written")) == 2
