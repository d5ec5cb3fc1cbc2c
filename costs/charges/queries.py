"""Reads of the entered charges, their series, receipts and exchange rates."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max, Min, QuerySet, Sum
from django.shortcuts import get_object_or_404

from costs.models import Charge, ExchangeRate, Provenance, Receipt, Recurrence
from costs.querysets import ChargeQuerySet
from lib.money import ZERO


def entered_charges(month: date | None) -> ChargeQuerySet:
    """Charges that people entered, of one month or of all."""
    entered = Charge.objects.filter(provenance=Provenance.ENTERED)
    return entered.filter(day__year=month.year, day__month=month.month) if month else entered


def page_of_charges(entered: ChargeQuerySet, first: int, count: int) -> list[Charge]:
    """The newest first, from number `first` on."""
    related = entered.select_related("entered_by", "application", "receipt", "recurrence", "closing")
    return list(related.order_by("-day", "-pk")[first : first + count])


def count_and_sum(entered: ChargeQuerySet) -> tuple[int, Decimal]:
    """How many there are, and what they come to in USD."""
    return entered.count(), entered.aggregate(sum=Sum("amount"))["sum"] or ZERO


def sums_by_provider(entered: ChargeQuerySet) -> list[tuple[str, Decimal]]:
    """Slug and USD of each provider, the most expensive first."""
    rows = entered.values("provider").annotate(sum=Sum("amount")).order_by("-sum")
    return [(row["provider"], row["sum"]) for row in rows]


def entered_charge(pk: int) -> Charge:
    """A charge of a person, or of a bill that a person entered as a file; what we make of bills and leases is not.

    Raises Http404.
    """
    return get_object_or_404(
        Charge.objects.select_related("application", "receipt", "corrects", "closing", "bill_import"),
        pk=pk,
        provenance=Provenance.ENTERED,
    )


def corrections_of(charge: Charge) -> QuerySet[Charge]:
    return charge.corrections.all()


def receipt(pk: int) -> Receipt:
    """Raises Http404."""
    return get_object_or_404(Receipt, pk=pk)


def recurrence(pk: int) -> Recurrence:
    """Raises Http404."""
    return get_object_or_404(Recurrence, pk=pk)


def all_recurrences() -> list[Recurrence]:
    """Every series with the number of its charges (`times`) and their sum in USD (`sum`); those that run come first."""
    series = Recurrence.objects.select_related("application", "receipt", "entered_by")
    return list(series.annotate(times=Count("charges"), sum=Sum("charges__amount")).order_by("-stopped_at", "pk"))


def currencies() -> list[dict[str, Any]]:
    """Each currency with the number of its rates and their first and last day."""
    rows: Any = ExchangeRate.objects.values("currency").annotate(count=Count("pk"), first=Min("day"), last=Max("day"))
    return list(rows.order_by("currency"))


def newest_rates(currency: str, most: int) -> list[ExchangeRate]:
    """Rates of a currency, or of all where it is empty."""
    rows = ExchangeRate.objects.select_related("entered_by").order_by("-day", "currency")
    return list((rows.filter(currency=currency) if currency else rows)[:most])


def exchange_rate(currency: str, day: date) -> ExchangeRate:
    return ExchangeRate.objects.get(currency=currency, day=day)
