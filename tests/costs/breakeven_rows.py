"""An offer and the traffic from which break-even is worked out."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from costs.breakeven import inputs_from_body
from costs.defaults import ensure_defaults
from costs.price_sheets import sheets
from costs.research.scenarios import workload_inputs
from providers.models import Offer
from tests.costs.prices import price
from tests.costs.usage_rows import ends_of_window, usage
from traffic.models import UsageHour

D = Decimal

NOTE = workload_inputs(sheets.load())


@pytest.fixture
def traffic(db: Any) -> None:
    """A month of 300,000 requests on Sonnet at 3 and 15, 500 tokens in and 200 out, all read from the cache."""
    ensure_defaults()
    price("claude-sonnet-4-5")
    for hour in ends_of_window():
        usage(
            UsageHour, hour=hour, model="claude-sonnet-4-5",
            requests=150_000, cache_read=75_000_000, output=30_000_000,
        )  # fmt: skip


def steady_days(days: int = 10, model: str = "claude-sonnet-4-5") -> None:
    """Whole days that do not differ, so that the saving's interval has no width."""
    for n in range(1, days + 1):
        usage(day=timezone.now().date() - timedelta(days=n), model=model, requests=10_000, cost=D(31),
              cache_read=5_000_000, output=2_000_000)  # fmt: skip


def offer(gpu: str, price: str, provider: str = "runpod", kind: str = "on_demand", memory: int = 24) -> Offer:
    return Offer.objects.create(
        provider=provider, external_id=f"{gpu}-{price}", kind=kind, gpu=gpu, price_per_gpu_hour=D(price),
        memory_gb=memory, seen_at=timezone.now(),
    )  # fmt: skip


def with_body(**body: Any) -> Any:
    return inputs_from_body(body, NOTE, {"2026-01": sheets.load()})
