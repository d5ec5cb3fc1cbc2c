"""What a price, or a discount, means for requests that are stored already; read from the rollups, so an estimate.

A repricing is exact, request by request; this is what a person sees before deciding whether to ask for one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Max, Min, Q, Sum

from lib.dates import midnight
from lib.model_names import canonical_name
from lib.tokens import TOKEN_CLASSES
from providers.models import TokenPrice
from traffic.models import UsageDay, UsageHour

WAITING_DAYS = 30


@dataclass(frozen=True, slots=True)
class Waiting:
    """A model with requests that no price is known for; `tokens` of all its requests of those days."""

    provider: str
    model: str
    requests: int
    tokens: int
    first: date
    last: date


def waiting_for_price(today: date) -> list[Waiting]:
    """Models of the last 30 days whose requests wait for a price, most requests first."""
    tokens = sum((Sum(name) for name in TOKEN_CLASSES[1:]), Sum(TOKEN_CLASSES[0]))
    rows = UsageDay.objects.filter(day__gte=today - timedelta(days=WAITING_DAYS), unpriced__gt=0)
    by_model = rows.values("provider", "model").annotate(
        n=Sum("unpriced"), tokens=tokens, first=Min("day"), last=Max("day")
    )
    return [
        Waiting(row["provider"], row["model"], row["n"], row["tokens"] or 0, row["first"], row["last"])
        for row in by_model.order_by("-n", "provider", "model")
    ]


@dataclass(frozen=True, slots=True)
class Effect:
    """Stored requests that a new price would be for: how many, what they cost today, about what they would cost.

    `unpriced` of them have no cost today. USD; `after` is None where a rate that they need is not known.
    """

    requests: int
    unpriced: int
    before: Decimal
    after: Decimal | None

    @property
    def amount(self) -> Decimal | None:
        return None if self.after is None else self.after - self.before


def names_of(provider: str, model: str, since: date) -> list[str]:
    """What requests call a model: its name, and dated names that have no price of their own."""
    used = UsageDay.objects.filter(provider=provider, day__gte=since).values_list("model", flat=True).distinct()
    alike = {name for name in used.order_by() if name != model and canonical_name(name) == model}
    own = set(TokenPrice.objects.filter(provider=provider, model__in=alike).values_list("model", flat=True))
    return sorted({model, *alike} - own)


def effect(
    *, provider: str, model: str, since: datetime, until: datetime | None, price: Callable[[Mapping[str, int]], Any]
) -> Effect:
    """Requests from `since` to before `until`; `price` says what a sum of tokens by class costs, or None."""
    first = since.date()
    sums: dict[str, Any] = {name: Sum(name) for name in (*TOKEN_CLASSES, "requests", "unpriced", "cost")}
    named = Q(provider=provider, model__in=names_of(provider, model, first)) if model else Q(provider=provider)
    # Whole days from the daily rows, the days of the edges from the hours.
    days = UsageDay.objects.filter(named, day__gt=first)
    edges = Q(hour__gte=since, hour__lt=midnight(first + timedelta(days=1)))
    if until is not None:
        days = days.filter(day__lt=until.date())
        edges = (edges | Q(hour__gte=max(midnight(until.date()), since))) & Q(hour__lt=until)
    hours = UsageHour.objects.filter(named, edges)
    sums_of_parts = [part.order_by().aggregate(**sums) for part in (days, hours)]
    whole = {name: sum((part[name] or 0 for part in sums_of_parts), Decimal(0)) for name in sums}
    after = price({name: int(whole[name]) for name in TOKEN_CLASSES})
    return Effect(int(whole["requests"]), int(whole["unpriced"]), Decimal(whole["cost"]), after)
