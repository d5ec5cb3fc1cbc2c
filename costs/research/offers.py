"""Today's cheapest offers, which the prices of the research are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Max, Window

from providers.models import Offer

Kinds = dict[tuple[str, str, str], Decimal]  # USD an hour by provider, GPU and kind


@dataclass(frozen=True, slots=True)
class CheapestOffers:
    """The offers that cost least together with the machine around the GPU, by provider, GPU and kind: USD an hour of
    the GPU (`gpus`), and of the machine if it is paid separately (`machines`). `seen_at`: time of the newest offer."""

    gpus: Kinds
    machines: Kinds
    seen_at: datetime | None

    @property
    def whole(self) -> Kinds:
        return {key: price + self.machines.get(key, Decimal(0)) for key, price in self.gpus.items()}


NAMES = ("provider", "gpu", "kind")


def cheapest_offers() -> CheapestOffers:
    """Read the cheapest offers in one statement."""
    newest = Offer.objects.filter(available=True).annotate(newest=Window(Max("seen_at")))
    cheapest = newest.order_by(*NAMES, "whole_per_gpu_hour", "pk").distinct(*NAMES)
    gpus: Kinds = {}
    machines: Kinds = {}
    rows = list(cheapest.values_list(*NAMES, "price_per_gpu_hour", "machine_per_gpu_hour", "newest"))
    for provider, gpu, kind, price, machine, _newest in rows:
        gpus[provider, gpu, kind] = price
        if machine is not None:
            machines[provider, gpu, kind] = machine
    return CheapestOffers(gpus, machines, rows[0][-1] if rows else None)
