"""The token prices of a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """USD per million tokens of one model; for several models the mean weighted by volume."""

    input: Decimal
    output: Decimal
    cache_write_5m: Decimal
    cache_read: Decimal
    batch_discount: Decimal = Decimal("0.5")  # share taken off a request that is sent as a batch
    over_tokens: int | None = None  # a longer prompt costs `over` for all of its tokens
    over: TokenPrices | None = None

    def of_prompt(self, tokens: Decimal) -> TokenPrices:
        """The prices of the tier that a prompt of this length reaches, as prices without tiers."""
        if self.over is not None and self.over_tokens is not None and tokens > self.over_tokens:
            return self.over
        return replace(self, over_tokens=None, over=None)
