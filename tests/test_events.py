"""Lines of events: one line each, in logfmt, and none of them can carry a secret by its name."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from time import perf_counter

import pytest

from lib.events import line_of, log_event, ms_since

ROOT = Path(__file__).parents[1]
APPS = ("lib", "providers", "traffic", "costs", "alerts", "dashboard")
# What would name a secret, a prompt or a person. Ids (`key_id`, `user_id`) are allowed.
FORBIDDEN = {
    "key",
    "secret",
    "token",
    "password",
    "prompt",
    "body",
    "answer",
    "email",
    "mail",
    "person",
    "username",
    "recipient",
}

logger = logging.getLogger("tests.events")


def test_event_is_written_as_one_line_with_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="tests.events")
    log_event(logger, logging.WARNING, "poll_failed", account="anthropic", failures=3, ms=812, retry_after_s=None)
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == (
        "WARNING",
        "poll_failed account=anthropic failures=3 ms=812",
    )
    assert record.__dict__["event"] == "poll_failed"
    assert record.__dict__["fields"]["failures"] == 3
    assert record.funcName == "test_event_is_written_as_one_line_with_its_fields"


def test_event_below_the_level_of_its_logger_is_not_written(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="tests.events")
    log_event(logger, logging.INFO, "poll_succeeded")
    assert not caplog.records


def test_event_can_carry_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError as error:
        log_event(logger, logging.ERROR, "poll_crashed", exc_info=error)
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (0, "0"),
        (1.23456, "1.235"),
        (Decimal("0.000000000012"), "1.2E-11"),
        (datetime(2026, 12, 1, 1, tzinfo=timezone(timedelta(hours=1))), "2026-12-01T00:00:00Z"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "no"', r'"say \"no\""'),
        ("back\\slash", r'"back\\slash"'),
        ("two\nlines\r\x00", r'"two\nlines\u000d\u0000"'),
        ("line\u2028separator", r'"line\u2028separator"'),
        ("x" * 400, "x" * 300 + "…"),
    ],
)
def test_value_is_text_without_a_line_break(value: object, text: str) -> None:
    assert line_of("event", {"value": value}) == f"event value={text}"


def test_milliseconds_are_whole() -> None:
    assert 0 <= ms_since(perf_counter()) < 60_000
    assert isinstance(ms_since(0.0), int)


def calls_of_log_event() -> Iterator[tuple[str, ast.Call]]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            text = path.read_text()
            if "log_event(" not in text or path.name == "events.py":
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "log_event":
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_no_event_has_a_field_that_names_a_secret_or_a_person() -> None:
    fields = {(place, keyword.arg) for place, call in calls_of_log_event() for keyword in call.keywords}
    assert {(place, name) for place, name in fields if name in FORBIDDEN} == set()


def test_each_event_is_in_the_reference() -> None:
    reference = (ROOT / "docs/reference/logs.md").read_text()
    events = {
        call.args[2].value: place
        for place, call in calls_of_log_event()
        if isinstance(call.args[2], ast.Constant) and isinstance(call.args[2].value, str)
    }
    assert {event: place for event, place in events.items() if f"`{event}`" not in reference} == {}
