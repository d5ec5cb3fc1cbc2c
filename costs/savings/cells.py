"""Traffic by application, model and task: tokens, the cost of each token class, and a bounded sample of its requests.

Costs are measured (request log x price book, contracts' discounts taken off) and divided over the token classes by
their prices. Requests on our own leases have no cost here; `machines.py` looks at the hours of a machine instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import connection
from django.db.models import Count, F, Sum

from costs.list_prices import ListPrices, list_rates
from costs.savings.base import Window
from lib.money import COST_STEP, ZERO
from lib.tokens import TOKEN_CLASSES
from providers.pricing.rules import cost_of_tokens
from traffic.models import UsageDay

MOST_CELLS = 200  # the ones that cost most; the others cost cents
SAMPLE_DAYS, SAMPLE_ROWS = 3, 2_000  # last days of the window, and requests of each


@dataclass(frozen=True, slots=True)
class UsageCell:
    """Requests of one application, model and task in the window, without those on our own leases; amounts in USD.

    `rates` are USD a token by class, discounts taken off; a class without a price is missing.
    """

    application_id: int
    provider: str
    model: str
    task: str
    requests: int
    batched: int
    tokens: Mapping[str, int]
    cost: Decimal
    rates: Mapping[str, Fraction]
    batch_factor: Decimal | None

    @property
    def subject(self) -> str:
        return f"{self.application_id}:{self.provider}:{self.model}:{self.task}"

    def claims(self, *classes: str) -> frozenset[tuple[str, str]]:
        return frozenset((self.subject, name) for name in classes or TOKEN_CLASSES)

    def names(self) -> dict[str, Any]:
        """The columns of a finding that name application, model and task."""
        whose = self.application_id or None
        return {"application_id": whose, "provider": self.provider, "model": self.model, "task": self.task}

    @property
    def listed(self) -> Fraction:
        """USD of all its tokens at their rates, without the batch discount."""
        return self.at(self.rates) or Fraction(0)

    def at(self, rates: Mapping[str, Fraction]) -> Fraction | None:
        """USD of its tokens at other rates; None if a rate that is needed is missing."""
        return cost_of_tokens(self.tokens.values(), map(rates.get, self.tokens), Fraction(0))

    def part(self, listed: Fraction) -> Decimal:
        """The part of the paid cost, batch discount included, that corresponds to `listed` USD at these rates."""
        return share(self.cost, listed, self.listed)


def share(amount: Decimal, part: Fraction, whole: Fraction) -> Decimal:
    if not whole:
        return ZERO
    exact = Fraction(amount) * part / whole
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(COST_STEP)


def known_days(since: date, until: date) -> int:
    days = UsageDay.objects.filter(day__gte=since, day__lt=until, requests__gt=0)
    return int(days.aggregate(n=Count("day", distinct=True))["n"])


def cells(window: Window) -> list[UsageCell]:
    """The cells of the window, highest cost first; models without a price are left out: their cost is unknown."""
    sums = {name: Sum(name) for name in (*TOKEN_CLASSES, "requests", "batched", "cost")}
    rows = (
        UsageDay.objects.filter(day__gte=window.since, day__lt=window.until, cost__gt=0)
        .values("application_id", "provider", "model", "task")
        .annotate(n=Sum(F("requests") - F("unpriced") - F("unknown_usage") - F("leased")), **sums)
        .order_by("-cost")[:MOST_CELLS]
    )
    usage = list(rows)
    prices = ListPrices.of({row["model"] for row in usage})
    last = window.last_days(1)[0]
    made = []
    for row in usage:
        price = prices.at(row["provider"], row["model"], last)
        cell = UsageCell(
            application_id=row["application_id"],
            provider=row["provider"],
            model=row["model"],
            task=row["task"],
            requests=int(row["n"]),
            batched=int(row["batched"]),
            tokens={name: int(row[name]) for name in TOKEN_CLASSES},
            cost=row["cost"],
            rates=list_rates(price),
            batch_factor=price.batch_factor if price else None,
        )
        if cell.requests > 0 and cell.listed:
            made.append(cell)
    return made


@dataclass(frozen=True, slots=True)
class Sample:
    """Counts over some requests of a cell in the last days of the window."""

    requests: int
    streamed: int
    of_users: int
    output: int
    over: int  # output tokens beyond `limit`


SAMPLED = """
SELECT count(*), count(*) FILTER (WHERE streamed), count(user_hash), coalesce(sum(output), 0),
       coalesce(sum(greatest(output - %(limit)s, 0)), 0)
FROM unnest(%(days)s::date[]) AS wanted (day)
CROSS JOIN LATERAL (
    SELECT streamed, user_hash, output FROM traffic_request AS r
    WHERE r.day = wanted.day AND r.application_id IS NOT DISTINCT FROM %(application)s AND r.provider = %(provider)s
      AND r.model = %(model)s AND r.task = %(task)s AND NOT r.batch AND r.cost IS NOT NULL
    LIMIT %(rows)s
) AS taken
"""


def sample(cell: UsageCell, window: Window, limit: int = 0) -> Sample:
    """Read the sample in one statement of at most 6,000 rows; `limit` is a length in output tokens."""
    params = cell.names()
    params = {"application": params.pop("application_id"), **params}
    with connection.cursor() as cursor:
        cursor.execute(SAMPLED, {**params, "days": window.last_days(SAMPLE_DAYS), "rows": SAMPLE_ROWS, "limit": limit})
        return Sample(*(int(value) for value in cursor.fetchone() or (0, 0, 0, 0, 0)))
