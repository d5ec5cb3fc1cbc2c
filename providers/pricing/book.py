"""The price book in memory: what one request costs. Pure but for `load`, which reads the tables with plain psycopg.

A contract's discount is part of the cost: what is stored with a request is what is paid, and the list price stays in
its price version.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

import psycopg

from lib.model_names import canonical_name
from lib.money import COST_STEP, ZERO

ONE, MILLION = Decimal(1), Decimal(1_000_000)
MOST_USD = Decimal(1_000_000)  # of one request; what costs more has a price that is wrong
MOST_ALIASES = 4_096  # names come from callers
OTHER_MODEL = "(other)"  # models of an application that names more than are told apart; it never has a price

Rates = tuple[Decimal | None, Decimal | None, Decimal | None, Decimal | None, Decimal | None]


@dataclass(frozen=True, slots=True)
class Price:
    """One version of a model's list price; rates are USD per token of the five classes, in their usual order."""

    id: int
    starts_at: datetime
    rates: Rates
    over_tokens: int | None = None
    over_rates: Rates = (None, None, None, None, None)
    batch_factor: Decimal | None = None


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

    def holds_on(self, day: date) -> bool:
        return self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)


class Costed(NamedTuple):
    """The cost of a request in USD, or None with the reason why it has none."""

    cost: Decimal | None
    reason: str | None
    price_id: int | None
    discount_id: int | None = None


UNKNOWN_MODEL = Costed(None, "unknown_model", None)
UNKNOWN_USAGE = Costed(None, "unknown_usage", None)
LEASED = Costed(None, "leased", None)


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
        factors: dict[tuple[str, str], list[Factor]] = {}
        for provider, tier, model, starts_at, factor in conn.execute(FACTORS).fetchall():
            factors.setdefault((provider, tier), []).append(Factor(model, starts_at, factor))
        return cls(prices, rebates, factors=factors, stamp=stamp)

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
            versions = self.aliases[key] = self.prices.get((provider, canonical_name(model)))
            return versions

    def at(self, provider: str, model: str, when: datetime) -> Price | None:
        """The price in force at a moment."""
        for price in self.versions(provider, model) or ():
            if price.starts_at <= when:
                return price
        return None

    def rebate(self, provider: str, model: str, when: datetime) -> Rebate | None:
        """The discount in force at a moment: the model's own, else the one for all models of the provider."""
        standing = self.rebates.get(provider)
        if not standing:
            return None
        day, names = when.astimezone(UTC).date(), ("", model, canonical_name(model))
        return next((rebate for rebate in standing if rebate.model in names and rebate.holds_on(day)), None)

    def factor(self, provider: str, model: str, when: datetime, tier: str) -> Decimal | None:
        """By what a tier (words joined by `+`) changes the price; None where the book does not know one of them."""
        total = ONE
        for name in tier.split("+"):
            names = ("", model, canonical_name(model))
            factors = self.factors.get((provider, name), ())
            factor = next((entry for entry in factors if entry.model in names and entry.starts_at <= when), None)
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
        price = self.at(provider, model, when)
        if price is None:
            return UNKNOWN_MODEL
        if tokens is None:
            return UNKNOWN_USAGE
        rates = price.rates
        if price.over_tokens is not None and sum(tokens[:4]) > price.over_tokens:
            rates = price.over_rates
        rebate = self.rebate(provider, model, when)
        if rebate is not None and rebate.factor is None:
            rates = own_rates(rebate.rates, rates)
        factor = self.factor(provider, model, when, tier) if tier else ONE
        total = added(tokens, rates)
        if total is None or factor is None or (batch and price.batch_factor is None):
            return Costed(None, "unknown_rate", price.id)
        if factor is not ONE:
            total *= factor
        if batch and price.batch_factor is not None:
            total *= price.batch_factor
        if rebate is not None and rebate.factor is not None:
            total *= rebate.factor
        if total > MOST_USD:
            return Costed(None, "unknown_rate", price.id)
        return Costed(total.quantize(COST_STEP), None, price.id, None if rebate is None else rebate.id)


def added(tokens: tuple[int, ...], rates: Rates) -> Decimal | None:
    """Tokens at their rates; None where a class that is used has none."""
    total = ZERO
    for count, rate in zip(tokens, rates, strict=True):
        if count:
            if rate is None:
                return None
            total += count * rate
    return total


def own_rates(own: Rates, listed: Rates) -> Rates:
    """A contract's rates, the list's where it says nothing."""
    return tuple(b if a is None else a for a, b in zip(own, listed, strict=True))  # type: ignore[return-value]


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

REBATES = """
SELECT a.kind, d.id, d.model, d.starts_on, d.ends_on, d.percent, d.uncached_input, d.cache_read, d.cache_write_5m,
       d.cache_write_1h, d.output
FROM providers_discount AS d JOIN providers_account AS a ON a.id = d.account_id
WHERE d.withdrawn_at IS NULL ORDER BY a.kind, d.model DESC, d.starts_on DESC
"""

SELECT = """
SELECT provider, model, id, starts_at, uncached_input, cache_read, cache_write_5m, cache_write_1h, output, over_tokens,
       over_uncached_input, over_cache_read, over_cache_write_5m, over_cache_write_1h, over_output, batch_factor
FROM providers_tokenprice ORDER BY provider, model, starts_at DESC
"""


def price_of_row(row: tuple[object, ...]) -> Price:
    identifier, starts_at, *rest = row
    rates, over_tokens, over, factor = rest[:5], rest[5], rest[6:11], rest[11]
    return Price(
        id=identifier,  # type: ignore[arg-type]  # the types are those of the columns
        starts_at=starts_at,  # type: ignore[arg-type]
        rates=per_token(rates),
        over_tokens=over_tokens,  # type: ignore[arg-type]
        over_rates=per_token(over),
        batch_factor=factor,  # type: ignore[arg-type]
    )


def per_token(rates: list[object]) -> Rates:
    return tuple(None if rate is None else rate / MILLION for rate in rates)  # type: ignore[operator,return-value]


def rebate_of_row(row: tuple[object, ...]) -> Rebate:
    identifier, model, starts_on, ends_on, percent, *rates = row
    return Rebate(
        id=identifier,  # type: ignore[arg-type]  # the types are those of the columns
        model=model,  # type: ignore[arg-type]
        starts_on=starts_on,  # type: ignore[arg-type]
        ends_on=ends_on,  # type: ignore[arg-type]
        factor=None if percent is None else 1 - Decimal(str(percent)) / 100,
        rates=per_token(rates),
    )
