"""Charges that come again: each time is a line of the ledger, made once when its day has come."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from costs.charges.exchange_rates import Converted, NoRate, to_usd
from costs.finality import month_final_on
from costs.models import Charge, Provenance, Recurrence


def key_of(recurrence: Recurrence, day: date) -> str:
    return f"recurring:{recurrence.pk}:{day}"


@transaction.atomic
def post_recurrences(today: date) -> int:
    """Make what has become due; a second time changes nothing. A day whose currency has no rate waits for one."""
    recurrences = list(Recurrence.objects.filter(stopped_at=None))
    made = _made(recurrences)
    due = [(recurrence, day) for recurrence in recurrences for day in due_days(recurrence, made[recurrence.pk], today)]
    charges = [
        charge_of(recurrence, day, converted) for recurrence, day in due if (converted := _converted(recurrence, day))
    ]
    Charge.objects.bulk_create(charges, ignore_conflicts=True)
    return len(charges)


def due_days(recurrence: Recurrence, made: set[date], today: date) -> list[date]:
    """Days up to today that are neither made nor were deleted by a person."""
    skipped = set(recurrence.skipped)
    return [day for day in recurrence.days(today) if day not in made and day.isoformat() not in skipped]


def waiting(recurrences: list[Recurrence], today: date) -> dict[int, list[date]]:
    """By series, the days that are due and wait for a rate."""
    going_on = [recurrence for recurrence in recurrences if recurrence.stopped_at is None]
    made = _made(going_on)
    return {recurrence.pk: due_days(recurrence, made[recurrence.pk], today) for recurrence in going_on}


def next_day(recurrence: Recurrence, today: date) -> date | None:
    """When it arises next; None once it is over."""
    if recurrence.stopped_at is not None:
        return None
    ahead = recurrence.days(max(today, recurrence.starts_on) + timedelta(days=31))
    return next((day for day in ahead if day > today), None)


def _made(recurrences: list[Recurrence]) -> dict[int, set[date]]:
    days_made: dict[int, set[date]] = defaultdict(set)
    rows = Charge.objects.filter(recurrence__in=recurrences).values_list("recurrence_id", "key")
    for recurrence, key in rows:
        assert recurrence is not None, "filtered by it"
        day = key.rpartition(":")[2]  # a person may have moved the charge to another day
        days_made[recurrence].add(date.fromisoformat(day))
    return days_made


def _converted(recurrence: Recurrence, day: date) -> Converted | None:
    try:
        return to_usd(recurrence.original_amount, recurrence.currency, day)
    except NoRate:
        return None


def charge_of(recurrence: Recurrence, day: date, converted: Converted) -> Charge:
    start = datetime.combine(day, time(), UTC)
    monthly = recurrence.every == Recurrence.Every.MONTH and day.day == 1
    return Charge(
        key=key_of(recurrence, day),
        provenance=Provenance.ENTERED,
        provider=recurrence.provider,
        category=recurrence.category,
        day=day,
        starts_at=start,
        ends_at=start + timedelta(days=1),
        amount=converted.amount,
        original_amount=recurrence.original_amount,
        currency=recurrence.currency,
        rate=converted.rate,
        rate_source=converted.source,
        application_id=recurrence.application_id,
        description=recurrence.description,
        invoice_month=f"{day:%Y-%m}" if monthly else "",
        recurrence=recurrence,
        receipt_id=recurrence.receipt_id,
        entered_by_id=recurrence.entered_by_id,
    )


@transaction.atomic
def change(*, recurrence: Recurrence, since: date, today: date, **values: Any) -> int:
    """Make it anew from a day on: what it made before that day, and in months that are final, stays as it is."""
    later = list(Charge.objects.filter(recurrence=recurrence, day__gte=since))
    open_ones = [charge.pk for charge in later if not charge.is_final(today)]
    Charge.objects.filter(pk__in=open_ones).delete()
    for name, value in values.items():
        setattr(recurrence, name, value)
    recurrence.counts_from = since
    recurrence.save()
    return post_recurrences(today)


def stop(pk: int) -> bool:
    """Make no further charge; False where it was stopped before."""
    return bool(Recurrence.objects.filter(pk=pk, stopped_at=None).update(stopped_at=timezone.now()))


@transaction.atomic
def resume(pk: int, today: date) -> bool:
    """Let a series go on and make what was due meanwhile; False where it was not stopped."""
    if not Recurrence.objects.filter(pk=pk).exclude(stopped_at=None).update(stopped_at=None):
        return False
    post_recurrences(today)
    return True


def first_open_day(provider: str, today: date) -> date:
    """The first day whose month is not final."""
    first = today.replace(day=1)
    while month_final_on(provider, before := (first - timedelta(days=1)).replace(day=1)) > today:
        first = before
    return first


@transaction.atomic
def skip(charge: Charge) -> None:
    """A person deleted this time: it is not made again."""
    _set_skipped(charge, skipped=True)


@transaction.atomic
def unskip(charge: Charge) -> None:
    _set_skipped(charge, skipped=False)


def _set_skipped(charge: Charge, *, skipped: bool) -> None:
    recurrence = Recurrence.objects.select_for_update().filter(pk=charge.recurrence_id or 0).first()
    if recurrence is None:
        return
    days = set(recurrence.skipped) - {charge.key.rpartition(":")[2]}
    recurrence.skipped = sorted(days | ({charge.key.rpartition(":")[2]} if skipped else set()))
    recurrence.save(update_fields=["skipped", "updated_at"])
