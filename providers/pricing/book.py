"""The price book in memory: what one request costs. Pure but for `load`, which reads the tables with plain psycopg.

A contract's discount is part of the cost: what is stored with a request is what is paid, and the list price stays in
its price version.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import psycopg

from lib.money import COST_STEP, ZERO
from lib.tokens import TOKEN_CLASSES
from providers.pricing.rules import (
    Rates,
    cost_of_tokens,
    discount_in_force,
    factor_left,
    in_force,
    names_of,
    paid_rates,
    versions_of,
)

ONE, MILLION = Decimal(1), Decimal(1_000_000)
MOST_USD = Decimal(1_000_000)  # of one request; what costs more has a price that is wrong
MOST_ALIASES = 4_096  # names come from callers
OTHER_MODEL = "(other)"  # models of an application that names more than are told apart; it never has a price


@dataclass(frozen=True, slots=True)
class Price:
    """One version of a model's list price; rates are USD per token of the five classes, in their usual order."""

    id: int
    starts_at: datetime
    rates: Rates
    over_tokens: int | None = None
    over_rates: Rates = (None, None, None, None, None)
    batch_factor: Decimal | None = None

    def is_long(self, tokens: Sequence[int]) -> bool:
        """Whether the prompt, which is all classes but the last, is longer than what the usual rates are for."""
        return self.over_tokens is not None and sum(tokens[:4]) > self.over_tokens

    def paid(self, rebate: Rebate) -> Price:
        """With the rates that a contract leaves; its own rates hold for long prompts too."""
        rates, over = (paid_rates(listed, rebate.rates, rebate.factor) for listed in (self.rates, self.over_rates))
        return replace(self, rates=rates, over_rates=over)

    def cost(self, tokens: Sequence[int], batch: bool, tier_factor: Decimal | None) -> Decimal | None:
        """USD of one request at the stored precision; `tier_factor` is 1 for the standard tier and None if unknown.

        None where a rate or a factor that it needs is unknown, and where the sum shows that a rate is wrong.
        """
        total = cost_of_tokens(tokens, self.over_rates if self.is_long(tokens) else self.rates, ZERO)
        if total is None or tier_factor is None or (batch and self.batch_factor is None):
            return None
        if tier_factor is not ONE:
            total *= tier_factor
        if batch and self.batch_factor is not None:
            total *= self.batch_factor
        return None if total > MOST_USD else total.quantize(COST_STEP)


@dataclass(frozen=True, slots=True)
class Rebate:
    """A contract's discount as far as costing goes: a factor of the list price, or own rates per token.

    `ends_on` is the last day it holds on; an own rate of None costs what the list says.
    """

    id: int
    model: str  # empty: every model without one of its own
    starts_on: date
    ends_on: date | None
    factor: Decimal | None = None
    rates: Rates = (None, None, None, None, None)


class Costed(NamedTuple):
    """The cost of a request in USD, or None with the reason why it has none."""

    cost: Decimal | None
    reason: str | None
    price_id: int | None
    discount_id: int | None = None


UNKNOWN_MODEL = Costed(None, "unknown_model", None)
UNKNOWN_USAGE = Costed(None, "unknown_usage", None)
LEASED = Costed(None, "leased", None)
CACHED = Costed(ZERO, "cached", None)
REFUSED = Costed(ZERO, "refused", None)


@dataclass(frozen=True, slots=True)
class Factor:
    """By what a tier or region multiplies every rate of a model; `model` empty: of all without one of their own."""

    model: str
    starts_at: datetime
    factor: Decimal


@dataclass
class Book:
    """Prices by (provider, model), newest first, discounts by provider, and factors by (provider, tier), of both those
    of one model first."""

    prices: dict[tuple[str, str], list[Price]]
    rebates: dict[str, list[Rebate]] = field(default_factory=dict)
    aliases: dict[tuple[str, str], list[Price] | None] = field(default_factory=dict)
    factors: dict[tuple[str, str], list[Factor]] = field(default_factory=dict)
    paid_prices: dict[tuple[int, int], Price] = field(default_factory=dict)  # by price and discount
    stamp: tuple[int, ...] = ()  # of the tables it was read from

    @classmethod
    def load(cls, conn: psycopg.Connection) -> Book:
        """Read the whole book; some thousand rows."""
        stamp = stamp_of(conn)  # first: what is added meanwhile is read again at the next look
        prices: dict[tuple[str, str], list[Price]] = {}
        for row in conn.execute(SELECT).fetchall():
            prices.setdefault((row[0], row[1]), []).append(price_of_row(row[2:]))
        rebates: dict[str, list[Rebate]] = {}
        for row in conn.execute(REBATES).fetchall():
            rebates.setdefault(row[0], []).append(rebate_of_row(row[1:]))
        return cls(prices, rebates, factors=load_factors(conn), stamp=stamp)

    def versions(self, provider: str, model: str) -> list[Price] | None:
        """All prices of a model, newest first, found by its name or by the name without date and vendor."""
        key = (provider, model)
        if key in self.prices:
            return self.prices[key]
        try:
            return self.aliases[key]
        except KeyError:
            if len(self.aliases) >= MOST_ALIASES:
                self.aliases.clear()
            versions = self.aliases[key] = versions_of(self.prices, provider, model)
            return versions

    def at(self, provider: str, model: str, when: datetime) -> Price | None:
        """The list price in force at a moment."""
        return in_force(self.versions(provider, model) or (), when)

    def rebate(self, provider: str, model: str, when: datetime) -> Rebate | None:
        """The discount in force at a moment: the model's own, else the one for all models of the provider."""
        standing = self.rebates.get(provider)
        return discount_in_force(standing, model, when.astimezone(UTC).date()) if standing else None

    def paid(self, price: Price, rebate: Rebate) -> Price:
        """A list price as its contract leaves it; made once."""
        key = (price.id, rebate.id)
        if key not in self.paid_prices:
            self.paid_prices[key] = price.paid(rebate)
        return self.paid_prices[key]

    def factor(self, provider: str, model: str, when: datetime, tier: str) -> Decimal | None:
        """By what a tier (words joined by `+`) changes the price; None where the book does not know one of them."""
        total, names = ONE, names_of(model)
        for word in tier.split("+"):
            factors = self.factors.get((provider, word), ())
            factor = in_force((entry for entry in factors if entry.model in names), when)
            if factor is None:
                return None
            total *= factor.factor
        return total

    def cost(
        self,
        *,
        provider: str,
        model: str,
        when: datetime,
        tokens: tuple[int, ...] | None,
        batch: bool,
        tier: str | None = None,
    ) -> Costed:
        """What one request costs; `tokens` are its five classes, None where the answer did not say.

        A tier without a factor in the book makes the cost unknown: it is not the standard price.
        """
        price = in_force(self.versions(provider, model) or (), when)
        if price is None:
            return UNKNOWN_MODEL
        if tokens is None:
            return UNKNOWN_USAGE
        rebate = self.rebate(provider, model, when) if self.rebates else None
        factor = self.factor(provider, model, when, tier) if tier else ONE
        paid = price if rebate is None else self.paid(price, rebate)
        cost = paid.cost(tokens, batch, factor)
        if cost is None:
            return Costed(None, "unknown_rate", price.id)
        return Costed(cost, None, price.id, None if rebate is None else rebate.id)


def load_factors(conn: psycopg.Connection) -> dict[tuple[str, str], list[Factor]]:
    """Factors of every tier, by provider and tier, as `Book.factor` looks through them."""
    factors: dict[tuple[str, str], list[Factor]] = {}
    for provider, tier, *factor in conn.execute(FACTORS).fetchall():
        factors.setdefault((provider, tier), []).append(Factor(*factor))
    return factors


def stamp_of(conn: psycopg.Connection) -> tuple[int, ...]:
    """Changes whenever what the book holds does: prices come and go, discounts are withdrawn and brought back."""
    return conn.execute(STAMP).fetchone() or ()


STAMP = """
SELECT (SELECT count(*) FROM providers_tokenprice), (SELECT coalesce(max(id), 0) FROM providers_tokenprice),
    (SELECT coalesce(bit_xor(hashint8extended(id, 0)), 0) FROM providers_unitprice WHERE kind = 'tier'), count(*),
    coalesce(bit_xor(hashint8extended(id, 0)), 0)
FROM providers_discount WHERE withdrawn_at IS NULL
"""

# Of a model before of all, and of those the newest.
FACTORS = """
SELECT provider, name, variant, starts_at, amount FROM providers_unitprice WHERE kind = 'tier'
ORDER BY provider, name, variant DESC, starts_at DESC
"""

REBATE_COLUMNS = ("id", "model", "starts_on", "ends_on", "percent", *TOKEN_CLASSES)
REBATES = f"""
SELECT a.kind, {", ".join(f"d.{name}" for name in REBATE_COLUMNS)}
FROM providers_discount AS d JOIN providers_account AS a ON a.id = d.account_id
WHERE d.withdrawn_at IS NULL ORDER BY a.kind, d.model DESC, d.starts_on DESC
"""

PRICE_COLUMNS = (
    "id", "starts_at", *TOKEN_CLASSES, "over_tokens", *(f"over_{name}" for name in TOKEN_CLASSES), "batch_factor"
)  # fmt: skip
SELECT = f"""
SELECT provider, model, {", ".join(PRICE_COLUMNS)} FROM providers_tokenprice ORDER BY provider, model, starts_at DESC
"""


def price_of_row(row: tuple[Any, ...]) -> Price:
    """From the values of `PRICE_COLUMNS`."""
    identifier, starts_at, *rest = row
    return Price(identifier, starts_at, per_token(rest[:5]), rest[5], per_token(rest[6:11]), rest[11])


def rebate_of_row(row: tuple[Any, ...]) -> Rebate:
    """From the values of `REBATE_COLUMNS`."""
    identifier, model, starts_on, ends_on, percent, *rates = row
    return Rebate(identifier, model, starts_on, ends_on, factor_left(percent), per_token(rates))


def per_token(rates: Iterable[Decimal | None]) -> Rates:
    """From USD per million."""
    return tuple(None if rate is None else rate / MILLION for rate in rates)  # type: ignore[return-value]
