"""The forecast held against every day of the months that are over, kept so that a page need not work it out.

A month forecast on its tenth day alone is one look at it; whether the interval holds as often as it says shows only
over many days, those on which the team's pace changed included.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from time import perf_counter

from django.db.models import Count, F, Q
from django.db.models.functions import TruncMonth

from costs.dates import month_of
from costs.models import ForecastLook
from costs.plan.forecast import forecast
from costs.plan.queries import this_month
from lib.events import log_event, ms_since
from lib.money import CENT

logger = logging.getLogger(__name__)

MOST = 60  # looks a run: each takes some 20 ms
MEANT = Decimal("0.8")


def record_forecasts(now: datetime, most: int = MOST) -> int:
    """Store the forecast of each past day that has none yet, or whose month's total changed; returns how many."""
    started, history = perf_counter(), this_month(now).history
    recorded = dict(ForecastLook.objects.filter(day__gte=min(history, default=now.date())).values_list("day", "actual"))
    made: list[ForecastLook] = []
    for day, actual in over(history, now.astimezone(UTC).date()):
        if len(made) == most:
            break
        if recorded.get(day) == actual:
            continue
        outlook = forecast({then: amount for then, amount in history.items() if then < day}, day).forecast
        if outlook is not None:
            made.append(ForecastLook(day=day, low=outlook.low, median=outlook.median, high=outlook.high, actual=actual))
    ForecastLook.objects.bulk_create(
        made, update_conflicts=True, unique_fields=["day"], update_fields=["low", "median", "high", "actual"]
    )
    log_event(logger, logging.INFO, "forecasts_recorded", days=len(made), ms=ms_since(started))
    return len(made)


def over(history: Mapping[date, Decimal], today: date) -> Iterator[tuple[date, Decimal]]:
    """Yield each day but the first of every whole month, newest month first, with the month's total."""
    for first in sorted({day.replace(day=1) for day in history}, reverse=True):
        last = month_of(first)[1]
        days = [first + timedelta(n) for n in range((last - first).days + 1)]
        if last >= today or not all(day in history for day in days):
            continue
        actual = sum((history[day] for day in days), Decimal(0)).quantize(CENT)
        if actual > 0:
            yield from ((day, actual) for day in days[1:])


@dataclass(frozen=True, slots=True)
class ForecastRecord:
    """How many of the days of some months had the month's end inside their interval."""

    months: Mapping[date, tuple[int, int]]  # by first day: inside, of

    @property
    def inside(self) -> int:
        return sum(inside for inside, _of in self.months.values())

    @property
    def of(self) -> int:
        return sum(of for _inside, of in self.months.values())

    @property
    def share(self) -> Decimal | None:
        return Decimal(self.inside) / self.of if self.of else None

    @property
    def is_narrow(self) -> bool:
        """Whether it held clearly less often than it is meant to."""
        return self.share is not None and self.share < MEANT - Decimal("0.05")


def recorded_forecasts(since: date) -> ForecastRecord:
    """Count, since a day, the forecasts whose interval held the month's total; in one statement."""
    inside = Q(low__lte=F("actual"), high__gte=F("actual"))
    rows = ForecastLook.objects.filter(day__gte=since).annotate(month=TruncMonth("day")).order_by().values("month")
    counted = rows.annotate(inside=Count("pk", filter=inside), looks=Count("pk"))
    return ForecastRecord({row["month"]: (row["inside"], row["looks"]) for row in counted})
