"""One line in the log for each event that an operator looks for: `event key=value key=value` (logfmt).

docs/reference/logs.md lists the events with their fields. A line carries ids, counts and milliseconds. It never carries
a key, a prompt, an e-mail address or the name of a person: logs are copied to places that those must not reach.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
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


def ms_since(started: float) -> int:
    """Whole milliseconds since a reading of `time.perf_counter()`."""
    return round((perf_counter() - started) * 1000)
