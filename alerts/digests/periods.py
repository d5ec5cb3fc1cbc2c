"""Which digest or statement is due to whom, and when: UTC periods, on the person's own morning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from alerts.models.reports import ReportKind
from lib.dates import midnight
from lib.wall_clock import next_at, span_end

if TYPE_CHECKING:
    from alerts.models import Preference

# Who said nothing gets what their work asks for; staff see no money.
OF_ROLE = {"manager": (ReportKind.WEEKLY, ReportKind.MONTHLY, ReportKind.STATEMENT), "ops": (ReportKind.DAILY,)}
OF_ADMINS = (ReportKind.WEEKLY, ReportKind.STATEMENT)
MAY_SEE = "costs.view_charge"
# So late one still comes; after that only the next does, so a worker that was away for a week sends one and not seven.
LATEST = {
    ReportKind.DAILY: timedelta(hours=12),
    ReportKind.WEEKLY: timedelta(days=2),
    ReportKind.MONTHLY: timedelta(days=3),
    ReportKind.STATEMENT: timedelta(days=10),
}
LAST_DAY = 3  # of the month, on which a statement goes out though it is not final


@dataclass(frozen=True, slots=True)
class Period:
    """UTC days from `since` to the day before `until`."""

    since: date
    until: date

    @property
    def days(self) -> int:
        return (self.until - self.since).days

    @property
    def before(self) -> Period:
        """As many days before it."""
        return Period(self.since - (self.until - self.since), self.since)


def newest(kind: str, today: date) -> Period:
    """The last period of a kind that is over on a UTC day."""
    if kind == ReportKind.DAILY:
        return Period(today - timedelta(days=1), today)
    if kind == ReportKind.WEEKLY:
        monday = today - timedelta(days=today.weekday())
        return Period(monday - timedelta(days=7), monday)
    first = today.replace(day=1)
    return Period((first - timedelta(days=1)).replace(day=1), first)


def due_at(period: Period, wishes: Preference) -> datetime:
    """The person's first morning after its last UTC day, and after their quiet hours."""
    zone = ZoneInfo(wishes.timezone)
    end = midnight(period.until)
    due = next_at(end - timedelta(microseconds=1), wishes.digest_at, zone)
    return span_end(due, wishes.quiet_from, wishes.quiet_until, zone) or due


def due(kind: str, wishes: Preference, now: datetime) -> Period | None:
    """The newest period whose morning has come; None where that is too long ago."""
    today = now.astimezone(UTC).date()
    latest = newest(kind, today)
    for period in (latest, newest(kind, latest.until - timedelta(days=1))):
        at = due_at(period, wishes)
        if at <= now:
            return period if now - at <= LATEST[ReportKind(kind)] else None
    return None


def chosen(person: Any, wishes: Preference) -> list[str]:
    """The kinds that a person gets: what they said, else what their role suggests."""
    if wishes.reports is not None:
        return list(wishes.reports)
    names: Iterable[str] = person.groups.values_list("name", flat=True)
    role_kinds = {kind for name in names for kind in OF_ROLE.get(name, ())}
    if person.is_superuser:
        role_kinds |= set(OF_ADMINS)
    return [kind for kind in ReportKind.values if kind in role_kinds]
