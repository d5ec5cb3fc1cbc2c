"""Windows of the calendar in which caps count, and the whole numbers that they count in. Pure, for the gateway too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

NANO = 1_000_000_000  # USD are counted in thousand millionths, rounded up
MOST = 2**52  # of anything: what comes on top is as much; scripts in Valkey count in doubles


class Window(NamedTuple):
    """A span of time, `end` exclusive, both in UTC."""

    start: datetime
    end: datetime


def window_of(period: str, now: datetime, zone: tzinfo) -> Window:
    """The `minute`, `day`, `week` (from Monday) or `month` of a moment by the clock of a zone."""
    if period == "minute":
        start = now.astimezone(UTC).replace(second=0, microsecond=0)
        return Window(start, start + timedelta(minutes=1))
    day = now.astimezone(zone).date()
    if period == "week":
        first = day - timedelta(days=day.weekday())
        return Window(midnight(first, zone), midnight(first + timedelta(days=7), zone))
    if period == "month":
        first = day.replace(day=1)
        return Window(midnight(first, zone), midnight((first + timedelta(days=32)).replace(day=1), zone))
    return Window(midnight(day, zone), midnight(day + timedelta(days=1), zone))


def midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def zone_of(name: str) -> tzinfo:
    """A time zone by its name; UTC for a name that this machine does not have."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def counted(unit: str, amount: Decimal | int) -> int:
    """An amount of `requests`, `tokens` or `usd` as the whole number that is counted, at most 2^52."""
    exact = Decimal(amount) * NANO if unit == "usd" else Decimal(amount)
    return min(int(exact.to_integral_value(ROUND_CEILING)), MOST)


def amount_of(unit: str, number: int) -> Decimal:
    """The amount that a whole number stands for."""
    return Decimal(number) / NANO if unit == "usd" else Decimal(number)
