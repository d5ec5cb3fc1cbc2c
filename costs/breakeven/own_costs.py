"""Costs of our own GPUs besides the GPU: charges that people entered; machine, disk and egress by the price book."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from costs.models import Category, Provenance
from lib import sql
from lib.money import ZERO
from providers.models import Lease, Offer, Priced, UnitPrice

DISK_GB = Decimal(100)  # for the image, the weights of one model and room to download the next
BESIDE = (Priced.VM, Priced.STORAGE, Priced.EGRESS)
WINDOW = timedelta(days=30)
ENTERED = """
SELECT sum(amount), bool_or(category = %(vm)s) FROM costs_charge
WHERE day >= %(since)s AND day < %(until)s AND provenance = %(entered)s AND category IN (%(upkeep)s, %(vm)s)
"""


@dataclass(frozen=True, slots=True)
class CostsBesideGpu:
    """USD; 0 if the vendor charges nothing extra, includes it in the GPU's price, or has no price in the book."""

    vm_hourly: Decimal = ZERO
    disk_gb: Decimal = ZERO
    disk_per_gb_month: Decimal = ZERO
    egress_per_gb: Decimal = ZERO


class UnitBook:
    """Unit prices in force today, read once: the cheapest of a vendor and kind, in the lease's region if it is priced.

    The price of a machine is 0 if a person entered a machine as a charge, because that is in the upkeep already.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now

    @cached_property
    def entered(self) -> tuple[Decimal | None, bool]:
        """USD of upkeep and machines that people entered for the last 30 days (None: nothing), and whether a machine is
        among them."""
        kinds = {"upkeep": Category.UPKEEP.value, "vm": Category.VM.value, "entered": Provenance.ENTERED.value}
        days = {"since": self.now.date() - WINDOW, "until": self.now.date()}
        [(total, vm)] = sql.rows(ENTERED, days | kinds)
        return total, bool(vm)

    @cached_property
    def known(self) -> Mapping[tuple[str, str], list[tuple[str, Decimal]]]:
        amounts: dict[tuple[str, str], list[tuple[str, Decimal]]] = {}
        for price in UnitPrice.objects.filter(kind__in=BESIDE).in_force(self.now):
            amounts.setdefault((price.provider, price.kind), []).append((price.variant, price.amount))
        return amounts

    def cheapest(self, provider: str, kind: Priced, region: str = "") -> Decimal:
        prices = self.known.get((provider, kind), [])
        there = [amount for variant, amount in prices if region and variant and region.startswith(variant)]
        return min(there or [amount for _variant, amount in prices], default=ZERO)

    def of_leases(self, leases: Iterable[Lease]) -> CostsBesideGpu:
        """Costs besides the GPU of the first lease; the disk is left out if the lease's price includes one."""
        lease = next(iter(leases), None)
        if lease is None:
            return CostsBesideGpu()
        return self._of(lease.account.kind, lease.region, disk=not lease.disk_per_hour, vm=True)

    def of_offer(self, offer: Offer) -> CostsBesideGpu:
        """Costs besides the GPU of an offer; its own disk price goes before that of the price book."""
        vm = offer.machine_per_gpu_hour is None
        return self._of(offer.provider, offer.region, disk=True, vm=vm, disk_price=offer.disk_per_gb_month)

    def _of(
        self, provider: str, region: str, *, disk: bool, vm: bool, disk_price: Decimal | None = None
    ) -> CostsBesideGpu:
        per_gb = self.cheapest(provider, Priced.STORAGE, region) if disk_price is None else disk_price
        return CostsBesideGpu(
            vm_hourly=self.cheapest(provider, Priced.VM, region) if vm and not self.entered[1] else ZERO,
            disk_gb=DISK_GB if disk and per_gb else ZERO,
            disk_per_gb_month=per_gb if disk else ZERO,
            egress_per_gb=self.cheapest(provider, Priced.EGRESS, region),
        )
