"""Reads of the price book for its pages: prices of tokens, prices of other units, and contracts' discounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Count
from django.shortcuts import get_object_or_404
from django.utils import timezone

from providers.models import Discount, Priced, TokenPrice, UnitPrice
from providers.pricing.name_similarity import most_similar_model
from providers.pricing.rules import names_of
from traffic.models import Request
from traffic.repricing.effect import Waiting

PRICES_SHOWN = 30
UNIT_PRICES_SHOWN = 200
HISTORY_SHOWN = 30
TIERS_SHOWN = 20
WAITING_DAYS = 30


# Prices of tokens.


class PricePage(NamedTuple):
    """Prices in force, one for each model; `more` says whether others follow, `total` counts all that match."""

    prices: Sequence[TokenPrice]
    more: bool
    total: int


def prices_in_force(now: datetime, text: str, after: Sequence[str] | None) -> PricePage:
    """Prices whose provider or model holds a text, behind the provider and model of `after`."""
    in_force = TokenPrice.objects.in_force(now).matching(text)
    rows = list((in_force.behind(after[0], after[1]) if after else in_force)[: PRICES_SHOWN + 1])
    return PricePage(rows[:PRICES_SHOWN], len(rows) > PRICES_SHOWN, in_force.count())


def book_counts() -> dict[str, Any]:
    """What the page says of the whole book."""
    return TokenPrice.objects.counts()


def with_nearest(waiting: Sequence[Waiting]) -> list[tuple[Waiting, str]]:
    """Each model that waits for a price with the model of the book whose name is nearest to its own."""
    if not waiting:
        return []
    models = list(TokenPrice.objects.order_by().values_list("provider", "model").distinct())
    return [(model, (most_similar_model(model.provider, model.model, models) or ("", ""))[1]) for model in waiting]


def versions_of(provider: str, model: str) -> list[TokenPrice]:
    """Every version of one model's price, the newest first."""
    return list(TokenPrice.objects.of(provider, model).select_related("entered_by"))


def has_versions(provider: str, model: str) -> bool:
    return TokenPrice.objects.of(provider, model).exists()


def nearest_price(provider: str, model: str) -> TokenPrice | None:
    """The newest price of the model whose name is nearest."""
    models = TokenPrice.objects.order_by().values_list("provider", "model").distinct()
    neighbour = most_similar_model(provider, model, models)
    return TokenPrice.objects.of(*neighbour).first() if neighbour else None


def get_entered_price(pk: int) -> TokenPrice:
    """A price that a person entered. Raises Http404."""
    return get_object_or_404(TokenPrice.objects.exclude(entered_by=None), pk=pk)


# Prices of other units, and factors of tiers.


class UnitPricePage(NamedTuple):
    prices: Sequence[UnitPrice]
    more: bool


def unit_prices_in_force(now: datetime, text: str, kind: str) -> UnitPricePage:
    """Unit prices that match a text, of one kind or, for what is no kind, of all."""
    matching = UnitPrice.objects.matching(text)
    matching = matching.filter(kind=kind) if kind in Priced.values else matching
    rows = list(matching.in_force(now).select_related("entered_by")[: UNIT_PRICES_SHOWN + 1])
    return UnitPricePage(rows[:UNIT_PRICES_SHOWN], len(rows) > UNIT_PRICES_SHOWN)


def history_of(price: UnitPrice) -> list[UnitPrice]:
    return list(UnitPrice.objects.of(price).select_related("entered_by")[:HISTORY_SHOWN])


def neighbours_of(price: UnitPrice) -> tuple[UnitPrice | None, UnitPrice | None]:
    """The version that stands when this one begins, and the next one after it."""
    versions = UnitPrice.objects.of(price)
    return (
        versions.filter(starts_at__lte=price.starts_at).first(), versions.filter(starts_at__gt=price.starts_at).last()
    )  # fmt: skip


def get_entered_unit_price(pk: int) -> UnitPrice:
    """A unit price that a person entered. Raises Http404."""
    return get_object_or_404(UnitPrice.objects.exclude(entered_by=None), pk=pk)


def waiting_tiers(now: datetime) -> list[dict[str, Any]]:
    """Tiers of the last 30 days whose requests have no cost because the book does not know a factor; which of their
    words it lacks is `missing`."""
    today = now.astimezone(UTC).date()
    rows = Request.objects.in_days(today - timedelta(days=WAITING_DAYS), today + timedelta(days=1))
    rows = rows.filter(cost=None, cost_reason="unknown_rate").exclude(tier=None)
    tiers = list(rows.values("provider", "model", "tier").annotate(n=Count("id")).order_by("-n")[:TIERS_SHOWN])
    factors = (
        set(UnitPrice.objects.filter(kind=Priced.TIER).values_list("provider", "name", "variant")) if tiers else set()
    )
    return [
        {**tier, "missing": missing_words(tier["provider"], tier["model"], tier["tier"] or "", factors)}
        for tier in tiers
    ]


def missing_words(provider: str, model: str, tier: str, factors: set[tuple[str, str, str]]) -> list[str]:
    """The words of a tier that the book has no factor of at any time, for this model or for all."""
    models = names_of(model)
    return [word for word in tier.split("+") if not any((provider, word, name) in factors for name in models)]


def is_tier_used(price: UnitPrice) -> bool:
    """Whether a request of its tier has a cost since it holds; one of before it was entered counts too, if repriced."""
    first, end = price.starts_at.date(), timezone.now().date() + timedelta(days=2)
    rows = Request.objects.in_days(first, end).filter(provider=price.provider, tier__contains=price.name)
    return rows.exclude(cost=None).filter(started_at__gte=price.starts_at).exists()


# Contracts.


def list_discounts() -> list[Discount]:
    return list(Discount.objects.select_related("account", "entered_by"))


def get_discount(pk: int) -> Discount:
    """Raises Http404."""
    return get_object_or_404(Discount.objects.select_related("account"), pk=pk)


def list_price_of(discount: Discount, now: datetime) -> TokenPrice | None:
    """The price in force of the model that a discount is for."""
    return TokenPrice.objects.in_force(now).filter(provider=discount.provider, model=discount.model).first()
