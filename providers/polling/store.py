"""Storing what a vendor answered: upserts on its natural keys, so that the same answer twice changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any, TypeVar

from django.db import models
from django.db.models import F, Max, Value

from providers.connectors.base import Balance as BalanceRow
from providers.connectors.base import CostRow, LeaseRow, NameRow, OfferRow, PaymentRow, UsageRow
from providers.models import (
    Account,
    Balance,
    Lease,
    LeaseSpan,
    LeaseState,
    Offer,
    OfferDay,
    VendorCost,
    VendorName,
    VendorPayment,
    VendorUsage,
)
from providers.models.leases import IDLE_BELOW, Seconds
from providers.polling.refusals import without_others

RATE: models.DecimalField[Any, Any] = models.DecimalField(max_digits=40, decimal_places=20)
STEP = Decimal("0.000000000001")
R = TypeVar("R")
M = TypeVar("M", bound=models.Model)


def store_offers(account: Account, rows: Iterable[OfferRow], now: datetime) -> int:
    """Offers seen now; those of the account's provider that were not seen are no longer available."""
    by_key = {(row.external_id, row.kind, row.region): row for row in rows}
    offers = [
        Offer(
            provider=row.provider,
            external_id=row.external_id,
            kind=row.kind,
            region=row.region,
            gpu=row.gpu,
            gpu_count=row.gpu_count,
            memory_gb=row.memory_gb,
            price_per_gpu_hour=row.price_per_gpu_hour,
            reliability=row.reliability,
            available=row.available,
            machine_per_gpu_hour=row.machine_per_gpu_hour,
            disk_per_gb_month=row.disk_per_gb_month,
            seen_at=now,
        )
        for row in by_key.values()
    ]
    upsert(Offer, offers, ("provider", "external_id", "kind", "region"))
    Offer.objects.filter(provider=account.provider, seen_at__lt=now, available=True).update(available=False)
    store_offer_days(account.provider, by_key.values(), now.date())
    return len(offers)


def store_offer_days(provider: str, offers: Iterable[OfferRow], day: date) -> None:
    """The day's lowest, median and highest price by GPU and kind; a day only widens as polls go on."""
    prices: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for offer in offers:
        if offer.available:
            prices[offer.gpu, offer.kind].append(offer.whole_per_gpu_hour)
    stored = {(row.gpu, row.kind): row for row in OfferDay.objects.filter(provider=provider, day=day)}
    rows = []
    for (gpu, kind), seen in prices.items():
        before = stored.get((gpu, kind))
        rows.append(
            OfferDay(
                provider=provider,
                gpu=gpu,
                kind=kind,
                day=day,
                low=min([*seen, before.low] if before else seen),
                median=median(seen),
                high=max([*seen, before.high] if before else seen),
                offers=len(seen),
                estimated=before.estimated if before else False,
            )
        )
    upsert(OfferDay, rows, ("provider", "gpu", "kind", "day"))


def store_leases(account: Account, rows: Iterable[LeaseRow], now: datetime) -> int:
    """Leases as they stand; one that is no longer listed has ended, at the last moment that we saw it."""
    stored = {lease.external_id: lease for lease in Lease.objects.filter(account=account)}
    disks = billed_disks(account, now)
    by_id = {row.external_id: row for row in rows}
    leases = [stored.get(id_) or Lease(account=account, external_id=id_) for id_ in by_id]
    own, refused = without_others(account, Lease, leases)
    for lease in own:
        store_lease(lease, with_disk(by_id[lease.external_id], disks.get(lease.external_id)), now)
    for id_, lease in stored.items():
        if lease.ended_at is None and id_ not in by_id:
            end_lease(lease)
    return len(by_id) - len(refused)


BILL_LOOK_BACK = timedelta(days=3)


def billed_disks(account: Account, now: datetime) -> dict[str, Decimal]:
    """By a lease's id at the vendor, what its disk costs an hour by the newest bills. A period that is still under way
    is billed in part, so the dearest of them is the whole."""
    hours = Seconds(F("ends_at") - F("starts_at")) / Value(Decimal(3600))
    lines = VendorCost.objects.filter(account=account, category="disk", starts_at__gte=now - BILL_LOOK_BACK)
    lines = lines.exclude(resource="").filter(ends_at__gt=F("starts_at"))
    rows = lines.values_list("resource").annotate(rate=Max(F("amount") / hours, output_field=RATE)).order_by()
    return {resource: rate.quantize(STEP) for resource, rate in rows if rate > 0}


def with_disk(row: LeaseRow, disk: Decimal | None) -> LeaseRow:
    """A lease whose vendor tells no price of a stopped machine, although its disk is billed on."""
    if row.disk_per_hour is not None or disk is None:
        return row
    unpriced = row.state == LeaseState.STOPPED and not row.price_per_hour
    return replace(row, disk_per_hour=disk, price_per_hour=disk if unpriced else row.price_per_hour)


def store_lease(lease: Lease, row: LeaseRow, now: datetime) -> None:
    ended = row.state == LeaseState.ENDED
    lease.name, lease.gpu, lease.gpu_count, lease.memory_gb = row.name, row.gpu, row.gpu_count, row.memory_gb
    lease.kind, lease.region, lease.utilisation = row.kind, row.region, row.utilisation
    lease.state, lease.raw_state, lease.price_per_hour = row.state, row.raw_state, row.price_per_hour
    lease.disk_per_hour, lease.worker_per_hour, lease.handle = row.disk_per_hour, row.worker_per_hour, row.handle
    lease.started_at = row.started_at or (lease.started_at if lease.pk else now)
    lease.seen_at = now
    if row.utilisation is not None and row.utilisation >= IDLE_BELOW:
        lease.used_at = now
    lease.ended_at = (lease.ended_at or now) if ended else None
    lease.save()
    if not ended:
        extend_span(lease, now)


def extend_span(lease: Lease, now: datetime) -> None:
    """The newest span grows to now; another state or price closes it and opens the next."""
    span = lease.spans.order_by("-starts_at").first()
    if span is not None and span.ends_at < now:
        span.ends_at = now
        if span.state == lease.state == LeaseState.STOPPED and not span.price_per_hour:
            span.price_per_hour = lease.price_per_hour  # it was unknown, not free, until the first bill of it
        span.save(update_fields=["ends_at", "price_per_hour", "updated_at"])
    if span is None or (span.state, span.price_per_hour) != (lease.state, lease.price_per_hour):
        starts_at = now if span is not None else min(lease.started_at, now)
        LeaseSpan.objects.get_or_create(
            lease=lease,
            starts_at=starts_at,
            defaults={"ends_at": now, "state": lease.state, "price_per_hour": lease.price_per_hour},
        )


def end_lease(lease: Lease) -> None:
    lease.state, lease.ended_at = LeaseState.ENDED, lease.seen_at
    lease.save(update_fields=["state", "ended_at"])


def store_usage(account: Account, rows: Iterable[UsageRow], since: datetime, until: datetime) -> int:
    key = ("account", "starts_at", "model", "workspace", "api_key", "service_tier")
    return replace_window(account, VendorUsage, rows, key, since, until)


def store_costs(account: Account, rows: Iterable[CostRow], since: datetime, until: datetime) -> int:
    return replace_window(account, VendorCost, rows, ("account", "external_id"), since, until)


def replace_window(
    account: Account, model: type[M], rows: Iterable[Any], key: tuple[str, ...], since: datetime, until: datetime
) -> int:
    """What the vendor says of a period now: rows change, and those that it took back go."""
    made: dict[tuple[Any, ...], M] = {}
    for row in rows:
        record = model(account=account, **vars(row))
        made[tuple(getattr(record, name) for name in key)] = record
    own, _refused = without_others(account, model, made.values())
    upsert(model, own, key)
    stored = model._default_manager.filter(account=account, starts_at__gte=since, starts_at__lt=until)
    gone = [record.pk for record in stored if tuple(getattr(record, name) for name in key) not in made]
    model._default_manager.filter(pk__in=gone).delete()
    return len(own)


def store_payments(account: Account, rows: Iterable[PaymentRow]) -> int:
    payments = {row.external_id: VendorPayment(account=account, **vars(row)) for row in rows}
    upsert(VendorPayment, payments.values(), ("account", "external_id"))
    return len(payments)


def store_names(account: Account, rows: Iterable[NameRow], now: datetime) -> int:
    """Names as they are now. One that is no longer told stays: usage of the past still bears its id."""
    names = {(row.kind, row.external_id): VendorName(account=account, seen_at=now, **vars(row)) for row in rows}
    upsert(VendorName, names.values(), ("account", "kind", "external_id"))
    return len(names)


def store_balance(account: Account, row: BalanceRow) -> int:
    fields = {"amount": row.amount, "spend_per_hour": row.spend_per_hour, "at": row.at}
    Balance.objects.update_or_create(account=account, defaults=fields)
    return 1


def upsert(model: type[M], records: Iterable[M], key: tuple[str, ...]) -> None:
    """Insert or update on a natural key, in its order so that two polls cannot deadlock."""
    own = {field.name for field in model._meta.concrete_fields if field.primary_key or field.generated}
    fields = [field.name for field in model._meta.concrete_fields if field.name not in own and field.name not in key]
    ordered = sorted(records, key=lambda record: tuple(str(getattr(record, name)) for name in key))
    model._default_manager.bulk_create(
        ordered, batch_size=1000, update_conflicts=True, unique_fields=list(key), update_fields=fields
    )
