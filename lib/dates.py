"""Days in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime


def midnight(day: date) -> datetime:
    """The first moment of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
