"""Values as files write them: times with and without an offset, numbers with a comma or a point. Pure.

Each raises `Rejected` with a sentence for the person who reads the list of errors; None and "" are unknown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from traffic.imports.base import Options
from traffic.ingest.bounds import MOST_TOKENS
from traffic.ingest.native import Rejected
from traffic.ingest.otlp.names import PROVIDERS, provider_by
from traffic.json_depth import loads

# A count of seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by its size.
UNITS = ((1e11, 1), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))
SLASHED = re.compile(
    r"^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6}))?)?)?$"
)
GROUPED = re.compile(r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$")
MOST_SUM = 10**15  # a vendor's sum of a day; a number with a long exponent would be written out digit by digit
EMPTY = ("", "null", "none", "nan", "\\n")


def blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in EMPTY)


def text(value: Any) -> str | None:
    """A word as it stands; None where there is none."""
    return None if blank(value) else str(value).strip()


def first(record: Mapping[str, Any], *names: str) -> Any:
    """The value of the first of these columns that holds one."""
    return next((record[name] for name in names if not blank(record.get(name))), None)


def moment(value: Any, options: Options, name: str = "started_at") -> datetime | None:
    """A moment in UTC; a time without an offset is in the zone that the person said."""
    if blank(value):
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return since_1970(float(value), name)
    written = str(value).strip()
    try:
        return since_1970(float(written), name)
    except ValueError:
        when = slashed(written, options, name) or iso(written, name)
    return (when if when.tzinfo else when.replace(tzinfo=ZoneInfo(options.zone))).astimezone(UTC)


def since_1970(number: float, name: str) -> datetime:
    unit = next((unit for limit, unit in UNITS if abs(number) < limit), None)
    try:
        if unit is None or number <= 0:
            raise ValueError
        return datetime.fromtimestamp(number / unit, UTC)
    except (ValueError, OverflowError, OSError):
        raise Rejected([name], f"{number:g} is no moment since 1970.") from None


def iso(written: str, name: str) -> datetime:
    try:
        return datetime.fromisoformat(written.removesuffix(" UTC"))
    except ValueError:
        raise Rejected([name], f"{written[:60]!r} is no date and time.") from None


def slashed(written: str, options: Options, name: str) -> datetime | None:
    """05/06/2026 14:00; which of the two is the day is never guessed."""
    match = SLASHED.match(written)
    if match is None:
        return None
    first, second = int(match[1]), int(match[2])
    day_first = True if first > 12 else False if second > 12 else options.day_first
    if day_first is None:
        raise Rejected([name], f"In {written!r} it is not clear which is the day. Choose which comes first.")
    day, month = (first, second) if day_first else (second, first)
    micro = int((match[7] or "0").ljust(6, "0"))
    try:
        clock = (int(match[4] or 0), int(match[5] or 0), int(match[6] or 0), micro)
        return datetime(int(match[3]), month, day, *clock)  # noqa: DTZ001 -- the caller gives it the file's zone
    except ValueError:
        raise Rejected([name], f"{written!r} is no date and time.") from None


def decimal(value: Any, options: Options, name: str) -> Decimal | None:
    """A number, exact; grouped thousands are read, a comma that might be either is refused."""
    if blank(value):
        return None
    written = str(value).strip().replace("\u00a0", "").replace("\u202f", "").replace(" ", "").replace("'", "")
    if options.decimal_comma:
        written = written.replace(".", "").replace(",", ".")
    elif "," in written:
        if not GROUPED.match(written):
            raise Rejected([name], f"{written[:40]!r} is no number. Is its comma a decimal one?")
        written = written.replace(",", "")
    try:
        parsed = Decimal(written)
    except InvalidOperation:
        raise Rejected([name], f"{written[:40]!r} is no number.") from None
    if not parsed.is_finite():
        raise Rejected([name], f"{written[:40]!r} is no number.")
    return parsed


def count(value: Any, options: Options, name: str) -> int | None:
    """A whole number, not negative."""
    parsed = decimal(value, options, name)
    if parsed is None:
        return None
    if not 0 <= parsed <= MOST_SUM or parsed != parsed.to_integral_value():
        raise Rejected([name], f"{value!r} is no count.")
    return int(parsed)


def number(value: Any, options: Options, name: str) -> float | None:
    parsed = decimal(value, options, name)
    return None if parsed is None else float(parsed)


def milliseconds(start: datetime | None, end: datetime | None) -> float | None:
    """None where an end is missing, or lies before the start."""
    if start is None or end is None or end < start:
        return None
    return (end - start).total_seconds() * 1000


def nested(value: Any) -> dict[str, Any]:
    """The object that a cell holds as JSON; an empty one for anything else."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def whole(value: Any) -> int:
    """A count inside an object of another tool; 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0
    return int(min(max(value, 0), MOST_TOKENS + 1))  # too many are too many further on


SNAKE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake(name: str) -> str:
    """A column's name in snake case: startTime, Start Time and start_time are the same."""
    return re.sub(r"[^a-z0-9.]+", "_", SNAKE.sub("_", name.strip()).lower()).strip("_")


def provider_of(value: Any, model: str | None, options: Options) -> str:
    """Whose model it is: as the record says, as the person says, or by the model's name."""
    named = (text(value) or options.provider or "").lower()
    if named:
        return PROVIDERS.get(named, named)
    if provider := provider_by(model):
        return provider
    if not model:
        raise Rejected(["model"], "Has no model.")
    raise Rejected(["provider"], f"The provider of {model!r} is unknown. Choose the provider for this file.")
