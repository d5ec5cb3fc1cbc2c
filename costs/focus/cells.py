"""Values as FOCUS writes them: numbers without exponent, timestamps in UTC with a Z, unknown values as empty text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

FocusRow = Mapping[str, str]
# Spreadsheets run a cell that begins with one of these as a formula, and names come from anybody who sends requests.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def number(value: Decimal | int | None) -> str:
    """The number without exponent and trailing zeros; empty for None."""
    if value is None:
        return ""
    written = f"{value:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def moment(value: datetime | None) -> str:
    return "" if value is None else f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def text(value: str) -> str:
    """A text on one line, changed so that a spreadsheet does not run it as a formula."""
    line = " ".join(value.split())
    return f"'{line}" if line.startswith(FORMULA) else line


def pairs(values: Mapping[str, str]) -> str:
    """The JSON of a key-value column; empty if every value is empty."""
    present = {name: value for name, value in values.items() if value}
    return json.dumps(present, ensure_ascii=False) if present else ""
