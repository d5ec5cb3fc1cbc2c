"""Today's prices of the price book, as the break-even takes them."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from costs.list_prices import ListPrices
from costs.price_sheets.token_prices import TokenPrices
from providers.models import TokenPrice

VENDORS = ("anthropic", "openai")  # who sell models of their own


class BookPrices:
    """Today's prices of the price book as a `PriceList`, with the discounts of contracts taken off."""

    def __init__(self, now: datetime, models: Iterable[str] = ()) -> None:
        """`models` are those that will be asked for; one statement reads them all."""
        self.now, self.names, self.prices = now, frozenset(models), ListPrices({})

    def token_prices(self, model: str) -> TokenPrices | None:
        """Prices in force now, USD a million tokens; the vendor's own price goes before a reseller's."""
        prices = self._read({model})
        providers = sorted({provider for provider, _name in prices.versions})
        providers.sort(key=lambda provider: provider not in VENDORS)
        rows = (prices.in_force(provider, model, self.now) for provider in providers)
        return next((prices_of(row) for row in rows if row is not None), None)

    def by_model(self, models: Iterable[tuple[str, str]]) -> dict[tuple[str, str], TokenPrice]:
        """The price of each (provider, model) that has one, in one query."""
        wanted = set(models)
        prices = self._read({model for _, model in wanted})
        rows = {key: prices.in_force(*key, self.now) for key in wanted}
        return {key: row for key, row in rows.items() if row is not None}

    def _read(self, models: Set[str]) -> ListPrices:
        """Prices of these models at least; they are read again where one of them was not asked for before."""
        if not models <= self.prices.models:
            self.names |= models
            self.prices = ListPrices.of(self.names, self.prices.discounts or None)
        return self.prices


def prices_of(row: TokenPrice) -> TokenPrices:
    """The prices of a row, USD a million tokens; a cache rate that is not listed is the rate of uncached input."""
    return replace(
        tier_of(row, ""), over_tokens=row.over_tokens, over=tier_of(row, "over_") if is_tiered(row) else None
    )


def is_tiered(row: TokenPrice) -> bool:
    return row.over_tokens is not None and row.over_uncached_input is not None and row.over_output is not None


def tier_of(row: TokenPrice, prefix: str) -> TokenPrices:
    """Where the batch factor is not known, a batch is estimated at the full rates; ingest leaves its cost unknown."""
    plain: Decimal = getattr(row, f"{prefix}uncached_input")
    write, read = getattr(row, f"{prefix}cache_write_5m"), getattr(row, f"{prefix}cache_read")
    return TokenPrices(
        input=plain,
        output=getattr(row, f"{prefix}output"),
        cache_write_5m=plain if write is None else write,
        cache_read=plain if read is None else read,
        batch_discount=Decimal(1) - row.batch_factor if row.batch_factor is not None else Decimal(0),
    )
