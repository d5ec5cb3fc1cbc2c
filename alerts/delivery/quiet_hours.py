"""When a message may reach a person: at once, after their quiet hours, or with the day's digest. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from alerts.models import Preference

RANK = {"info": 0, "warning": 1, "critical": 2}


@dataclass(frozen=True, slots=True)
class SendTime:
    """When one message leaves. `deferred_by`: empty for at once, else `quiet` or `digest`; deferred messages of one
    person leave together at `due`."""

    due: datetime
    deferred_by: str = ""


def accepts_severity(wishes: Preference | None, severity: str) -> bool:
    """Whether a person gets mail of a severity at all."""
    return wishes is None or RANK[severity] >= RANK[wishes.least]


def send_time(wishes: Preference | None, severity: str, at: datetime) -> SendTime:
    """When a message about something that happened at `at` leaves for a person. Critical ones are never deferred."""
    if wishes is None or severity == "critical":
        return SendTime(at)
    zone = ZoneInfo(wishes.timezone)
    end = quiet_end(at, wishes.quiet_from, wishes.quiet_until, zone)
    if wishes.digest and RANK[severity] <= RANK[wishes.digest]:
        due = next_at(at, wishes.digest_at, zone)
        # A digest within quiet hours comes at their end, with the messages deferred by them.
        later = quiet_end(due, wishes.quiet_from, wishes.quiet_until, zone)
        return SendTime(later or due, "digest")
    return SendTime(end, "quiet") if end else SendTime(at)


def quiet_end(at: datetime, start: time | None, end: time | None, zone: ZoneInfo) -> datetime | None:
    """When the quiet hours around a moment end, in UTC; None where it lies in none. They may go past midnight."""
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
