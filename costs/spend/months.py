"""The month in an address, as `2026-10`: one that is none, or has not begun, is told of and another one shown."""

from __future__ import annotations

from datetime import UTC, date, datetime

from django.contrib import messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

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
        message = _("“%(text)s” is no month that has begun, written as 2026-10: this is %(shown)s.")
        messages.warning(request, message % {"text": text[:40], "shown": else_shown})
    return None
