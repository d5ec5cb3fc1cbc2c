"""Lengths of time, and days in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)  # the start of what has no known start, before anything that we can see


def midnight(day: date) -> datetime:
    """The first moment of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def day_of(text: str) -> date | None:
    """A day as an address or a form has it, YYYY-MM-DD; None for what is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
