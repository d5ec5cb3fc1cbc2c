"""Prices of tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from providers.models import TokenPrice
from tests.factories import TokenPriceFactory

NOW = datetime(2026, 9, 16, 12, tzinfo=UTC)

FIRST = NOW - timedelta(days=30)


def price(model: str, **given: Any) -> TokenPrice:
    rates = {"uncached_input": 3, "cache_read": Decimal("0.3"), "cache_write_5m": Decimal("3.75"), "cache_write_1h": 6,
             "output": 15, "batch_factor": Decimal("0.5")}  # fmt: skip
    known = {"provider": "anthropic", "starts_at": FIRST - timedelta(days=300), "source": "test", "seen_at": NOW}
    return TokenPriceFactory.create(model=model, **known | rates | given)
