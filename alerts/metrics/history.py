"""The last 90 days of a figure, from the rollups and the ledger: what a rule would have seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import accumulate
from typing import Any, TypeVar

from django.db.models import Count, Sum

from alerts.metrics.current import SUMS, Counts, Sums, in_phase, percent_up
from alerts.metrics.scopes import Place
from alerts.metrics.windows import Window
from costs.allocation import queries as spend
from costs.models import Phase
from costs.models.terms import Term
from costs.plan.budget_status import Allowance, allowance
from lib.dates import DAY, HOUR, midnight
from lib.money import ZERO
from providers.models import Deployment
from providers.uptime import report as uptime_report
from traffic.models import LatencyDay, LatencyHour, Rating, UsageDay, UsageHour
from traffic.quality.queries import ACCEPTABLE
from traffic.usage.reports import Quantiles, ranked

T = TypeVar("T")
DAYS = 90
BEFORE = 31  # earlier days that a window which ends on the first day reaches back to
INSTANT = timedelta(microseconds=1)


class MetricHistory:
    """The 90 days before a moment, of one rule's scope; each table is read at most once."""

    def __init__(self, now: datetime) -> None:
        self.now = now.astimezone(UTC)
        self.today = self.now.date()
        self.first = self.today - timedelta(days=DAYS)
        self._allowed: dict[date, Allowance | None] = {}
        self._by_day: dict[date, Decimal] | None = None
        self.start = midnight(self.first)

    def sums(self, window: Window, place: Place) -> Iterator[tuple[datetime, Sums]]:
        """At the end of each hour, for windows of hours and for today; else at the end of each day."""
        if window.hourly or window == Window.TODAY:
            rows = UsageHour.objects.filter(hour__gte=self.start - DAY, hour__lte=self.now, **place.filters.lookups())
            hours = {row[0]: Sums.of_row(row[1:]) for row in rows.values_list("hour").annotate(**SUMS).order_by()}
            return self.rolled(window, hours, self.hours(), HOUR)
        earlier = self.first - timedelta(days=BEFORE)
        rows = UsageDay.objects.filter(day__gte=earlier, day__lte=self.today, **place.filters.lookups())
        days = {moment(row[0]): Sums.of_row(row[1:]) for row in rows.values_list("day").annotate(**SUMS).order_by()}
        return self.rolled(window, days, self.days(BEFORE), DAY)

    def rolled(
        self, window: Window, sums_by_step: Mapping[datetime, Sums], steps: Iterable[datetime], step: timedelta
    ) -> Iterator[tuple[datetime, Sums]]:
        """The sums of the window that ends with each step, from the sums of the steps."""
        window_sums: dict[datetime, Sums] = {}
        for at in steps:
            window_sums[at] = sums_by_step.get(at, Sums())
            since = reach(window, at)
            for old in [step_start for step_start in window_sums if step_start < since]:
                del window_sums[old]
            if at >= self.start:
                total = Sums()
                for part in window_sums.values():
                    total.add(part)
                if window_sums.keys() == {at} and window in (Window.MONTH, Window.TODAY):
                    yield at, Sums()  # it begins anew
                yield self.end(at, step), total

    def hours(self) -> Iterator[datetime]:
        """The first moment of each hour, from a day before the first."""
        at = self.start - DAY
        while at <= self.now:
            yield at
            at += HOUR

    def days(self, before: int = 0) -> Iterator[datetime]:
        for n in range(-before, DAYS + 1):
            yield self.start + n * DAY

    def quantiles(self, window: Window, place: Place, metric: int) -> Iterator[tuple[datetime, Quantiles | None]]:
        """Of each hour, or of each day for longer windows; None where nothing was timed."""
        lookups = {"metric": metric, **place.filters.lookups()}
        if window == Window.HOUR:
            rows = LatencyHour.objects.filter(hour__gte=self.start, hour__lte=self.now, **lookups)
            return self._ranked(
                rows.values_list("hour", "bucket"), (at for at in self.hours() if at >= self.start), HOUR
            )
        days = LatencyDay.objects.filter(day__gte=self.first, day__lte=self.today, **lookups)
        return self._ranked(days.values_list("day", "bucket"), self.days(), DAY)

    def _ranked(
        self, rows: Any, steps: Iterable[datetime], step: timedelta
    ) -> Iterator[tuple[datetime, Quantiles | None]]:
        counts: dict[datetime, Counts] = defaultdict(dict)
        for at, bucket, n in rows.annotate(n_sum=Sum("n")).order_by():
            counts[moment(at)][bucket] = n
        for at in steps:
            yield self.end(at, step), ranked(counts[at]) if at in counts else None

    def spend(self, window: Window, place: Place) -> Iterator[tuple[datetime, Decimal]]:
        """What the month had cost at the end of each day, or the day at the end of each hour: a day's amount came with
        its requests, and evenly where there were none."""
        if window == Window.TODAY:
            yield from self._spend_by_hour(place)
            return
        for at, _day, so_far in self.spend_so_far(place):
            yield at, sum(so_far.values(), ZERO)

    def _spend_by_hour(self, place: Place) -> Iterator[tuple[datetime, Decimal]]:
        amounts = self._amounts(place, self.first)
        rows = UsageHour.objects.filter(hour__gte=self.start, hour__lte=self.now, **place.filters.lookups())
        requests = dict(rows.values_list("hour").annotate(n=Sum("requests")).order_by())
        for day in self.days():
            hours = [at for at in (day + n * HOUR for n in range(24)) if at <= self.now]
            weights = [requests.get(at, 0) for at in hours]
            weights = weights if sum(weights) else [1] * len(hours)
            amount = amounts.get(day.date(), ZERO)
            yield day, ZERO
            for at, came in zip(hours, accumulate(weights), strict=True):
                yield self.end(at, HOUR), amount * came / sum(weights)

    def spend_so_far(self, place: Place) -> Iterator[tuple[datetime, date, dict[date, Decimal]]]:
        """At the end of each day, and when a month begins: the day, and what each day of its month has cost by then."""
        amounts = self._amounts(place, (self.first.replace(day=1) - DAY).replace(day=1))
        so_far: dict[date, Decimal] = {}
        for at in self.days(BEFORE):
            day = at.date()
            if day.day == 1:
                so_far = {}
                if at >= self.start:
                    yield at, day, so_far
            so_far[day] = amounts.get(day, ZERO)
            if at >= self.start:
                yield self.end(at, DAY), day, so_far

    def end(self, at: datetime, step: timedelta) -> datetime:
        """A moment before the next step begins, when a window that ends with it may be empty again; now at most."""
        return min(at + step - INSTANT, self.now)

    def _amounts(self, place: Place, since: date) -> dict[date, Decimal]:
        if self._by_day is None:
            self._by_day = self._read_amounts(place, since)
        return self._by_day

    def _read_amounts(self, place: Place, since: date) -> dict[date, Decimal]:
        amounts: dict[date, Decimal] = defaultdict(lambda: ZERO)
        filters = place.filters
        for line in spend.read(since, self.today + DAY, filters.divides()).lines:
            if filters.hold(line.provider, line.attribution) and in_phase(place, line.day):
                amounts[line.day] += line.amount
        return amounts

    def allowed(self, terms: list[Term], month: date) -> Allowance | None:
        """What a month could cost, with what the month before left; asked for after `spend_so_far`."""
        if month not in self._allowed:
            self._allowed[month] = allowance(terms, month, self._by_day)
        return self._allowed[month]

    @cached_property
    def phases(self) -> list[Phase]:
        return list(Phase.objects.all())

    def uptime(self, window: Window, place: Place) -> Iterator[tuple[datetime, Decimal | None]]:
        """By day; the window's days are whole ones."""
        filters = place.filters
        watched = Deployment.objects.all()
        if filters.deployment:
            watched = watched.filter(pk__in=filters.deployment)
        if filters.provider:
            watched = watched.filter(provider__in=filters.provider)
        by_day: dict[date, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
        for row in uptime_report.report(watched, self.start - BEFORE * DAY, self.now):
            for day in row.days:
                observed, down = by_day[day.day]
                by_day[day.day] = (observed + day.observed_s, down + day.down_s)
        return self._means(window, by_day, percent_up)

    def ratings(self, window: Window, place: Place) -> Iterator[tuple[datetime, tuple[int, int]]]:
        """By day: how many ratings the window held, and how many of them accepted."""
        lookups = {name: value for name, value in place.filters.lookups().items() if name != "provider__in"}
        rows = Rating.objects.in_days(self.first - timedelta(days=BEFORE), self.today + DAY).filter(**lookups)
        counted = rows.values_list("day").annotate(n=Count("id"), good=Count("id", filter=ACCEPTABLE)).order_by()
        by_day = {day: (n, good) for day, n, good in counted if day}
        return self._means(window, by_day, lambda n, good: (int(n), int(good)))

    def _means(
        self, window: Window, by_day: Mapping[date, tuple[float, float]], of: Callable[[float, float], T]
    ) -> Iterator[tuple[datetime, T]]:
        for at in self.days():
            first = reach(window, at)
            inside = [by_day.get(day.date(), (0, 0)) for day in stretch(first, at)]
            yield self.end(at, DAY), of(sum(a for a, _b in inside), sum(b for _a, b in inside))


def reach(window: Window, at: datetime) -> datetime:
    """The first step that belongs to the window which ends with the step of `at`."""
    match window:
        case Window.LAST_DAY:
            return at - 23 * HOUR
        case Window.TODAY:
            return at.replace(hour=0)
        case Window.MONTH:
            return at.replace(hour=0, day=1)
        case Window.LAST_MONTH:
            return at - 29 * DAY
        case _:
            return at


def stretch(first: datetime, last: datetime) -> Iterator[datetime]:
    """Each day of the two and between them."""
    at = first.replace(hour=0)
    while at <= last:
        yield at
        at += DAY


def moment(at: date | datetime) -> datetime:
    return at if isinstance(at, datetime) else midnight(at)
