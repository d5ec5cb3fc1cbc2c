"""Prices of some models, by day, contracts' discounts taken off: what a class of tokens is worth beside the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction

from lib import sql
from lib.model_names import canonical_name
from lib.tokens import TOKEN_CLASSES
from providers.models import Discount, TokenPrice
from providers.pricing.discounts import paid, standing_discounts
from providers.pricing.rules import cost_of_tokens, discount_in_force, in_force, versions_of

MILLION = 1_000_000
PRICE = sql.Table(TokenPrice, "p")


@dataclass(frozen=True)
class ListPrices:
    """Versions by provider and plain name, newest first, and the discounts that stand by provider."""

    versions: dict[tuple[str, str], list[TokenPrice]]
    discounts: Mapping[str, Sequence[Discount]] = field(default_factory=dict)
    models: frozenset[str] = frozenset()  # models of which every version is here
    # Asked for every row of usage, and the same for each model and day.
    cache: dict[tuple[str, str, date], TokenPrice | None] = field(default_factory=dict, compare=False, repr=False)
    decimals: dict[int, dict[str, Decimal]] = field(default_factory=dict, compare=False, repr=False)
    others: dict[tuple[str, str, date, date], bool] = field(default_factory=dict, compare=False, repr=False)
    rated: dict[int, dict[str, Fraction]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, models: Iterable[str], discounts: Mapping[str, Sequence[Discount]] | None = None) -> ListPrices:
        """Read the prices of models, in one statement, and in another the discounts that are not given."""
        models = frozenset(models)
        names = frozenset(name for model in models for name in (model, canonical_name(model)))
        prices_by_model: dict[tuple[str, str], list[TokenPrice]] = defaultdict(list)
        for price in PRICE.read("WHERE model = ANY(%s) ORDER BY starts_at DESC", [list(names)]):
            prices_by_model[price.provider, price.model].append(price)
        if discounts is None:
            discounts = standing_discounts() if prices_by_model else {}
        return cls(dict(prices_by_model), discounts, models)

    def in_force(self, provider: str, model: str, when: datetime) -> TokenPrice | None:
        """The price in force at a moment, as it is paid."""
        listed = in_force(versions_of(self.versions, provider, model) or (), when)
        standing = self.discounts.get(provider)
        if listed is None or not standing:
            return listed
        return paid(listed, discount_in_force(standing, model, when.astimezone(UTC).date()))

    def at(self, provider: str, model: str, day: date) -> TokenPrice | None:
        """The price in force at the end of a day, as it is paid: rows of a day have no other moment."""
        key = (provider, model, day)
        if key not in self.cache:
            self.cache[key] = self.in_force(provider, model, datetime.combine(day, time.max, UTC))
        return self.cache[key]

    def rates_at(self, provider: str, model: str, day: date) -> dict[str, Fraction]:
        """The same as USD a token by class; empty without a price."""
        price = self.at(provider, model, day)
        if price is None:
            return {}
        if id(price) not in self.rated:  # `cache` keeps it alive
            self.rated[id(price)] = list_rates(price)
        return self.rated[id(price)]

    def varies(self, provider: str, model: str) -> bool:
        """Whether there is more than one version of a price."""
        return len(versions_of(self.versions, provider, model) or ()) > 1

    def moved(self, provider: str, model: str, eve: date, day: date) -> bool:
        """Whether another version of a price holds on a day than on the eve; only where there are both."""
        key = (provider, model, eve, day)
        if key not in self.others:
            before, now = self.at(provider, model, eve), self.at(provider, model, day)
            self.others[key] = before is not None and now is not None and before.pk != now.pk
        return self.others[key]

    def decimals_at(self, provider: str, model: str, day: date) -> dict[str, Decimal]:
        """The same as decimals, which are quicker to add up, and exact as well: a rate is a decimal itself."""
        price = self.at(provider, model, day)
        if price is None:
            return {}
        if id(price) not in self.decimals:
            self.decimals[id(price)] = {name: rate / MILLION for name, rate in listed_rates(price).items()}
        return self.decimals[id(price)]


def cost_at(tokens: Mapping[str, int | Fraction], rates: Mapping[str, Fraction]) -> Fraction:
    """USD of tokens by class at rates in USD a token; a class without a rate costs what an uncached token does."""
    plain = rates.get("uncached_input", Fraction(0))
    return cost_of_tokens(tokens.values(), (rates.get(name, plain) for name in tokens), Fraction(0)) or Fraction(0)


def list_rates(price: TokenPrice | None) -> dict[str, Fraction]:
    """USD a token by class; a class without a rate is left out.

    Those of usual prompts: sums of requests do not say how many of them were long.
    """
    return {name: Fraction(rate) / MILLION for name, rate in listed_rates(price).items()} if price else {}


def listed_rates(price: TokenPrice) -> dict[str, Decimal]:
    """USD a million by class."""
    rates = {name: getattr(price, name) for name in TOKEN_CLASSES}
    return {name: rate for name, rate in rates.items() if rate is not None}
