"""Months that nothing new may be dated into, because an invoice closed them or their figures are final."""

from __future__ import annotations

from datetime import UTC, date

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from costs.finality import month_final_on
from costs.models import Charge, Closing, Provenance
from lib import sql
from lib.periods import next_month
from providers.models import provider_name
from traffic.models import UsageDay


def closed_on(month: date) -> dict[str, date]:
    """The day on which its invoice closed this month, by provider; those without a closing are not in it."""
    closings = sql.rows("SELECT provider, created_at FROM costs_closing WHERE month = %s", [month])
    return {provider: at.astimezone(UTC).date() for provider, at in closings}


def why_stated(provider: str, day: date, today: date) -> str:
    """Why nothing new can be dated into the month of a day: it is closed or final, and figures of it were told.

    A month from before anything that bills, machines or requests say was never told to anybody: it stays open.
    """
    month = day.replace(day=1)
    names = {"name": provider_name(provider), "month": date_format(month, "F Y")}
    if Closing.objects.filter(provider=provider, month=month).exists():
        message = _("%(month)s of %(name)s is closed by an invoice. Enter a correction on a later day.")
        return message % names
    final = month_final_on(provider, month)
    if today < final or not known_before(next_month(month)):
        return ""
    message = _("%(month)s of %(name)s is final since %(day)s. Enter a correction on a later day.")
    return message % {**names, "day": date_format(final, "j F Y")}


def known_before(day: date) -> bool:
    """Whether anything but people's own entries is known from before a day."""
    made = Charge.objects.exclude(provenance=Provenance.ENTERED).filter(day__lt=day)
    return made.exists() or UsageDay.objects.filter(day__lt=day).exists()
