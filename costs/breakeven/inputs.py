"""The inputs of the break-even. Measured values have no default, so that a missing measurement is an error."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from costs.price_sheets.token_prices import TokenPrices

Billing = Literal["hourly", "per_second"]

# Crossings are searched up to this many requests a month, however far the chart is drawn.
MOST_REQUESTS = 10**9


class PriceList(Protocol):
    """What can price a model: a reference sheet, or the price book of today."""

    def token_prices(self, model: str) -> TokenPrices | None:
        """Prices of a model by its slug, USD a million tokens; None if the list does not have it."""
        ...


@dataclass(frozen=True, slots=True)
class SelfHost:
    """Costs and capacity of our own GPUs."""

    billing: Billing
    gpu_hourly: Decimal | None  # USD for one GPU, an hour; needed when billed hourly
    hours_per_month: Decimal
    price_per_second: Decimal | None  # USD; needed when billed per second
    cold_start_seconds: Decimal  # billed on top of every request if billed per second
    fixed_monthly: Decimal  # USD: VM, upkeep
    storage_monthly: Decimal  # USD
    gpu_tokens_per_second: Decimal | None  # output of one GPU over all its requests; None: one GPU at every volume
    peak_factor: Decimal  # output tokens of the peak hour / of the mean hour
    # What the vendor charges besides the GPU; 0 if it is part of the GPU's price or if no price is listed.
    vm_hourly: Decimal = Decimal(0)  # USD for the machine around one GPU, an hour
    disk_gb: Decimal = Decimal(0)  # kept all month, also while no GPU runs
    disk_per_gb_month: Decimal = Decimal(0)  # USD
    egress_per_gb: Decimal = Decimal(0)  # USD for the answers that leave the machine

    @property
    def disk_monthly(self) -> Decimal:
        return self.disk_gb * self.disk_per_gb_month


@dataclass(frozen=True, slots=True)
class Prompts:
    """Measured traffic with its cache writes counted separately, as the list prices of one model need it."""

    input_tokens: Decimal  # of one request, without what it writes to the cache
    cache_read_share: Decimal  # share of `input_tokens`
    cache_write_tokens: Decimal  # a month; one-hour writes count as the 5-minute writes that cost the same
    batch_share: Decimal


@dataclass(frozen=True, slots=True)
class Inputs:
    """Traffic and prices of one break-even. Shares are 0 to 1, tokens are those of one request."""

    price_sheet: str | None
    api_model: str
    prices: TokenPrices
    input_tokens: Decimal
    output_tokens: Decimal
    cache_read_share: Decimal  # of the input tokens
    cache_write_tokens: Decimal  # a month, at the 5-minute price
    batch_share: Decimal  # of the requests
    requests_per_month: int
    routable_share: Decimal  # of the requests
    selfhost: SelfHost
    apart: Prompts | None = None  # the same traffic with separate cache writes, if the prices above contain them
