"""Days and months as the pages of this app count and are asked for them, in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.contrib import messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from costs.verdicts.on_plan import FEWEST_DAYS
from lib.dates import DAY
from lib.periods import next_month

EARLIEST = date(2000, 1, 1)


def month_in(text: str) -> date | None:
    """Its first day; None for what is no month since 2000."""
    try:
        month = date.fromisoformat(f"{text}-01")
    except ValueError:
        return None
    return month if month >= EARLIEST else None


def running_month(now: datetime | None = None) -> date:
    """The first day of the month that it is, in UTC."""
    return (now or timezone.now()).astimezone(UTC).date().replace(day=1)


CLOSED_DAYS = 5  # of a month, on which the one before comes first: then a manager looks at it


def month_asked(request: HttpRequest, default: date | None = None) -> date:
    """The first day of the month asked for; without one `default`, which is the running month unless given."""
    shown = default or running_month()
    return _asked(request, date_format(shown, "F Y")) or shown


def month_or_all(request: HttpRequest) -> date | None:
    """The first day of the month asked for; None, which stands for all of them, without one."""
    return _asked(request, _("all months"))


def _asked(request: HttpRequest, else_shown: str) -> date | None:
    text = request.GET.get("month", "")
    month = month_in(text)
    if month is not None and month <= running_month():
        return month
    if text:
        message = _("“%(text)s” is not a past or current month. Write it as 2026-10. This is %(shown)s.")
        messages.warning(request, message % {"text": text[:40], "shown": else_shown})
    return None


FIRST_DAY = date(2020, 1, 1)
MONTH = re.compile(r"^(\d{4})-(\d{2})$")


def today() -> date:
    return timezone.now().astimezone(UTC).date()


def month_of(day: date) -> tuple[date, date]:
    """First and last day of the month of a day."""
    first = day.replace(day=1)
    return first, (first + timedelta(31)).replace(day=1) - timedelta(1)


@dataclass(frozen=True, slots=True)
class Days:
    """The days shown, and those of the month before that they are held against; `until` is exclusive."""

    since: date
    until: date
    before: date
    before_until: date
    recorded: date | None = None  # the first day of which anything is known

    @property
    def half_recorded(self) -> bool:
        """Whether our records begin within the days that these are held against."""
        return self.recorded is not None and self.before < self.recorded < self.before_until

    @property
    def running(self) -> bool:
        return self.until < next_month(self.since)

    @property
    def is_early(self) -> bool:
        """Whether the month has too few whole days behind it for a percentage against the month before, or that one is
        not known as a whole."""
        return self.half_recorded or (self.running and (self.last - self.since).days < FEWEST_DAYS)

    @property
    def last(self) -> date:
        return self.until - DAY

    @property
    def before_last(self) -> date:
        return self.before_until - DAY

    def words(self) -> str:
        return from_first(self.last)


def from_first(last: date) -> str:
    """`1 to 29 October`, or `October`: the days of a month until this one, for what is compared with them."""
    if (last + DAY).day == 1:
        return date_format(last, "F")
    day = date_format(last, "j F")
    return day if last.day == 1 else _("1 to %(last)s") % {"last": day}


def compared(days: Days) -> str:
    """`1 to 10 November, compared with 1 to 10 October`."""
    words = {"days": days.words(), "before": from_first(days.before_last)}
    return _("%(days)s, compared with %(before)s") % words


def too_early(days: Days) -> str:
    """Why no percentage is shown."""
    if days.half_recorded and days.recorded:
        words = {"first": date_format(days.recorded, "j F"), "days": from_first(days.before_last)}
        return _("Records begin on %(first)s, so there is no comparison with %(days)s.") % words
    return _("It is too early to compare with %(days)s.") % {"days": from_first(days.before_last)}


def days_of(month: date, today: date, recorded: date | None = None) -> Days:
    """A whole month against the whole one before, or the running month against the same days of the one before."""
    before = (month - DAY).replace(day=1)
    until = min(next_month(month), max(month, today + DAY))
    running = until < next_month(month)
    return Days(month, until, before, min(month, before + (until - month)) if running else month, recorded)


def months_since(first: date, today: date, shown: date | None = None) -> list[date]:
    """First days of months, the running one first; the month `shown` is among them, also one without data."""
    months, month = [], first.replace(day=1)
    while month <= today:
        months.append(month)
        month = next_month(month)
    return sorted({*months, *([shown] if shown else [])}, reverse=True)
