"""When a message may reach a person: at once, after their quiet hours, or with the day's digest. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from lib.wall_clock import next_at, span_end

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
    end = span_end(at, wishes.quiet_from, wishes.quiet_until, zone)
    if wishes.digest and RANK[severity] <= RANK[wishes.digest]:
        due = next_at(at, wishes.digest_at, zone)
        # A digest within quiet hours comes at their end, with the messages deferred by them.
        later = span_end(due, wishes.quiet_from, wishes.quiet_until, zone)
        return SendTime(later or due, "digest")
    return SendTime(end, "quiet") if end else SendTime(at)
