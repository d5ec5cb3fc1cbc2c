"""Reads of what the answer cache saves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Q, Sum

from traffic.models import Application, CacheSaving

DAYS = 30  # that a saving is shown of, today included


@dataclass(frozen=True, slots=True)
class Saved:
    """What answers from the cache saved: `cost` in USD of those hits whose cost is known, all but `unpriced`."""

    application: str = ""  # its name
    slug: str = ""
    hits: int = 0
    unpriced: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)


def saved_by_application(today: date, application: Application | None = None) -> list[Saved]:
    """By application, of the last 30 days in UTC, the largest saving first; of one or of all."""
    days = CacheSaving.objects.filter(day__gt=today - timedelta(days=DAYS), day__lte=today)
    if application is not None:
        days = days.filter(application=application)
    rows = days.values_list("application__name", "application__slug").annotate(
        Sum("hits"), Sum("unpriced"), Sum("tokens"), total=Sum("cost")
    )
    return [Saved(*row) for row in rows.order_by("-total", "application__slug")]


def any_caching() -> bool:
    """Whether an application has the cache on, or had it and used it."""
    return Application.objects.filter(Q(cache_minutes__isnull=False) | Q(cache_savings__isnull=False)).exists()
