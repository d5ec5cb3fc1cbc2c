"""Times of day on a clock in a time zone. Pure functions."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def span_end(at: datetime, start: time | None, end: time | None, zone: ZoneInfo) -> datetime | None:
    """When the daily span from `start` to `end` around a moment ends, in UTC; None where it lies in no such span. The
    span may go past midnight."""
    if start is None or end is None or start == end:
        return None
    clock = at.astimezone(zone).time()
    inside = start <= clock < end if start < end else clock >= start or clock < end
    return next_at(at, end, zone) if inside else None


def next_at(at: datetime, clock: time, zone: ZoneInfo) -> datetime:
    """The next time after a moment that a clock in a zone shows, in UTC; right where clocks are put forward or back."""
    today = at.astimezone(zone).date()
    days = (datetime.combine(today + timedelta(days=n), clock, zone).astimezone(UTC) for n in range(3))
    return next(day for day in days if day > at)
