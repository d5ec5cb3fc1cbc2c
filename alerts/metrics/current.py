"""Figures at one moment, for any number of rules: each table is read once for a window and a set of columns, grouped by
them, and every rule looks its own rows up. So ten thousand rules cost as many queries as they have shapes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, Protocol, TypeVar

from django.db.models import Count, Sum

from alerts.metrics.month_budgets import MonthBudget
from alerts.metrics.scopes import Key, Names, Place
from alerts.metrics.windows import Window
from costs.allocation import queries as spend
from costs.allocation.queries import Line, SpendData
from costs.plan.month import Month
from costs.plan.queries import HISTORY, Days, this_month
from lib.money import ZERO
from lib.tokens import TOKEN_CLASSES
from providers.models import Balance, Deployment, Lease
from providers.uptime import report as uptime_report
from traffic.models import LatencyDay, LatencyHour, Rating, UsageDay, UsageHour
from traffic.quality.queries import ACCEPTABLE

T = TypeVar("T")


@dataclass(slots=True)
class Sums:
    """Requests added up; `cost` is USD, measured, of the priced ones."""

    requests: int = 0
    errors: int = 0
    unpriced: int = 0
    unknown_usage: int = 0
    leased: int = 0
    cost: Decimal = ZERO
    tokens: int = 0

    def add(self, other: Sums) -> None:
        for name in COLUMNS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> Sums:
        """From the columns of `SUMS`, in their order."""
        values: list[Any] = [value or 0 for value in row]
        return cls(*values)


COLUMNS = tuple(field.name for field in fields(Sums))
SUMS = {f"{name}_sum": Sum(name) for name in COLUMNS if name != "tokens"} | {
    "tokens_sum": sum((Sum(name) for name in TOKEN_CLASSES[1:]), Sum(TOKEN_CLASSES[0]))
}
Counts = dict[int, int]


class Context(Protocol):
    """What the metrics need of an evaluation besides their own reads; `EvaluationContext` has it."""

    now: datetime
    today: date
    month_start: date

    @property
    def month_ahead(self) -> Month: ...
    @property
    def balances(self) -> list[Balance]: ...
    @property
    def leases(self) -> list[Lease]: ...
    def budget_of(self, scope: str, subject: str) -> MonthBudget | None: ...
    def run_rate(self, day: date) -> int: ...
    def unused_since(self, lease: Lease) -> datetime | None: ...


class CurrentMetrics:
    """Every read is kept as long as the object lives, which is one evaluation."""

    def __init__(self, context: Context) -> None:
        self.context, self.now, self.today = context, context.now, context.today
        self.names = Names()
        self._kept: dict[tuple[Any, ...], Any] = {}

    def _once(self, key: tuple[Any, ...], read: Callable[[], T]) -> T:
        if key not in self._kept:
            self._kept[key] = read()
        value: T = self._kept[key]
        return value

    def sums(self, window: Window, place: Place) -> Sums:
        """Requests of a place; all zero where there were none."""
        table = self._once(("sums", window, place.columns), lambda: self._read_sums(window, place.columns))
        total = Sums()
        for key in place.combinations():
            if key in table:
                total.add(table[key])
        return total

    def _read_sums(self, window: Window, columns: tuple[str, ...]) -> dict[Key, Sums]:
        rows = usage_in(window, self.now).values_list(*columns).annotate(**SUMS).order_by()
        if not columns:
            return {(): Sums.of_row(tuple(usage_in(window, self.now).aggregate(**SUMS).values()))}
        return {row[: len(columns)]: Sums.of_row(row[len(columns) :]) for row in rows}

    def buckets(self, window: Window, place: Place, metric: int) -> Counts:
        """Requests by log bucket of their latency (1) or time to first token (2)."""
        key = ("buckets", window, place.columns, metric)
        table = self._once(key, lambda: self._read_buckets(window, place.columns, metric))
        total: Counts = defaultdict(int)
        for combination in place.combinations():
            for bucket, n in table.get(combination, {}).items():
                total[bucket] += n
        return total

    def _read_buckets(self, window: Window, columns: tuple[str, ...], metric: int) -> dict[Key, Counts]:
        rows = latency_in(window, self.now).filter(metric=metric).values_list(*columns, "bucket")
        counts: dict[Key, Counts] = defaultdict(dict)
        for row in rows.annotate(n_sum=Sum("n")).order_by():
            counts[row[:-2]][row[-2]] = row[-1]
        return counts

    def spend(self, window: Window, place: Place) -> Decimal:
        """USD of today or of this month, by the ledger's rules."""
        dated = place.phase is not None
        table = self._once(("spend", window, place.columns, dated), lambda: self._add_up(window, place.columns, dated))
        days = table.items()
        return sum(
            (by_key.get(key, ZERO) for day, by_key in days if in_phase(place, day) for key in place.combinations()),
            ZERO,
        )

    def _add_up(self, window: Window, columns: tuple[str, ...], dated: bool) -> dict[date | None, dict[Key, Decimal]]:
        """By key; by day too where a phase cuts the month."""
        first = window.since(self.now).date()
        sums: dict[date | None, dict[Key, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
        for line in self.month_lines.lines:
            if line.day >= first:
                sums[line.day if dated else None][key_of(line, columns)] += line.amount
        return sums

    @cached_property
    def month_lines(self) -> SpendData:
        """Every line of this month, divided by who used what."""
        return spend.read(self.context.month_start, self.today + timedelta(days=1))

    def month_ahead(self, place: Place) -> Month:
        """This month with its forecast, as the Plan page has it under the same filter."""
        if not place.columns:
            return self.context.month_ahead
        tables = self._once(("ahead", place.columns), lambda: self._read_history(place.columns))
        return self._once(("forecast", place), lambda: self._forecast(tables, place))

    @cached_property
    def history(self) -> SpendData:
        return spend.read(min(self.context.month_start, self.today - HISTORY), self.today + timedelta(days=1))

    def _read_history(self, columns: tuple[str, ...]) -> dict[Key, tuple[list[dict[str, Any]], list[Line]]]:
        tables: dict[Key, tuple[list[dict[str, Any]], list[Line]]] = defaultdict(lambda: ([], []))
        for row in self.history.usage:
            tables[tuple(row[column] for column in columns)][0].append(row)
        for line in self.history.lines:
            tables[key_of(line, columns)][1].append(line)
        return tables

    def _forecast(self, tables: dict[Key, tuple[list[dict[str, Any]], list[Line]]], place: Place) -> Month:
        mine = [tables[key] for key in place.combinations() if key in tables]
        lines = [line for _usage, some in mine for line in some]
        ours, whole = leases_of(lines, self.context.month_start), self.lease_total
        share = ours / whole if whole else Decimal(1)
        return this_month(self.now, Days(self.history.since, [row for some, _l in mine for row in some], lines, share))

    @cached_property
    def lease_total(self) -> Decimal:
        return leases_of(self.history.lines, self.context.month_start)

    def uptime(self, window: Window, place: Place) -> Decimal | None:
        """Per cent of the time under watch; None where nothing was watched."""
        rows = self._once(("uptime", window), lambda: self._read_uptime(window))
        filters = place.filters
        mine = [
            (observed, down)
            for pk, provider, observed, down in rows
            if (not filters.deployment or pk in filters.deployment)
            and (not filters.provider or provider in filters.provider)
        ]
        return percent_up(sum(observed for observed, _down in mine), sum(down for _observed, down in mine))

    def _read_uptime(self, window: Window) -> list[tuple[int, str, float, float]]:
        watched = Deployment.objects.all()
        by_slug = {row.slug: row for row in watched}
        uptimes = uptime_report.report(watched, window.since(self.now), self.now)
        return [
            (by_slug[entry.slug].pk, by_slug[entry.slug].provider, entry.observed_s, entry.down_s) for entry in uptimes
        ]

    def ratings(self, window: Window, place: Place) -> tuple[int, int]:
        """Ratings of requests of the window, and how many of them accept the answer."""
        table = self._once(("ratings", window, place.columns), lambda: self._read_ratings(window, place.columns))
        mine = [table[key] for key in place.combinations() if key in table]
        return sum(n for n, _good in mine), sum(good for _n, good in mine)

    def _read_ratings(self, window: Window, columns: tuple[str, ...]) -> dict[Key, tuple[int, int]]:
        rows = Rating.objects.in_days(window.since(self.now).date(), self.today + timedelta(days=1))
        if not columns:
            return {(): (rows.count(), rows.filter(ACCEPTABLE).count())}
        counted = rows.values_list(*columns).annotate(n=Count("id"), good=Count("id", filter=ACCEPTABLE)).order_by()
        return {row[:-2]: row[-2:] for row in counted}


def usage_in(window: Window, now: datetime) -> Any:
    """The rollup rows of a window."""
    since = window.since(now)
    if window.hourly:
        return UsageHour.objects.filter(hour__gte=since, hour__lte=now)
    return UsageDay.objects.filter(day__gte=since.date(), day__lte=now.astimezone(UTC).date())


def latency_in(window: Window, now: datetime) -> Any:
    since = window.since(now)
    if window.hourly:
        return LatencyHour.objects.filter(hour__gte=since, hour__lte=now)
    return LatencyDay.objects.filter(day__gte=since.date(), day__lte=now.astimezone(UTC).date())


def key_of(line: Line, columns: Iterable[str]) -> Key:
    """A line's values of some columns of the rollups."""
    return tuple(line.provider if column == "provider" else getattr(line.attribution, column) for column in columns)


def in_phase(place: Place, day: date | None) -> bool:
    """Whether a day lies in the place's phase; every day where it has none."""
    phase = place.phase
    if phase is None or day is None:
        return True
    return phase.starts_on is not None and phase.starts_on <= day and (phase.ends_on is None or day < phase.ends_on)


def leases_of(lines: Iterable[Line], first: date) -> Decimal:
    """What leases cost since a day; entered charges are committed too, but end with their month."""
    return sum(
        (line.amount for line in lines if line.day >= first and line.committed and line.provenance != "entered"), ZERO
    )


def percent_up(observed_s: float, down_s: float) -> Decimal | None:
    share = uptime_report.share(observed_s, down_s)
    return None if share is None else Decimal(str(round(share * 100, 4)))
