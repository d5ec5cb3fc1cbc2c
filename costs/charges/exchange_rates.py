"""Other currencies in USD, at the rate of the day, with the source of that rate.

Rates are entered by hand or read from the file of the European Central Bank (`eurofxref.csv` or
`eurofxref-hist.csv`: units of each currency for one EUR, one row a day). Nothing is fetched.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from costs.models import ExchangeRate
from lib.money import COST_STEP

ECB = "European Central Bank, euro reference rates"
RATE_STEP = Decimal("1e-10")
LARGEST_RATE = Decimal(100_000)
DATE_FORMS = ("%Y-%m-%d", "%d %B %Y", "%d %b %Y")


class NoRate(Exception):
    """No rate of a currency is known for a day; its text says so to a person."""

    def __init__(self, currency: str, day: date) -> None:
        message = _("There is no rate of %(currency)s for %(day)s or the month before.")
        super().__init__(message % {"currency": currency, "day": date_format(day, "j F Y")})


@dataclass(frozen=True, slots=True)
class Converted:
    """An amount in USD, and the rate that made it; None where nothing had to be converted."""

    amount: Decimal
    rate: Decimal | None = None
    source: str = ""


def to_usd(amount: Decimal, currency: str, day: date) -> Converted:
    """Raises NoRate."""
    if currency == "USD":
        return Converted(amount.quantize(COST_STEP))
    rate = ExchangeRate.objects.at(currency, day)
    if rate is None:
        raise NoRate(currency, day)
    return Converted((amount * rate.usd).quantize(COST_STEP), rate.usd, f"{rate.source}, {rate.day}")


@dataclass(frozen=True, slots=True)
class Rate:
    """USD for one unit."""

    currency: str
    day: date
    usd: Decimal


class UnreadableRates(ValueError):
    """What is wrong with a file of rates, in a sentence."""


def read_ecb(content: bytes) -> list[Rate]:
    """Every rate of the bank's CSV in USD, or UnreadableRates: never a part of it."""
    try:
        rows = [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))) if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableRates(_("This is not a CSV file in UTF-8.")) from error
    heads = [cell.strip() for cell in rows[0]] if rows else []
    if heads[:1] != ["Date"] or "USD" not in heads:
        raise UnreadableRates(_("The first row must have Date and the currencies, including USD."))
    rates = [rate for number, row in enumerate(rows[1:], start=2) for rate in rates_of(heads, row, number)]
    if not rates:
        raise UnreadableRates(_("The file has no rates."))
    return rates


def rates_of(heads: list[str], row: list[str], number: int) -> list[Rate]:
    """One day's rates: the euro itself, and each currency by way of it."""
    cells = {head: cell.strip() for head, cell in zip(heads, row, strict=False) if head}
    day = day_of(cells["Date"], number)
    values = {head: rate_of(cell, head, number) for head, cell in cells.items() if head not in ("", "Date")}
    dollars = values.pop("USD", None)
    if dollars is None:
        return []
    crossed = {head: (dollars / value).quantize(RATE_STEP) for head, value in values.items() if value}
    return [Rate("EUR", day, dollars)] + [Rate(head, day, value) for head, value in crossed.items()]


def day_of(text: str, number: int) -> date:
    for form in DATE_FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    raise UnreadableRates(_("Row %(n)d has no valid day: %(text)s.") % {"n": number, "text": text[:30]})


def rate_of(text: str, currency: str, number: int) -> Decimal | None:
    """None where the bank says `N/A`."""
    if text in ("", "N/A"):
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(0)
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise UnreadableRates(_("%(text)s is not a currency.") % {"text": currency[:30]})
    if not value.is_finite() or not 0 < value < LARGEST_RATE:
        message = _("Row %(n)d has no valid rate of %(currency)s: %(text)s.")
        raise UnreadableRates(message % {"n": number, "currency": currency, "text": text[:30]})
    return value


@transaction.atomic
def save_rates(*, rates: list[Rate], source: str, user: Any) -> int:
    """Write rates, in place of those of the same days; charges keep the rate that they were made with."""
    unique = {(rate.currency, rate.day): rate for rate in rates}
    rows = [
        ExchangeRate(currency=rate.currency, day=rate.day, usd=rate.usd, source=source, entered_by=user)
        for rate in unique.values()
    ]
    ExchangeRate.objects.bulk_create(
        rows,
        batch_size=2000,
        update_conflicts=True,
        unique_fields=["currency", "day"],
        update_fields=["usd", "source", "entered_by"],
    )
    return len(rows)
