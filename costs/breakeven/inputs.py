"""What the break-even engine is given: plain frozen data, complete, no default that could pass for a measurement."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from costs.price_sheets.token_prices import TokenPrices

Billing = Literal["hourly", "per_second"]

# A crossing is looked for up to this many requests a month, whatever the chart draws.
MOST_REQUESTS = 10**9


class PriceList(Protocol):
    """Whatever can price a model: a reference sheet, or the price book of today."""

    def token_prices(self, model: str) -> TokenPrices | None:
        """Prices of a model by its slug, None where the list does not have it."""
        ...


@dataclass(frozen=True, slots=True)
class SelfHost:
    """What our own GPUs cost and can do."""

    billing: Billing
    gpu_hourly: Decimal | None  # USD for one GPU, an hour; needed when billed hourly
    hours_per_month: Decimal
    price_per_second: Decimal | None  # USD; needed when billed per second
    cold_start_seconds: Decimal  # billed on top of every request, per second only
    fixed_monthly: Decimal  # USD: VM, upkeep
    storage_monthly: Decimal  # USD
    gpu_tokens_per_second: Decimal | None  # one GPU's aggregate output; None: one GPU at every volume
    peak_factor: Decimal  # peak hour / mean
    # What the vendor charges beside the GPU; nothing where its price is in the GPU's or nobody has listed one.
    vm_hourly: Decimal = Decimal(0)  # USD, the machine around each GPU, with it
    disk_gb: Decimal = Decimal(0)  # kept all month, whatever runs
    disk_per_gb_month: Decimal = Decimal(0)  # USD
    egress_per_gb: Decimal = Decimal(0)  # USD, of what is answered

    @property
    def disk_monthly(self) -> Decimal:
        return self.disk_gb * self.disk_per_gb_month


@dataclass(frozen=True, slots=True)
class Prompts:
    """Measured traffic with its cache writes apart, as a model's own list prices need it."""

    input_tokens: Decimal  # of one request, without what it writes to the cache
    cache_read_share: Decimal  # of these
    cache_write_tokens: Decimal  # a month, one-hour writes as the 5-minute writes that cost the same
    batch_share: Decimal


@dataclass(frozen=True, slots=True)
class Inputs:
    """One question: this traffic, these prices. Shares are 0 to 1, tokens are of one request."""

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
    apart: Prompts | None = None  # the same traffic, where cache writes are folded into the prices above
