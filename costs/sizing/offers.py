"""Who has a GPU now that holds a model, and at what price: from the live offers, each with how old it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max, Min

from costs.price_sheets.sheets import Model
from costs.sizing.memory import Memory, concurrency, gpus_needed
from providers.connectors.gpus import MEMORY_GB
from providers.leases.queries import MONTH_HOURS
from providers.models import Offer, OfferKind, provider_name
from providers.offers.sources import fresh_of, sources
from providers.offers.speeds import ModelSpeeds, Speed, catalogue

ASSEMBLED = 1  # offers of one GPU are joined by most vendors as many as are asked for


@dataclass(frozen=True, slots=True)
class Rentable:
    """The cheapest way to rent enough of a GPU from a vendor by one contract; USD of all its GPUs.

    `per_hour` counts the whole machine where it has more GPUs than are needed. `joined`: offered one by one, so that
    several must be asked for in one machine. `speed` is of one GPU.
    """

    provider: str
    gpu: str
    kind: str
    memory_gb: Decimal
    count: int
    rented: int
    per_hour: Decimal
    offers: int
    seen_at: datetime
    old: bool
    room: int
    speed: Speed | None

    @property
    def provider_label(self) -> str:
        return provider_name(self.provider)

    @property
    def kind_label(self) -> str:
        return str(OfferKind(self.kind).label)

    @property
    def per_month(self) -> Decimal:
        return self.per_hour * MONTH_HOURS

    @property
    def joined(self) -> bool:
        return self.count > 1 and self.rented == self.count


def rentable(model: Model, precision: str, need: Memory, *, context_tokens: int, now: datetime) -> list[Rentable]:
    """Every vendor, GPU and contract that can be rented now and holds the model: vendors read on time first, then the
    cheapest hour."""
    fresh = fresh_of(sources(now))
    speeds = speeds_of(model, catalogue())
    cheapest: dict[tuple[str, str, str], Rentable] = {}
    for row in stock():
        fitting = fitting_offer(row, model, precision, need, context_tokens, fresh, speeds)
        if fitting is None:
            continue
        key = (fitting.provider, fitting.gpu, fitting.kind)
        if key not in cheapest or fitting.per_hour < cheapest[key].per_hour:
            cheapest[key] = fitting
    return sorted(cheapest.values(), key=lambda row: (row.old, row.per_hour, row.provider, row.gpu))


def stock() -> Iterable[Mapping[str, Any]]:
    """What can be rented, by vendor, GPU, contract and how many stand in a machine. One statement."""
    groups = Offer.objects.filter(available=True).exclude(kind=OfferKind.SERVERLESS).order_by()
    return groups.values("provider", "gpu", "kind", "gpu_count").annotate(
        low=Min("whole_per_gpu_hour"), n=Count("pk"), memory=Max("memory_gb"), seen=Max("seen_at")
    )


def fitting_offer(
    row: Mapping[str, Any],
    model: Model,
    precision: str,
    need: Memory,
    context_tokens: int,
    fresh: frozenset[str],
    speeds: Mapping[str, Speed],
) -> Rentable | None:
    """A group of offers as a way to rent enough; None where it is too small or its memory is not known."""
    memory_gb = Decimal(row["memory"] or MEMORY_GB.get(row["gpu"], 0))
    count = gpus_needed(need, memory_gb)
    if count is None or (row["gpu_count"] < count and row["gpu_count"] != ASSEMBLED):
        return None
    rented = max(count, row["gpu_count"])
    return Rentable(
        provider=row["provider"],
        gpu=row["gpu"],
        kind=row["kind"],
        memory_gb=memory_gb,
        count=count,
        rented=rented,
        per_hour=row["low"] * rented,
        offers=row["n"],
        seen_at=row["seen"],
        old=row["provider"] not in fresh,
        room=concurrency(model, precision, memory_gb, count, context_tokens),
        speed=speeds.get(row["gpu"]),
    )


def speeds_of(model: Model, fast_by_model: Mapping[str, ModelSpeeds]) -> Mapping[str, Speed]:
    fast = fast_by_model.get(model.slug)
    return fast.speeds if fast else {}


def first(rows: Sequence[Rentable]) -> Rentable | None:
    """The cheapest that is of now."""
    return next((row for row in rows if not row.old), None)
