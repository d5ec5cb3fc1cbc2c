"""How FOCUS writes values: numbers without exponent, moments in UTC with a Z, unknown as nothing. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

FocusRow = Mapping[str, str]
# A cell that begins with one of these is a formula to spreadsheets; names come from whoever sends requests.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def number(value: Decimal | int | None) -> str:
    """All decimals that matter and no exponent."""
    if value is None:
        return ""
    written = f"{value:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def moment(value: datetime | None) -> str:
    return "" if value is None else f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def text(value: str) -> str:
    """What somebody wrote, on one line; a spreadsheet must not take it for a formula."""
    line = " ".join(value.split())
    return f"'{line}" if line.startswith(FORMULA) else line


def pairs(values: Mapping[str, str]) -> str:
    """A Key-Value column; nothing where every value is."""
    present = {name: value for name, value in values.items() if value}
    return json.dumps(present, ensure_ascii=False) if present else ""
