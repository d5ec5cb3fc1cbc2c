"""What each class of tokens cost: the API's money of a day and model, divided by tokens at list price. Pure.

Vendors bill by class and our log measures by request; divided this way both add up to what was spent, exactly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from django.utils.translation import gettext as _

from costs.allocation.queries import SpendData
from costs.list_prices import ListPrices
from costs.models import Provenance
from lib.allocation import divide
from lib.formats import dollars, percent
from lib.money import ZERO
from lib.tokens import TOKEN_CLASSES

Cell = tuple[date, str, str]  # day, provider, model


def token_class_name(slug: str) -> str:
    names = {
        "uncached_input": _("Uncached input"),
        "cache_read": _("Cache read"),
        "cache_write_5m": _("Cache write, 5 min"),
        "cache_write_1h": _("Cache write, 1 h"),
        "output": _("Output"),
    }
    return names[slug]


@dataclass(frozen=True, slots=True)
class ClassCost:
    """One class of tokens; `cost` in USD."""

    slug: str
    tokens: int
    cost: Decimal

    @property
    def name(self) -> str:
        return token_class_name(self.slug)

    @property
    def per_million(self) -> Decimal | None:
        return self.cost * 1_000_000 / self.tokens if self.tokens else None


@dataclass(frozen=True, slots=True)
class TokenCosts:
    """Cost by token class; `undivided` has no class: no list price, or usage that only the bill knows."""

    classes: list[ClassCost]
    undivided: Decimal
    cache_saved: Decimal  # at list prices; negative where writing cost more than reading saved

    @property
    def cost(self) -> Decimal:
        return sum((row.cost for row in self.classes), self.undivided)

    @property
    def tokens(self) -> int:
        return sum(row.tokens for row in self.classes)

    @property
    def dearest(self) -> ClassCost | None:
        return max(self.classes, key=lambda row: row.cost, default=None)

    def headline(self) -> str:
        if not self.dearest or not self.cost:
            return _("No token charges")
        words = {"name": self.dearest.name, "share": percent(self.dearest.cost / self.cost)}
        return _("%(name)s: %(share)s of API cost") % words

    def cache_note(self) -> str:
        """What the cache was worth; empty where it changed nothing."""
        if self.cache_saved > 0:
            text = _("Prompt caching saved %(sum)s at list prices.")
        else:
            text = _("Cache writes cost %(sum)s more than cache reads saved.")
        return text % {"sum": dollars(abs(self.cache_saved))} if self.cache_saved else ""


def api_amounts(data: SpendData) -> dict[Cell, Decimal]:
    """Add up the cost of models that are paid by the token, by day, provider and model."""
    amounts: dict[Cell, Decimal] = defaultdict(lambda: ZERO)
    for line in data.lines:
        if line.attribution.model and not line.committed and line.provenance != Provenance.ESTIMATED:
            amounts[line.day, line.provider, line.attribution.model] += line.amount
    return amounts


def tokens_of(data: SpendData, cells: Iterable[Cell]) -> dict[Cell, dict[str, int]]:
    wanted = set(cells)
    tokens: dict[Cell, dict[str, int]] = defaultdict(lambda: dict.fromkeys(TOKEN_CLASSES, 0))
    for row in data.usage:
        cell = (row["day"], row["provider"], row["model"])
        if cell in wanted:
            for name in TOKEN_CLASSES:
                tokens[cell][name] += row[name]
    return tokens


def by_class(
    amounts: Mapping[Cell, Decimal], counted: Mapping[Cell, Mapping[str, int]], prices: ListPrices
) -> TokenCosts:
    """Divide each model's cost of a day among its token classes at list prices."""
    costs = dict.fromkeys(TOKEN_CLASSES, ZERO)
    undivided, saved = ZERO, ZERO
    for cell, amount in amounts.items():
        day, provider, model = cell
        rates = prices.decimals_at(provider, model, day)
        tokens = counted.get(cell, {})
        weights = [(name, count * rates.get(name, ZERO)) for name, count in tokens.items()]
        shares = divide(amount, weights)
        for name, share in shares:
            costs[name] += share
        undivided += ZERO if shares else amount
        saved += saving(tokens, rates)
    classes = [ClassCost(name, sum(t[name] for t in counted.values()), costs[name]) for name in TOKEN_CLASSES]
    return TokenCosts([row for row in classes if row.tokens or row.cost], undivided, saved)


def saving(tokens: Mapping[str, int], rates: Mapping[str, Decimal]) -> Decimal:
    """Return what cached tokens would have cost more as plain input."""
    plain = rates.get("uncached_input")
    if plain is None:
        return ZERO
    cached = (name for name in TOKEN_CLASSES if name.startswith("cache_") and name in rates)
    return sum((tokens.get(name, 0) * (plain - rates[name]) for name in cached), ZERO)


def decimal(value: Fraction) -> Decimal:
    """Convert with 28 digits, which is more than money needs."""
    return Decimal(value.numerator) / Decimal(value.denominator)
