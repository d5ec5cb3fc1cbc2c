"""One line in the log for each event that an operator looks for: `event key=value key=value` (logfmt).

docs/reference/logs.md lists the events with their fields. A line carries ids, counts and milliseconds. It never carries
a key, a prompt, an e-mail address or the name of a person: logs are copied to places that those must not reach.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from time import perf_counter

VALUE_LIMIT = 300  # characters; a vendor's answer can be a page of HTML
PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f\x7f-\x9f]+")  # needs no quotes
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def log_event(
    logger: logging.Logger, level: int, event: str, /, *, exc_info: BaseException | bool | None = None, **fields: object
) -> None:
    """Write an event and its fields as one line.

    `event` is in snake case: a noun and what happened to it (`poll_succeeded`). Names of fields end with their unit
    (`ms`, `age_s`, `bytes`). A field that is None is left out. The record also has `event` and `fields`, for handlers
    that write something else than text.
    """
    if not logger.isEnabledFor(level):
        return
    logger.log(level, line_of(event, fields), exc_info=exc_info, extra={"event": event, "fields": fields}, stacklevel=2)


def line_of(event: str, fields: Mapping[str, object]) -> str:
    """The text of an event, without a line break whatever the values are."""
    return " ".join([event, *(f"{name}={text_of(value)}" for name, value in fields.items() if value is not None)])


def text_of(value: object) -> str:
    """A value in logfmt: moments in UTC with a Z, floats with three decimals, texts in quotes where they need them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    text = str(value)
    if len(text) > VALUE_LIMIT:
        text = text[:VALUE_LIMIT] + "…"
    if PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", escaped) + '"'


LINE = "%(levelname)s %(name)s: %(message)s"
FORMATS = ("logfmt", "json")


class UnknownFormat(ValueError):
    """BREAKEVEN_LOG_FORMAT is no word that we know."""


class EventFormatter(logging.Formatter):
    """Each record as a line of text, or as a JSON object on one line where BREAKEVEN_LOG_FORMAT is `json`.

    Raises UnknownFormat for another word than those of FORMATS.
    """

    def __init__(self) -> None:
        super().__init__(LINE)
        word = os.environ.get("BREAKEVEN_LOG_FORMAT", "").strip().lower() or "logfmt"
        if word not in FORMATS:
            raise UnknownFormat(f"BREAKEVEN_LOG_FORMAT must be {' or '.join(FORMATS)}, not {word}.")
        self.json = word == "json"

    def format(self, record: logging.LogRecord) -> str:
        return self._as_json(record) if self.json else super().format(record)

    def _as_json(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": f"{datetime.fromtimestamp(record.created, UTC).isoformat(timespec='milliseconds')[:-6]}Z",
            "level": record.levelname,
            "logger": record.name,
        }
        event, fields = record.__dict__.get("event"), record.__dict__.get("fields")
        if event and isinstance(fields, Mapping):
            line["event"] = event
            line["fields"] = {name: plain(value) for name, value in fields.items() if value is not None}
        else:
            line["message"] = record.getMessage()
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True)


def plain(value: object) -> str | int | float:
    """A value in JSON: numbers and booleans as they are, all else as its text, cut like that of logfmt."""
    if isinstance(value, bool | int | float):
        return round(value, 3) if isinstance(value, float) else value
    if isinstance(value, datetime):
        return text_of(value)
    text = str(value)
    return text if len(text) <= VALUE_LIMIT else text[:VALUE_LIMIT] + "…"


@contextmanager
def logged_run(logger: logging.Logger, name: str) -> Iterator[dict[str, object]]:
    """Write `NAME_started`, then `NAME_finished` with `ms` and the fields that the block fills in; where the block
    raises, `NAME_failed` with `ms` and the kind of the error, which goes on.
    """
    began = perf_counter()
    fields: dict[str, object] = {}
    log_event(logger, logging.INFO, f"{name}_started")
    try:
        yield fields
    except BaseException as error:
        kind = type(error).__name__
        log_event(logger, logging.WARNING, f"{name}_failed", exc_info=None, error=kind, ms=ms_since(began))
        raise
    log_event(logger, logging.INFO, f"{name}_finished", exc_info=None, ms=ms_since(began), **fields)


def ms_since(started: float) -> int:
    """Whole milliseconds since a reading of `time.perf_counter()`."""
    return round((perf_counter() - started) * 1000)
