"""Prices of some models, by day, contracts' discounts taken off: what a class of tokens is worth beside the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

from lib.model_names import canonical_name
from lib.tokens import TOKEN_CLASSES
from providers.models import TokenPrice
from providers.pricing.discounts import Discounts

MILLION = 1_000_000


@dataclass(frozen=True)
class ListPrices:
    """Versions by provider and plain name, newest first."""

    versions: dict[tuple[str, str], list[TokenPrice]]
    discounts: Discounts = field(default_factory=lambda: Discounts([]))
    models: frozenset[str] = frozenset()  # models of which every version is here
    # Asked for every row of usage, and the same for each model and day.
    cache: dict[tuple[str, str, date], TokenPrice | None] = field(default_factory=dict, compare=False, repr=False)
    decimals: dict[int, dict[str, Decimal]] = field(default_factory=dict, compare=False, repr=False)
    others: dict[tuple[str, str, date, date], bool] = field(default_factory=dict, compare=False, repr=False)
    rated: dict[int, dict[str, Fraction]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, models: Iterable[str]) -> ListPrices:
        models = frozenset(models)
        names = frozenset(name for model in models for name in (model, canonical_name(model)))
        prices_by_model: dict[tuple[str, str], list[TokenPrice]] = defaultdict(list)
        for price in TokenPrice.objects.filter(model__in=names).order_by("-starts_at"):
            prices_by_model[price.provider, price.model].append(price)
        return cls(dict(prices_by_model), Discounts.load() if prices_by_model else Discounts([]), models)

    def at(self, provider: str, model: str, day: date) -> TokenPrice | None:
        """The price in force at the end of a day, as it is paid."""
        key = (provider, model, day)
        if key not in self.cache:
            self.cache[key] = self._at(provider, model, day)
        return self.cache[key]

    def rates_at(self, provider: str, model: str, day: date) -> dict[str, Fraction]:
        """The same as USD a token by class; empty without a price."""
        price = self.at(provider, model, day)
        if price is None:
            return {}
        rated = self.rated.get(id(price))  # which `cache` keeps alive
        if rated is None:
            rated = self.rated[id(price)] = list_rates(price)
        return rated

    def moved(self, provider: str, model: str, eve: date, day: date) -> bool:
        """Whether another version of a price holds on a day than on the eve; only where there are both."""
        key = (provider, model, eve, day)
        differs = self.others.get(key)
        if differs is None:
            before, now = self.at(provider, model, eve), self.at(provider, model, day)
            differs = self.others[key] = before is not None and now is not None and before.pk != now.pk
        return differs

    def decimals_at(self, provider: str, model: str, day: date) -> dict[str, Decimal]:
        """The same as decimals, which are quicker to add up, and exact as well: a rate is a decimal itself."""
        price = self.at(provider, model, day)
        if price is None:
            return {}
        rates = self.decimals.get(id(price))
        if rates is None:
            rates = self.decimals[id(price)] = {name: rate / MILLION for name, rate in listed_rates(price).items()}
        return rates

    def _at(self, provider: str, model: str, day: date) -> TokenPrice | None:
        versions = self.versions.get((provider, model)) or self.versions.get((provider, canonical_name(model))) or ()
        listed = next((price for price in versions if price.starts_at.date() <= day), None)
        return None if listed is None else self.discounts.paid(listed, day)


def list_rates(price: TokenPrice | None) -> dict[str, Fraction]:
    """USD a token by class; a class without a rate is left out."""
    return {name: Fraction(rate) / MILLION for name, rate in listed_rates(price).items()} if price else {}


def listed_rates(price: TokenPrice) -> dict[str, Decimal]:
    """USD a million by class."""
    rates = {name: getattr(price, name) for name in TOKEN_CLASSES}
    return {name: rate for name, rate in rates.items() if rate is not None}
