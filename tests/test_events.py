"""Lines of events: one line each, in logfmt, and none of them can carry a secret by its name."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from time import perf_counter

import pytest

from lib.events import EventFormatter, line_of, log_event, logged_run, ms_since

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

WRITERS = ("log_event", "log_repeated", "logged_run")

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


def calls_of_writers() -> Iterator[tuple[str, ast.Call]]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            text = path.read_text()
            if not any(f"{name}(" in text for name in WRITERS) or (path.parent.name == "lib" and "events" in path.name):
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WRITERS:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def fields_of(call: ast.Call) -> Iterator[str | None]:
    """Names of an event's fields: those that are passed, and the keys of dictionaries."""
    for keyword in call.keywords:
        yield keyword.arg
        if isinstance(keyword.value, ast.Dict):
            yield from (str(key.value) for key in keyword.value.keys if isinstance(key, ast.Constant))


def events_of(call: ast.Call) -> list[str]:
    """The events that a call writes, where their name stands in it."""
    name = call.args[1 if isinstance(call.func, ast.Name) and call.func.id == "logged_run" else 2]
    if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
        return []
    if isinstance(call.func, ast.Name) and call.func.id == "logged_run":
        return [f"{name.value}_{ending}" for ending in ("started", "finished", "failed")]
    return [name.value]


def test_no_event_has_a_field_that_names_a_secret_or_a_person() -> None:
    fields = {(place, name) for place, call in calls_of_writers() for name in fields_of(call)}
    assert {(place, name) for place, name in fields if name in FORBIDDEN} == set()


def test_each_event_is_in_the_reference() -> None:
    reference = (ROOT / "docs/reference/logs.md").read_text()
    events = {event: place for place, call in calls_of_writers() for event in events_of(call)}
    assert {event: place for event, place in events.items() if f"`{event}`" not in reference} == {}


@pytest.fixture
def handler() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger whose lines are formatted as those of a process."""
    own, stream = logging.getLogger("tests.format"), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(EventFormatter())
    own.addHandler(handler)
    own.setLevel(logging.INFO)
    yield own, stream
    own.removeHandler(handler)


def test_lines_are_logfmt_unless_a_variable_says_otherwise(handler: tuple[logging.Logger, io.StringIO]) -> None:
    log_event(handler[0], logging.INFO, "poll_succeeded", rows=42)
    assert handler[1].getvalue() == "INFO tests.format: poll_succeeded rows=42\n"


class TestJson:
    @pytest.fixture(autouse=True)
    def json_format(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BREAKEVEN_LOG_FORMAT", "json")

    def test_event_is_an_object_on_one_line(
        self, json_format: None, handler: tuple[logging.Logger, io.StringIO]
    ) -> None:
        moment = datetime(2026, 12, 1, 1, tzinfo=timezone(timedelta(hours=1)))
        log_event(handler[0], logging.WARNING, "poll_failed", rows=42, until=moment, nothing=None, ready=True,
                  cost=Decimal("0.10"), what="two\nlines", share=0.12345, level="high")  # fmt: skip
        (line,) = handler[1].getvalue().splitlines()
        entry = json.loads(line)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("at"))
        assert entry == {
            "level": "WARNING",
            "logger": "tests.format",
            "event": "poll_failed",
            "fields": {"rows": 42, "until": "2026-12-01T00:00:00Z", "ready": True, "cost": "0.10",
                       "what": "two\nlines", "share": 0.123, "level": "high"},
        }  # fmt: skip

    def test_other_lines_and_tracebacks_are_objects_too(
        self, json_format: None, handler: tuple[logging.Logger, io.StringIO]
    ) -> None:
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            handler[0].exception("a library's own %s", "words")
        (line,) = handler[1].getvalue().splitlines()
        entry = json.loads(line)
        assert entry["message"] == "a library's own words" and "ZeroDivisionError" in entry["traceback"]


def test_format_that_does_not_exist_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKEVEN_LOG_FORMAT", "xml")
    with pytest.raises(ValueError, match="BREAKEVEN_LOG_FORMAT must be logfmt or json, not xml"):
        EventFormatter()


def test_a_run_writes_its_start_its_end_and_its_failure(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="tests.events")
    with logged_run(logger, "backup") as fields:
        fields["bytes"] = 7
    with pytest.raises(OSError), logged_run(logger, "backup"):
        raise FileNotFoundError("MARKER")
    lines = [re.sub(r"ms=\d+", "ms=N", f"{record.levelname} {record.getMessage()}") for record in caplog.records]
    assert lines == [
        "INFO backup_started",
        "INFO backup_finished ms=N bytes=7",
        "INFO backup_started",
        "WARNING backup_failed error=FileNotFoundError ms=N",
    ]


def test_each_event_of_the_reference_is_in_a_test() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    rows = [row for row in (ROOT / "docs/reference/logs.md").read_text().splitlines() if row.startswith("| `")]
    events = {event for row in rows for event in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    assert len(events) > 100 and {event for event in events if not re.search(rf"\b{event}\b", tests)} == set()
