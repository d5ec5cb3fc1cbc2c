"""Until when a figure may still change: vendors revise their reports for a while, and people put theirs right.

Pure; days and months are UTC.
"""

from __future__ import annotations

from datetime import date, timedelta

from lib.periods import next_month
from providers.connectors import CONNECTORS, connector_class

# Where no vendor says for how long it revises: what people enter and what we measure ourselves.
OWN_WINDOW = timedelta(days=30)


def revision_window(provider: str) -> timedelta | None:
    """How long the vendor revises a day that it has reported; None where no connector reads its bill."""
    return connector_class(provider).reread.get("costs") if provider in CONNECTORS else None


def final_on(provider: str, until: date) -> date:
    """The day from which nothing before `until` (exclusive) changes any more."""
    window = revision_window(provider)
    return until + (OWN_WINDOW if window is None else window)


def month_final_on(provider: str, day: date) -> date:
    """When the month of this day is final at a provider: what people entered for it stays as it is from then on."""
    return final_on(provider, next_month(day.replace(day=1)))
