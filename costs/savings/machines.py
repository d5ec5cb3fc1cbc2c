"""Findings about machines: hours without requests, a cheaper kind of rent, the same GPU cheaper elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from costs.models import FindingKind
from costs.savings.base import SavingFound, Window
from lib.dates import HOUR
from lib.money import COST_STEP, ZERO
from providers import offers
from providers.accounts.queries import accounts_now
from providers.leases.queries import MONTH_HOURS, LeaseNow, hours_between, lease_figures, monthly_cost
from providers.models import Lease, LeaseSpan, LeaseState, Offer, OfferKind
from traffic.models import Fallback, Route, UsageHour

IDLE_RUN = 3  # idle hours in a row that count; one of each run stays paid, as stopping and starting take time
LEAST_IDLE = 12  # idle hours in the window before it is reported: a single quiet evening is no pattern
COMMITTED = {OfferKind.COMMITTED_1Y, OfferKind.COMMITTED_3Y}
STEADY = Decimal("0.95")  # share of the window's hours that it must have run: a commitment is paid for all hours
STEADY_DAYS = 30  # days that it must have been rented before a commitment is proposed


@dataclass(frozen=True, slots=True)
class Machine:
    """A rented machine with its running and idle hours in the window."""

    now: LeaseNow
    running: list[datetime]
    idle: list[datetime]

    @property
    def lease(self) -> Lease:
        return self.now.lease

    @property
    def claims(self) -> frozenset[tuple[str, str]]:
        return frozenset({(f"lease:{self.lease.pk}", "hours")})


def machines(window: Window, now: datetime) -> list[Machine]:
    """The machines that we rent by the hour at `now`."""
    active = Lease.objects.reported().exclude(kind=OfferKind.SERVERLESS).filter(price_per_hour__gt=0)
    leases = lease_figures(active, now)
    hours_with_requests = asked_hours([d.pk for entry in leases for d in entry.deployments], window)
    rows = []
    for entry in leases:
        running = running_hours(entry.lease, window)
        used = (
            set().union(*(hours_with_requests.get(deployment.pk, set()) for deployment in entry.deployments))
            if entry.deployments
            else set()
        )
        rows.append(Machine(entry, running, [hour for hour in running if hour not in used]))
    return rows


def bounds(window: Window) -> tuple[datetime, datetime]:
    return datetime.combine(window.since, time.min, UTC), datetime.combine(window.until, time.min, UTC)


def running_hours(lease: Lease, window: Window) -> list[datetime]:
    """Begins of the whole hours of the window in which the lease ran."""
    since, until = bounds(window)
    spans = LeaseSpan.objects.filter(lease=lease, state=LeaseState.RUNNING, starts_at__lt=until, ends_at__gt=since)
    hours: set[datetime] = set()
    for start, end in joined(spans.order_by("starts_at").values_list("starts_at", "ends_at")):
        hour = max(start, since).replace(minute=0, second=0, microsecond=0)
        hour += HOUR if hour < max(start, since) else timedelta()
        while hour + HOUR <= min(end, until):
            hours.add(hour)
            hour += HOUR
    return sorted(hours)


def joined(spans: Any) -> list[tuple[datetime, datetime]]:
    """Spans without a gap between them as one span; they are separate because each new price begins a span."""
    whole: list[tuple[datetime, datetime]] = []
    for start, end in spans:
        if whole and start <= whole[-1][1]:
            whole[-1] = whole[-1][0], max(end, whole[-1][1])
        else:
            whole.append((start, end))
    return whole


def asked_hours(deployments: Sequence[int], window: Window) -> dict[int, set[datetime]]:
    since, until = bounds(window)
    rows = UsageHour.objects.filter(deployment_id__in=deployments, hour__gte=since, hour__lt=until, requests__gt=0)
    hours: dict[int, set[datetime]] = {}
    for pk, hour in rows.values_list("deployment_id", "hour").distinct():
        hours.setdefault(pk, set()).add(hour)
    return hours


def runs(hours: Sequence[datetime]) -> list[int]:
    """Lengths of the stretches of consecutive hours; `hours` must be sorted."""
    lengths: list[int] = []
    for place, hour in enumerate(hours):
        if place and hours[place - 1] + HOUR == hour:
            lengths[-1] += 1
        else:
            lengths.append(1)
    return lengths


def unused(machine: Machine, window: Window, now: datetime) -> tuple[str, int, Decimal]:
    """How a machine is paid without need, in how many hours, and USD a month that this costs.

    `stopped` and `no_requests` cost the whole machine. Of one that is used at times, all hours of a run but one need
    not be paid; their share is of the hours in the window in which it was rented, as a new machine has few.
    """
    lease, stopped = machine.lease, machine.now.stopped_since
    if lease.state == LeaseState.STOPPED:
        return "stopped", int(hours_between(stopped or now, now)), monthly_cost(lease)
    stoppable = sum(length - 1 for length in runs(machine.idle) if length >= IDLE_RUN)
    if machine.idle == machine.running:
        return "no_requests", stoppable, monthly_cost(lease)
    since, until = bounds(window)
    share = stoppable / hours_between(max(since, lease.started_at), until)
    return "at_times", stoppable, (monthly_cost(lease) - (lease.disk_per_hour or ZERO) * MONTH_HOURS) * share


def idle_hours(rented: Sequence[Machine], window: Window, now: datetime) -> Iterator[SavingFound]:
    """Machines that stand still or have runs of hours without requests."""
    for machine in rented:
        way, stoppable, monthly = unused(machine, window, now)
        if stoppable < LEAST_IDLE:
            continue
        lease = machine.lease
        yield SavingFound(
            FindingKind.IDLE,
            str(lease.pk),
            monthly.quantize(COST_STEP),
            {
                "way": way,
                "running": len(machine.running),
                "idle": len(machine.idle),
                "stoppable": stoppable,
                "price": lease.price_per_hour,
                "disk_known": lease.disk_per_hour is not None,
                "gpu": lease.gpu,
                "deployments": len(machine.now.deployments),
            },
            machine.claims,
            provider=lease.account.kind,
            lease_id=lease.pk,
        )


def cheaper_rent(rented: Sequence[Machine], window: Window, now: datetime) -> Iterator[SavingFound]:
    """Cheaper offers of the same GPU: of the present kind of rent, or of another kind if `fits` allows it."""
    paid = {paid_lease.lease.pk: paid_lease for paid_lease in offers.ours([machine.lease for machine in rented])}
    fresh = offers.fresh_of(offers.newest_of(row for row in accounts_now(now) if row.account.enabled))
    for machine in rented:
        ours = paid.get(machine.lease.pk)
        if ours is None or machine.lease.state != LeaseState.RUNNING:
            continue
        beating = Offer.objects.filter(offers.cheaper_than([ours], fresh)).order_by("whole_per_gpu_hour", "pk")[:500]
        best: dict[str, tuple[Decimal, Offer]] = {}
        for offer in beating:
            saving = offers.saving(offer, [ours], fresh)
            kind = fits(offer.kind, machine, window, now)
            if saving and kind and (kind not in best or saving.monthly > best[kind][0]):
                best[kind] = (saving.monthly, offer)
        for kind, (monthly, offer) in best.items():
            yield rent(machine, kind, monthly, offer, ours.price)


def fits(offered: str, machine: Machine, window: Window, now: datetime) -> str | None:
    """The kind of finding that an offer of this kind of rent would make; None if the machine cannot use it."""
    lease = machine.lease
    if offered == lease.kind:
        return FindingKind.OFFER
    if lease.kind != OfferKind.ON_DEMAND:
        return None
    if offered in COMMITTED:
        since, until = bounds(window)
        hours = Decimal(len(machine.running)) / hours_between(since, until)
        old = now - lease.started_at >= timedelta(days=STEADY_DAYS)
        return FindingKind.RENT if old and hours >= STEADY else None
    return FindingKind.RENT if offered == OfferKind.SPOT and can_go_away(machine) else None


def can_go_away(machine: Machine) -> bool:
    """Whether every deployment on it has a route with a fallback elsewhere, so that the machine may be interrupted."""
    pks = {deployment.pk for deployment in machine.now.deployments}
    if not pks:
        return False
    elsewhere = Fallback.objects.exclude(deployment__in=pks).filter(route__enabled=True, route__falls_back=True)
    rules = Route.objects.enabled().filter(deployment__in=pks)
    to_self = Route.objects.enabled().filter(to_provider="self", falls_back=True, fallbacks__isnull=False)
    safe = set(elsewhere.filter(route__in=rules).values_list("route__deployment", flat=True))
    stuck = rules.exclude(pk__in=elsewhere.values("route")).exists()
    return not stuck and (safe == pks or to_self.exists())


def rent(machine: Machine, kind: str, monthly: Decimal, offer: Offer, price: Decimal) -> SavingFound:
    lease = machine.lease
    return SavingFound(
        kind,
        str(lease.pk),
        monthly,
        {
            "gpu": lease.gpu,
            "gpus": lease.gpu_count,
            "kind": lease.kind,
            "price": price,
            "offer_provider": offer.provider,
            "offer_kind": offer.kind,
            "offer_region": offer.region,
            "offer_price": offer.whole_per_gpu_hour,
            "offer_seen": offer.seen_at,
            "reliability": offer.reliability,
            "running": len(machine.running),
        },
        machine.claims,
        provider=lease.account.kind,
        lease_id=lease.pk,
    )
