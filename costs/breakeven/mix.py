"""The measured mix: many models and days of usage folded into one average request that costs the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from costs.breakeven.inputs import Inputs
from costs.price_sheets.token_prices import TokenPrices


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of some requests to one model, with its list prices; batch requests are rows of their own.

    Counts are fractions where the tokens of some of the requests are not known and count as those of the others.
    """

    prices: TokenPrices
    cache_write_1h_price: Decimal  # USD per million tokens
    requests: Decimal | int
    uncached_input: Decimal | int
    cache_read: Decimal | int
    cache_write_5m: Decimal | int
    cache_write_1h: Decimal | int
    output: Decimal | int
    batch: bool = False


@dataclass(frozen=True, slots=True)
class Mix:
    """The measured part of `Inputs`, under the same names."""

    prices: TokenPrices
    input_tokens: Decimal
    output_tokens: Decimal
    cache_read_share: Decimal
    cache_write_tokens: Decimal  # a month
    batch_share: Decimal
    requests_per_month: int
    cache_writes_as_5m: Decimal  # a month: one-hour writes count as the 5-minute writes that cost the same

    def over(self, inputs: Inputs) -> Inputs:
        """These inputs with the measured part in place of theirs."""
        return replace(
            inputs,
            prices=self.prices,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cache_read_share=self.cache_read_share,
            cache_write_tokens=self.cache_write_tokens,
            batch_share=self.batch_share,
            requests_per_month=self.requests_per_month,
        )


def measured_mix(rows: Iterable[Usage], requests_per_month: int) -> Mix | None:
    """The average request of these rows at a run rate; None without a request.

    Prices are weighted by the tokens that were paid at them, the batch discount by the cost of the batch's tokens, and
    one-hour cache writes are averaged with the 5-minute ones. So the mix times its volume costs what the rows cost.
    """
    used = list(rows)
    requests = sum(row.requests for row in used)
    if not requests:
        return None
    uncached, read, output = (_total(used, name) for name in ("uncached_input", "cache_read", "output"))
    writes = _total(used, "cache_write_5m") + _total(used, "cache_write_1h")
    list_cost = sum((_list_cost(row) for row in used), Decimal(0))
    discount = sum((_list_cost(row) * row.prices.batch_discount for row in used if row.batch), Decimal(0))
    batch = sum((_list_cost(row) for row in used if row.batch), Decimal(0))
    write_cost = sum(
        (
            row.cache_write_5m * row.prices.cache_write_5m + row.cache_write_1h * row.cache_write_1h_price
            for row in used
        ),
        Decimal(0),
    )
    return Mix(
        prices=TokenPrices(
            input=_mean(used, "uncached_input", lambda prices: prices.input),
            output=_mean(used, "output", lambda prices: prices.output),
            cache_write_5m=write_cost / writes if writes else _plain_mean(used, lambda prices: prices.cache_write_5m),
            cache_read=_mean(used, "cache_read", lambda prices: prices.cache_read),
            batch_discount=discount / batch if batch else _plain_mean(used, lambda prices: prices.batch_discount),
        ),
        input_tokens=Decimal(uncached + read) / requests,
        output_tokens=Decimal(output) / requests,
        cache_read_share=Decimal(read) / (uncached + read) if uncached + read else Decimal(0),
        cache_write_tokens=Decimal(writes) * requests_per_month / requests,
        batch_share=batch / list_cost if list_cost else Decimal(0),
        requests_per_month=requests_per_month,
        cache_writes_as_5m=sum(map(_as_5m, used), Decimal(0)) * requests_per_month / requests,
    )


def _as_5m(row: Usage) -> Decimal:
    """Cache writes of a row as 5-minute writes of the same cost; if those are free, as plain token counts."""
    price = row.prices.cache_write_5m
    return row.cache_write_5m + row.cache_write_1h * (row.cache_write_1h_price / price if price else Decimal(1))


def _total(rows: list[Usage], name: str) -> Decimal:
    return sum((Decimal(getattr(row, name)) for row in rows), Decimal(0))


def cost_of(row: Usage) -> Decimal:
    """USD of a row at its own prices, the discount of a batch taken off."""
    writes = row.cache_write_5m * row.prices.cache_write_5m + row.cache_write_1h * row.cache_write_1h_price
    paid = 1 - row.prices.batch_discount if row.batch else Decimal(1)
    return (_list_cost(row) * paid + writes) / 1_000_000


def _list_cost(row: Usage) -> Decimal:
    """Cost of the tokens that a batch discount applies to, in millionths of a USD."""
    prices = row.prices
    return row.uncached_input * prices.input + row.cache_read * prices.cache_read + row.output * prices.output


def _mean(rows: list[Usage], tokens: str, price: Callable[[TokenPrices], Decimal]) -> Decimal:
    """The mean of a price, weighted by tokens; without such tokens by requests, as a what-if may add some."""
    total = _total(rows, tokens)
    if not total:
        return _plain_mean(rows, price)
    return sum((getattr(row, tokens) * price(row.prices) for row in rows), Decimal(0)) / total


def _plain_mean(rows: list[Usage], price: Callable[[TokenPrices], Decimal]) -> Decimal:
    weights = sum(row.requests for row in rows)
    return sum((row.requests * price(row.prices) for row in rows), Decimal(0)) / weights
