"""What is cheaper than what we rent, and what that would save."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Greatest, Round
from django.utils.translation import gettext as _

from providers.leases.queries import MONTH_HOURS
from providers.models import Lease, LeaseState, Offer, OfferKind, usd
from providers.models.offers import OfferQuerySet


@dataclass(frozen=True, slots=True)
class RentedGpu:
    """What we pay for a GPU now, USD per GPU hour."""

    lease: Lease
    gpu: str
    kind: str
    gpu_count: int
    price: Decimal

    def beaten_by(self) -> Q:
        """Offers that could take its place for less: the same GPU, no more of them than we need."""
        fits_in = Q(gpu=self.gpu, whole_per_gpu_hour__lt=self.price, gpu_count__lte=self.gpu_count, available=True)
        return fits_in & ~Q(kind=OfferKind.SERVERLESS)


@dataclass(frozen=True, slots=True)
class OfferSaving:
    """What an offer would save against one of our leases. USD a month of 730 hours."""

    ours: RentedGpu
    monthly: Decimal
    caveat: str = field(default="")


def ours(leases: Iterable[Lease]) -> list[RentedGpu]:
    """Our running machines, the dearest first, of leases with their account. What sleeps, for nothing or for its disk's
    price, what is paid by the second, and what nobody reports is no measure."""
    machines = [
        RentedGpu(lease, lease.gpu, lease.kind, (count := max(lease.gpu_count, 1)), lease.price_per_hour / count)
        for lease in leases
        if lease.ended_at is None
        and lease.reported
        and lease.kind != OfferKind.SERVERLESS
        and lease.state != LeaseState.STOPPED
        and lease.price_per_hour > 0
    ]
    return sorted(machines, key=lambda machine: -machine.price)


def rented_now() -> list[RentedGpu]:
    return ours(Lease.objects.reported().select_related("account"))


def cheaper_than(rented: Sequence[RentedGpu], fresh: Collection[str]) -> Q:
    """Offers of vendors that are read on time (`fresh`, by slug) that beat any of what we rent: an old price saves
    nothing."""
    condition = Q(pk__in=[])
    for machine in rented:
        condition |= machine.beaten_by()
    return condition & Q(provider__in=fresh)


def only_cheaper(offers: OfferQuerySet, rented: Sequence[RentedGpu], fresh: Collection[str]) -> OfferQuerySet:
    """Those of the offers that beat any of what we rent."""
    return offers.filter(cheaper_than(rented, fresh))


def saving_value(rented: Sequence[RentedGpu], fresh: Collection[str]) -> Any:
    """USD a month that a row of `Offer` would save, for a statement; NULL where it would not."""
    each = [
        Case(
            When(
                machine.beaten_by() & Q(provider__in=fresh),
                then=(Value(machine.price) - F("whole_per_gpu_hour")) * Value(machine.gpu_count * MONTH_HOURS),
            ),
            default=None,
            output_field=usd(),
        )
        for machine in rented
    ]
    nothing = Value(None, output_field=usd())
    return Round(Greatest(nothing, *each) if each else nothing, precision=9)


def saving(offer: Offer, rented: Sequence[RentedGpu], fresh: Collection[str]) -> OfferSaving | None:
    """The most that an offer would save against what we rent; None where it would not."""
    best: OfferSaving | None = None
    for machine in rented:
        fits_in = (
            offer.gpu == machine.gpu and offer.gpu_count <= machine.gpu_count and offer.kind != OfferKind.SERVERLESS
        )
        if (
            not fits_in
            or not offer.available
            or offer.whole_per_gpu_hour >= machine.price
            or offer.provider not in fresh
        ):
            continue
        monthly = (machine.price - offer.whole_per_gpu_hour) * machine.gpu_count * MONTH_HOURS
        if best is None or monthly > best.monthly:
            best = OfferSaving(machine, monthly, caveat(offer.kind, machine.kind))
    return best


def caveat(offered: str, rented: str) -> str:
    """What one gives up for the lower price."""
    if offered == rented:
        return ""
    if offered == OfferKind.SPOT:
        return _("can be interrupted at any time")
    if offered == OfferKind.COMMITTED_1Y:
        return _("requires a one-year commitment")
    if offered == OfferKind.COMMITTED_3Y:
        return _("requires a three-year commitment")
    return ""


@dataclass(frozen=True, slots=True)
class BestSaving:
    """What beats what we rent: how many offers, and the one to take first."""

    offers: int
    offer: Offer
    saving: OfferSaving


def better(rented: Sequence[RentedGpu], fresh: Collection[str]) -> BestSaving | None:
    """None where we rent at the best price, or nothing. At most one statement."""
    if not rented:
        return None
    beating = Offer.objects.filter(cheaper_than(rented, fresh)).order_by("whole_per_gpu_hour", "pk")[:500]
    savings = [(gain, offer) for offer in beating if (gain := saving(offer, rented, fresh))]
    if not savings:
        return None
    # One that costs nothing but the move comes before one with a catch, whatever that would save.
    best, offer = max(savings, key=lambda pair: (not pair[0].caveat, pair[0].monthly))
    return BestSaving(len(savings), offer, best)
