"""Google's price list: thousands of SKUs, of which a small explicit table is ours.

A SKU names its GPU or machine family only in its description, so each thing that we price has one fragment of text.
What a fragment would catch by mistake (sole tenancy, workstations, reservations) is excluded by word.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from providers.connectors.base import ConnectorError, OfferRow
from providers.connectors.gpus import MEMORY_GB
from providers.connectors.parse import money, usd_only

SKUS_PATH = "/v1/services/6F81-5844-456A/skus"
REMEMBERED_S = 12 * 3600.0  # Google itself lets prices be twelve hours old

# Longer fragments first: "A100" is in "A100 80GB".
GPUS = {
    "Nvidia Tesla T4 GPU": "T4",
    "Nvidia L4 GPU": "L4",
    "Nvidia Tesla A100 80GB GPU": "A100 80GB",
    "Nvidia Tesla A100 GPU": "A100 40GB",
    "Nvidia H100 80GB GPU": "H100",
    "Nvidia H200 141GB GPU": "H200",
    "Nvidia Tesla V100 GPU": "V100",
    "Nvidia Tesla P100 GPU": "P100",
}
PARTS = {
    f"{family} {words} {unit}": f"{short} {unit.lower()}"
    for family, words, short in (
        ("N1", "Predefined Instance", "n1"),
        ("G2", "Instance", "g2"),
        ("A2", "Instance", "a2"),
        ("A3", "Instance", "a3"),
    )
    for unit in ("Core", "Ram")
}
DISKS = {
    "SSD backed PD Capacity": "pd-ssd",
    "Balanced PD Capacity": "pd-balanced",
    "Storage PD Capacity": "pd-standard",
}
WANTED = GPUS | PARTS | DISKS
UNITS = ("h", "GiBy.h", "GBy.h", "GiBy.mo", "GBy.mo")
KINDS = {"OnDemand": "on_demand", "Preemptible": "spot", "Commit1Yr": "committed_1y", "Commit3Yr": "committed_3y"}
EXCLUDED = re.compile(
    r"Sole Tenancy|Regional|Reserved|Premium|Custom|Workstation|DWS|Calendar|suspended", re.IGNORECASE
)

# Machine type -> vCPU, GB of memory; N counts vCPUs in the first two and GPUs in the others.
MACHINES: list[tuple[re.Pattern[str], str, Decimal, Decimal]] = [
    (re.compile(r"n1-standard-(\d+)"), "n1", Decimal(1), Decimal("3.75")),
    (re.compile(r"g2-standard-(\d+)"), "g2", Decimal(1), Decimal(4)),
    (re.compile(r"a2-highgpu-(\d+)g"), "a2", Decimal(12), Decimal(85)),
    (re.compile(r"a2-ultragpu-(\d+)g"), "a2", Decimal(12), Decimal(170)),
    (re.compile(r"a3-highgpu-(\d+)g"), "a3", Decimal(26), Decimal(234)),
]

# The smallest machine that takes one of a GPU; the prices of those with eight are per GPU alike.
SMALLEST = dict.fromkeys(("T4", "V100", "P100"), "n1-standard-4") | {"L4": "g2-standard-4", "H100": "a3-highgpu-1g"}
SMALLEST |= {"A100 40GB": "a2-highgpu-1g", "A100 80GB": "a2-ultragpu-1g"}

Key = tuple[str, str, str]  # what, region, kind


class PriceList:
    """USD per hour of a GPU, a vCPU or a GB of memory, by region and kind."""

    _known: ClassVar[dict[str, tuple[float, PriceList]]] = {}

    def __init__(self, skus: Iterable[dict[str, Any]]) -> None:
        self.prices: dict[Key, Decimal] = {}
        self._ids: dict[Key, str] = {}
        for sku in skus:
            self._take(sku)

    @classmethod
    def remembered(cls, base_url: str, fetch: Callable[[], PriceList]) -> PriceList:
        """The list as this process last saw it: instances are polled far more often than prices change."""
        at, prices = cls._known.get(base_url, (float("-inf"), None))
        if prices is None or time.monotonic() - at > REMEMBERED_S:
            prices = fetch()
            cls._known[base_url] = (time.monotonic(), prices)
        return prices

    def _take(self, sku: dict[str, Any]) -> None:
        words, kind = str(sku["description"]), KINDS.get(sku["category"]["usageType"])
        what = next((name for fragment, name in WANTED.items() if fragment in words), None)
        if what is None or kind is None or EXCLUDED.search(words) or not sku.get("pricingInfo"):
            return
        expression = sku["pricingInfo"][-1]["pricingExpression"]
        if expression["usageUnit"] not in UNITS or not expression.get("tieredRates"):
            return
        for region in sku["serviceRegions"]:
            self.prices[what, region, kind] = _unit_price(expression["tieredRates"][-1]["unitPrice"])
            self._ids[what, region, kind] = str(sku["skuId"])

    def offers(self) -> list[OfferRow]:
        """One per GPU, region and kind, with what the smallest machine around it and a disk cost besides."""
        return [
            OfferRow(
                *("google", self._ids[key], what, 1, MEMORY_GB[what], kind, price, region, True),
                machine_per_gpu_hour=self.machine(SMALLEST.get(what, ""), region, kind) or None,
                disk_per_gb_month=self.prices.get(("pd-ssd", region, "on_demand")),
            )
            for key, price in self.prices.items()
            for what, region, kind in [key]
            if what in MEMORY_GB and price
        ]

    def machine(self, name: str, region: str, kind: str) -> Decimal:
        """USD per hour of a machine's vCPUs and memory; 0 for a machine type that is not in our table."""
        for pattern, family, cores, memory in MACHINES:
            if match := pattern.fullmatch(name):
                core, ram = (
                    self.prices.get((f"{family} {part}", region, kind), Decimal(0)) for part in ("core", "ram")
                )
                return int(match[1]) * (cores * core + memory * ram)
        return Decimal(0)

    def instance(self, machine: str, gpu: str, count: int, region: str, kind: str) -> Decimal:
        """USD per hour of a machine with its GPUs; of a machine type that is not in our table, the GPUs alone.

        Raises ConnectorError where the GPU itself has no price: that would be a machine for nothing.
        """
        if (gpu, region, kind) not in self.prices:
            words = {"gpu": gpu, "region": region, "kind": kind}
            raise ConnectorError(_("Google Cloud lists no price for a %(gpu)s, %(kind)s, in %(region)s.") % words)
        return self.prices[gpu, region, kind] * count + self.machine(machine, region, kind)


def _unit_price(price: dict[str, Any]) -> Decimal:
    usd_only(price["currencyCode"])
    return money(str(price.get("units") or "0")) + Decimal(int(price.get("nanos", 0))) / 10**9
