"""How speed and failures went over time, from the rollups alone: by group, by band of latency, by what went wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil, log
from typing import Literal

from django.db.models import Min
from django.utils.translation import gettext as _

from lib.dates import midnight
from lib.periods import Period
from providers.models import TokenPrice
from traffic.models import Metric, UsageDay
from traffic.usage.filters import Filters
from traffic.usage.reports import KEYS, NOTHING, GroupBy, Quantiles, by_day, from_rollup, key_of, query, ranked, ratio

By = Literal["deployment", "model", "application", "task"]
Step = Literal["hour", "day"]

# Upper ends of the bands of a heat map, ms; the last band has none. A log bucket that an end cuts counts below it,
# which moves an end by a percent at most.
BANDS = (50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000)
EDGES = [ceil(log(end) / log(1.02) - 1e-9) + 1 for end in BANDS]
LOOK_BACK = timedelta(days=92)  # a deployment without a request for so long is new again


@dataclass(frozen=True, slots=True)
class Point:
    """One group in one hour or day, which is told as in `reports.usage`."""

    group: str | None
    at: str
    latency: Quantiles
    ttft: Quantiles


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that may explain a change."""

    at: datetime
    kind: Literal["deployment", "price"]
    name: str

    def label(self) -> str:
        text = _("new price of %(name)s") if self.kind == "price" else _("first requests of %(name)s")
        return text % {"name": self.name}


@dataclass(frozen=True, slots=True)
class Failure:
    """How many requests of a group failed in one way: what the reporter called it, else its status."""

    key: str | None
    kind: str
    errors: int
    name: str = ""  # of the group, for people


@dataclass(frozen=True, slots=True)
class Errors:
    """By kind how many failed at each time, and by group and kind; both the most frequent first."""

    kinds: dict[str, Counter[str]]
    groups: list[Failure]


def points(period: Period, by: By, step: Step, filters: Filters) -> list[Point]:
    """Latency and time to first token by group and time."""
    quantiles: dict[tuple[str | None, str], dict[int, Quantiles]] = defaultdict(dict)
    source, parameters = from_rollup("latency", scaled(period, step), by, filters, step)
    rows = query(
        f"""
        SELECT key, at, metric, array_agg(bucket) AS buckets, array_agg(n) AS counts FROM (
            SELECT {KEYS[by]} AS key, {key_of("latency", scaled(period, step), step)} AS at, metric, bucket,
                   sum(n)::bigint AS n {source} GROUP BY 1, 2, 3, 4
        ) AS counted WHERE n > 0 GROUP BY 1, 2, 3 ORDER BY 2
        """,
        parameters,
    )
    for row in rows:
        counts = dict(zip(row["buckets"], row["counts"], strict=True))
        quantiles[row["key"], row["at"]][row["metric"]] = ranked(counts)
    return [
        Point(group, at, metrics.get(Metric.LATENCY, NOTHING), metrics.get(Metric.TTFT, NOTHING))
        for (group, at), metrics in quantiles.items()
    ]


def speeds(period: Period, by: By, step: Step, filters: Filters) -> dict[tuple[str | None, str], float | None]:
    """Output tokens a second by group and time."""
    source, parameters = from_rollup("usage", scaled(period, step), by, filters, step)
    at = key_of("usage", scaled(period, step), step)
    sums = "sum(u.generated) AS generated, sum(u.generating_us) AS generating_us"
    rows = query(f"SELECT {KEYS[by]} AS key, {at} AS at, {sums} {source} GROUP BY 1, 2 ORDER BY 2", parameters)
    return {(row["key"], row["at"]): ratio(row["generated"], row["generating_us"], 1e6) for row in rows}


def heat(period: Period, step: Step, filters: Filters) -> dict[str, list[int]]:
    """How many requests fell into each band of latency, by time; one more number than `BANDS` has."""
    source, parameters = from_rollup("latency", scaled(period, step), "", filters, step)
    at = key_of("latency", scaled(period, step), step)
    rows = query(
        f"SELECT {at} AS at, width_bucket(bucket::int, %s::int[]) AS band, sum(n)::bigint AS n"
        f" {source} AND metric = {Metric.LATENCY.value} GROUP BY 1, 2 HAVING sum(n) > 0 ORDER BY 1, 2",
        [EDGES, *parameters],
    )
    by_time: dict[str, list[int]] = {}
    for row in rows:
        by_time.setdefault(row["at"], [0] * (len(BANDS) + 1))[row["band"]] = row["n"]
    return by_time


def errors(period: Period, by: By, step: Step, filters: Filters) -> Errors:
    """Failed requests by what went wrong, over time and by group, from one read."""
    source, parameters = from_rollup("error", scaled(period, step), by, filters, step)
    at = key_of("error", scaled(period, step), step)
    rows = query(
        f"SELECT {KEYS[by]} AS key, kind, {at} AS at, sum(n)::bigint AS n {source} GROUP BY 1, 2, 3 HAVING sum(n) > 0",
        parameters,
    )
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    groups: Counter[tuple[str | None, str]] = Counter()
    for row in rows:
        kinds[row["kind"]][row["at"]] += row["n"]
        groups[row["key"], row["kind"]] += row["n"]
    return Errors(
        dict(sorted(kinds.items(), key=lambda item: (-item[1].total(), item[0]))),
        [Failure(key, kind, n) for (key, kind), n in sorted(groups.items(), key=lambda item: (-item[1], str(item[0])))],
    )


def failures(period: Period, group_by: GroupBy, filters: Filters) -> list[Failure]:
    """Failed requests by group and what went wrong, the most frequent first; times in their order."""
    source, parameters = from_rollup("error", period, group_by, filters)
    order = "key, n DESC, kind" if group_by in ("hour", "day") else "n DESC, key, kind"
    rows = query(
        f"SELECT {key_of('error', period, group_by)} AS key, kind, sum(n)::bigint AS n {source} GROUP BY 1, 2"
        f" HAVING sum(n) > 0 ORDER BY {order}",
        parameters,
    )
    return [Failure(row["key"], row["kind"], row["n"]) for row in rows]


def scaled(period: Period, step: Step) -> Period:
    """The period, or where days are asked of one that cuts them, the whole days that it touches."""
    if step == "hour" or by_day(period, step):
        return period
    return Period(*(midnight(day) for day in (period.first_day, period.end_day)))


def marks(period: Period, filters: Filters) -> list[Mark]:
    """First requests of deployments, and prices that began to hold, in a period and of what the filters let through."""
    used = UsageDay.objects.filter(day__lt=period.end_day, **filters.lookups())
    firsts = (
        used.filter(day__gte=period.first_day - LOOK_BACK, deployment_id__gt=0, requests__gt=0)
        .values("deployment__name")
        .annotate(first=Min("day"))
    )
    marks_of_period = [
        Mark(midnight(row["first"]), "deployment", row["deployment__name"] or "")
        for row in firsts
        if row["first"] >= period.first_day
    ]
    models = set(used.filter(day__gte=period.first_day).values_list("provider", "model").distinct())
    prices = TokenPrice.objects.filter(starts_at__gte=period.since, starts_at__lt=period.until)
    priced = prices.filter(model__in={model for _provider, model in models})
    marks_of_period += [
        Mark(price.starts_at, "price", price.model) for price in priced if (price.provider, price.model) in models
    ]
    return sorted(marks_of_period, key=lambda mark: (mark.at, mark.kind, mark.name))


def times(period: Period, step: Step) -> Sequence[datetime | date]:
    """Every hour or day of a period, with and without requests."""
    if step == "day":
        return [period.first_day + timedelta(days=n) for n in range((period.end_day - period.first_day).days)]
    first = period.since.replace(minute=0, second=0, microsecond=0)
    return [first + timedelta(hours=n) for n in range(ceil((period.until - first) / timedelta(hours=1)))]


def iso_time(at: datetime | date) -> str:
    """A time in the form that the rollups' groups use."""
    return f"{at:%Y-%m-%dT%H:00:00Z}" if isinstance(at, datetime) else f"{at:%Y-%m-%d}"
