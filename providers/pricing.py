"""The price book in memory: what one request costs. Pure but for `load`, which reads the table with plain psycopg."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import psycopg

MILLION = Decimal(1_000_000)
COST_STEP = Decimal("0.000000000001")  # twelve decimals, as stored

# A dated or vendor-prefixed name is the same model: claude-sonnet-5-5-20261007, anthropic/claude-…, …@20261007.
DATED = re.compile(r"[-@](20\d{6}|20\d\d-\d\d-\d\d|latest|\d{4})$")

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
class Costed:
    """The cost of a request in USD, or None with the reason why it has none."""

    cost: Decimal | None
    reason: str | None
    price_id: int | None


UNKNOWN_MODEL = Costed(None, "unknown_model", None)
UNKNOWN_USAGE = Costed(None, "unknown_usage", None)
LEASED = Costed(None, "leased", None)


@dataclass
class Book:
    """Prices by (provider, model), newest first."""

    prices: dict[tuple[str, str], list[Price]]
    aliases: dict[tuple[str, str], list[Price] | None] = field(default_factory=dict)
    size: int = 0  # rows of the table it was read from

    @classmethod
    def load(cls, conn: psycopg.Connection) -> Book:
        """Read the whole book; some thousand rows."""
        prices: dict[tuple[str, str], list[Price]] = {}
        rows = conn.execute(SELECT).fetchall()
        for row in rows:
            prices.setdefault((row[0], row[1]), []).append(price_of_row(row[2:]))
        return cls(prices, size=len(rows))

    def versions(self, provider: str, model: str) -> list[Price] | None:
        """All prices of a model, newest first, found by its name or by the name without date and vendor."""
        key = (provider, model)
        if key in self.prices:
            return self.prices[key]
        if key not in self.aliases:
            plain = DATED.sub("", model.rsplit("/", 1)[-1])
            self.aliases[key] = self.prices.get((provider, plain))
        return self.aliases[key]

    def at(self, provider: str, model: str, when: datetime) -> Price | None:
        """The price in force at a moment."""
        for price in self.versions(provider, model) or ():
            if price.starts_at <= when:
                return price
        return None

    def cost(self, *, provider: str, model: str, when: datetime, tokens: tuple[int, ...] | None, batch: bool) -> Costed:
        """What one request costs; `tokens` are its five classes, None where the answer did not say."""
        price = self.at(provider, model, when)
        if price is None:
            return UNKNOWN_MODEL
        if tokens is None:
            return UNKNOWN_USAGE
        rates = price.rates
        if price.over_tokens is not None and sum(tokens[:4]) > price.over_tokens:
            rates = price.over_rates
        total = Decimal(0)
        for count, rate in zip(tokens, rates, strict=True):
            if count:
                if rate is None:
                    return Costed(None, "unknown_rate", price.id)
                total += count * rate
        if batch:
            if price.batch_factor is None:
                return Costed(None, "unknown_rate", price.id)
            total *= price.batch_factor
        return Costed(total.quantize(COST_STEP), None, price.id)


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
