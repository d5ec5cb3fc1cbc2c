"""What the pages of entered charges, of what repeats, and of exchange rates show and say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.labels import category_name
from costs.models import Charge, ExchangeRate, Recurrence
from lib import formats
from lib.formats import dollars, sentences, state
from providers.models import provider_name


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """One entered charge as of `today`."""

    charge: Charge
    today: date

    @property
    def is_final(self) -> bool:
        return self.charge.is_final(self.today)

    @property
    def url(self) -> str:
        """Where it is changed or corrected: with its bill while that can be taken back, else by itself."""
        if self.charge.bill_import_id and not self.is_final:
            return reverse("costs:bill", args=[self.charge.bill_import_id])
        return reverse("costs:charge", args=[self.charge.pk])

    def day(self) -> str:
        """Its day, or the month that it was entered for."""
        if self.charge.of_a_month:
            return date_format(self.charge.starts_at, "F Y")
        return formats.when(self.charge.day)


def charges_headline(month: date | None, number: int, amount: Decimal) -> str:
    """How many charges were entered, for a month or ever, and what they come to."""
    if month is None and not number:
        return _("No manual entries yet. All costs come from bills, GPU rentals and requests.")
    if not number:
        text = _("No manual entries for {month}.")
    elif month:
        text = ngettext(
            "<b>1 manual entry</b> of <b>{amount}</b> for {month}.",
            "<b>{n} manual entries</b> of <b>{amount}</b> for {month}.",
            number,
        )
    else:
        text = ngettext(
            "<b>1 manual entry</b> of <b>{amount}</b>.",
            "<b>{n} manual entries</b> of <b>{amount}</b>.",
            number,
        )
    return format_html(text, n=number, amount=dollars(amount), month=formats.month(month))


def largest_text(sums: Sequence[tuple[str, Decimal]]) -> str:
    """Which provider has most of what was entered; `sums` are slugs and USD, the largest first."""
    if not sums:
        return _("Examples")
    slug, amount = sums[0]
    return _("Highest: %(name)s, %(amount)s") % {"name": provider_name(slug), "amount": dollars(amount)}


@dataclass(frozen=True, slots=True)
class RecurrenceRow:
    """One series of charges: when it arises next, and the days that wait for an exchange rate."""

    recurrence: Recurrence
    next: date | None
    waiting: Sequence[date]

    @property
    def provider(self) -> str:
        return provider_name(self.recurrence.provider)

    @property
    def category(self) -> str:
        return category_name(self.recurrence.category)

    def period(self) -> str:
        first = date_format(self.recurrence.starts_on, "j M Y")
        if self.recurrence.until is None:
            return _("since %(first)s") % {"first": first}
        return _("%(first)s to %(last)s") % {"first": first, "last": date_format(self.recurrence.until, "j M Y")}

    @property
    def lacks_rate(self) -> bool:
        return bool(self.waiting) and self.recurrence.stopped_at is None

    def state_mark(self) -> SafeString:
        if self.recurrence.stopped_at:
            return state("unknown", _("stopped"))
        if self.waiting:
            return state("warn", _("exchange rate missing"))
        return state("ok", _("active")) if self.next else state("info", _("ended"))


def recurrences_headline(rows: Sequence[RecurrenceRow]) -> str:
    """How many charges repeat, and when the first of the list does next."""
    going_on = [(row, row.next) for row in rows if row.next]
    if not going_on:
        return _("No active repeating costs.")
    text = ngettext(
        "<b>1 repeating cost</b>, next on <b>{day}</b>: {category} at {provider}.",
        "<b>{n} repeating costs</b>, next on <b>{day}</b>: {category} at {provider}.",
        len(going_on),
    )
    first, day = going_on[0]
    return format_html(
        text,
        n=len(going_on),
        category=first.category,
        provider=first.provider,
        day=date_format(day, "j F"),
    )


def rates_headline(rates: Sequence[ExchangeRate], currencies: int) -> str:
    """The newest exchange rate, and of how many currencies there are any."""
    if not rates:
        return _("No exchange rates yet. Entries in USD need none.")
    newest = rates[0]
    text = _("<b>1 {currency} is {usd} USD</b> since {day}.")
    rate = format_html(text, currency=newest.currency, usd=newest.usd.normalize(), day=date_format(newest.day, "j F Y"))
    counted = ngettext("One currency has rates.", "%(n)s currencies have rates.", currencies) % {"n": currencies}
    return sentences(rate, counted)
