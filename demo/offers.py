"""What GPUs cost before the demo began, and what the company waits for."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from providers.models import OfferDay, OfferWatch
from providers.offers import HISTORY_DAYS
from sandbox.catalog import drift

DAY = timedelta(days=1)
CENT = Decimal("0.0001")
FALL = 0.003  # a day, at most: what is rented becomes cheaper over a season

# GPU, kind, price below which somebody is told: one is there, one is waited for.
WATCHED = (("RTX 4090", "on_demand", "0.28"), ("H100", "on_demand", "1.60"))


def add_watches() -> None:
    """Both, once: one that a person changed or removed is left alone."""
    if not OfferWatch.objects.exists():
        OfferWatch.objects.bulk_create(
            OfferWatch(gpu=gpu, kind=kind, price=Decimal(price)) for gpu, kind, price in WATCHED
        )


def add_price_history(now: datetime) -> int:
    """Ninety days behind today's prices of every vendor that has none yet; returns how many rows. Call it again when
    another vendor was polled for the first time."""
    today = now.astimezone(UTC).date()
    told = OfferDay.objects.filter(day__lt=today - 2 * DAY).values("provider")
    rows = OfferDay.objects.filter(day__gte=today - DAY, day__lte=today).exclude(provider__in=told)
    newest = {(row.provider, row.gpu, row.kind): row for row in rows.order_by("day")}
    made = [past for row in newest.values() for past in before(row)]
    OfferDay.objects.bulk_create(made, batch_size=2_000, ignore_conflicts=True)
    return len(made)


def before(row: OfferDay) -> Iterator[OfferDay]:
    """The days before one, on the same slow wave that the simulated vendors' prices go on."""
    name = f"{row.provider} {row.gpu} {row.kind}"
    fall = FALL * (zlib.crc32(name.encode()) % 100) / 100
    noon = datetime.combine(row.day, time(12), UTC)
    here = drift(name, 100.0, noon)
    for n in range(1, HISTORY_DAYS):
        moved = Decimal(str(drift(name, 100.0, noon - n * DAY) / here * (1 + n * fall)))
        low, median, high = ((price * moved).quantize(CENT) for price in (row.low, row.median, row.high))
        yield OfferDay(
            provider=row.provider, gpu=row.gpu, kind=row.kind, day=row.day - n * DAY, low=low, median=median, high=high,
            offers=row.offers,
        )  # fmt: skip
