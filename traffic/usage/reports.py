"""Usage and latency over a period, from the rollups alone; pages and API read them here."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from math import ceil
from typing import Any, Literal

from django.db import connection

from lib.periods import Period
from lib.tokens import TOKEN_CLASSES
from traffic.usage.filters import Filters

GroupBy = Literal["provider", "model", "application", "task", "deployment", "hour", "day"]

# What a group is called, by the alias `u` of the rollup; `{time}` is its column of time.
KEYS = {
    "provider": "u.provider",
    "model": "u.model",
    "task": "u.task",
    "application": "a.slug",
    "deployment": "d.slug",
    "hour": """to_char({time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:00:00"Z"')""",
    "day": "to_char({day}, 'YYYY-MM-DD')",
    "": "''",
}
JOINS = {
    "application": "LEFT JOIN traffic_application AS a ON a.id = u.application_id",
    "deployment": "LEFT JOIN providers_deployment AS d ON d.id = u.deployment_id",
}
QUANTILES = {"p50_ms": 0.50, "p95_ms": 0.95, "p99_ms": 0.99}


@dataclass(frozen=True)
class UsageGroup:
    """Sums of one group; `cost` is what its priced requests cost, USD."""

    key: str | None
    requests: int
    errors: int
    tokens: dict[str, int]
    reasoning: int
    cost: Decimal
    unpriced_requests: int
    unknown_usage_requests: int
    leased_requests: int


@dataclass(frozen=True)
class Quantiles:
    """Nearest rank, within 1 %; None where nothing was counted."""

    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


NOTHING = Quantiles(0, None, None, None)


@dataclass(frozen=True)
class LatencyGroup:
    key: str | None
    latency: Quantiles
    ttft: Quantiles
    mean_ms: float | None
    errors: int
    output_tokens_per_second: float | None


@dataclass(frozen=True, slots=True)
class HourLatency:
    """One hour of one deployment."""

    hour: datetime
    latency: Quantiles
    ttft: Quantiles


def usage(period: Period, group_by: str = "", filters: Filters | None = None) -> list[UsageGroup]:
    """Usage by group, largest first; times in their order. Without `group_by` one group of all."""
    names = ("requests", "errors", *TOKEN_CLASSES, "reasoning", "cost", "unpriced", "unknown_usage", "leased")
    sums = ", ".join(f"sum(u.{name}) AS {name}" for name in names)
    rows = select("usage", period, group_by, filters, sums, "HAVING sum(u.requests) > 0", "requests DESC, key")
    return [
        UsageGroup(
            key=row["key"],
            requests=int(row["requests"]),
            errors=int(row["errors"]),
            tokens={name: int(row[name]) for name in TOKEN_CLASSES},
            reasoning=int(row["reasoning"]),
            cost=row["cost"],
            unpriced_requests=int(row["unpriced"]),
            unknown_usage_requests=int(row["unknown_usage"]),
            leased_requests=int(row["leased"]),
        )
        for row in rows
    ]


def latency(period: Period, group_by: str = "", filters: Filters | None = None) -> list[LatencyGroup]:
    """Latency and time to first token by group, largest first; times in their order."""
    quantiles = {(row["key"], row["metric"]): quantiles_of(row) for row in bucket_rows(period, group_by, filters)}
    sums = ", ".join(f"sum(u.{name}) AS {name}" for name in ("requests", "errors", *TIMES))
    rows = select("usage", period, group_by, filters, sums, "HAVING sum(u.requests) > 0", "requests DESC, key")
    return [
        LatencyGroup(
            key=row["key"],
            latency=quantiles.get((row["key"], 1), NOTHING),
            ttft=quantiles.get((row["key"], 2), NOTHING),
            mean_ms=ratio(row["latency_us"], row["timed"], 1e-3),
            errors=int(row["errors"]),
            output_tokens_per_second=ratio(row["generated"], row["generating_us"], 1e6),
        )
        for row in rows
    ]


# Many small groups: adding them up here and counting up to the ranks in Python is twice as quick as a window.
HOUR_BUCKETS = """
SELECT deployment_id, hour, metric, array_agg(bucket), array_agg(n) FROM (
    SELECT deployment_id, hour, metric, bucket, sum(n)::bigint AS n FROM traffic_latency_hour
    WHERE hour >= %s AND hour < %s AND deployment_id > 0 GROUP BY 1, 2, 3, 4
) AS counted WHERE n > 0 GROUP BY 1, 2, 3 ORDER BY 1, 2
"""


def latency_by_hour(period: Period) -> dict[int, list[HourLatency]]:
    """Latency and time to first token by deployment's id and hour, in order; an hour without requests is missing."""
    since = period.since.replace(minute=0, second=0, microsecond=0)
    quantiles: dict[tuple[int, datetime], dict[int, Quantiles]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(HOUR_BUCKETS, [since, period.until])
        for deployment, hour, metric, buckets, counts in cursor.fetchall():
            quantiles[deployment, hour][metric] = ranked(dict(zip(buckets, counts, strict=True)))
    hours: dict[int, list[HourLatency]] = defaultdict(list)
    for (deployment, hour), metrics in quantiles.items():
        hours[deployment].append(HourLatency(hour, metrics.get(1, NOTHING), metrics.get(2, NOTHING)))
    return dict(hours)


def ranked(counts: Mapping[int, int]) -> Quantiles:
    """Nearest ranks of counted buckets."""
    buckets = sorted(counts)
    reached = list(accumulate(counts[bucket] for bucket in buckets))
    total = reached[-1]
    places = (bisect_left(reached, ceil(rank * total)) for rank in QUANTILES.values())
    return Quantiles(total, *(bucket_value(buckets[place]) for place in places))


TIMES = ("latency_us", "timed", "generated", "generating_us")


def ratio(part: Any, whole: Any, factor: float) -> float | None:
    return round(float(part) / float(whole) * factor, 4) if whole else None


def bucket_rows(period: Period, group_by: str, filters: Filters | None) -> list[dict[str, Any]]:
    """By group and metric: the count, and the bucket that holds each quantile."""
    source, parameters = from_rollup("latency", period, group_by, filters)
    picked = ", ".join(
        f"min(bucket) FILTER (WHERE cumulated >= ceil({rank} * total)) AS {name}" for name, rank in QUANTILES.items()
    )
    return query(
        f"""
        WITH counted AS (
            SELECT {key_of("latency", period, group_by)} AS key, metric, bucket, sum(n) AS n {source} GROUP BY 1, 2, 3
        ), ranked AS (
            SELECT key, metric, bucket, sum(n) OVER (PARTITION BY key, metric ORDER BY bucket) AS cumulated,
                   sum(n) OVER (PARTITION BY key, metric) AS total
            FROM counted WHERE n > 0
        )
        SELECT key, metric, max(total) AS count, {picked} FROM ranked GROUP BY 1, 2
        """,
        parameters,
    )


def quantiles_of(row: dict[str, Any]) -> Quantiles:
    return Quantiles(int(row["count"]), *(bucket_value(row[name]) for name in QUANTILES))


def bucket_value(bucket: int | None) -> float | None:
    """The middle of a log bucket in milliseconds; 0 for the bucket below 0.01 ms."""
    if bucket is None:
        return None
    return 0.0 if bucket == -32768 else round(2 * 1.02**bucket / 2.02, 4)


def bucket_edges(bucket: int) -> tuple[float, float]:
    """Between which milliseconds the values of a log bucket lie, about 1 % on each side of its middle."""
    return (0.0, 0.01) if bucket == -32768 else (round(1.02 ** (bucket - 1), 4), round(1.02**bucket, 4))


def select(
    table: str, period: Period, group_by: str, filters: Filters | None, columns: str, having: str, order: str
) -> list[dict[str, Any]]:
    source, parameters = from_rollup(table, period, group_by, filters)
    order = "key" if group_by in ("hour", "day") else order
    key = key_of(table, period, group_by)
    return query(f"SELECT {key} AS key, {columns} {source} GROUP BY 1 {having} ORDER BY {order}", parameters)


def by_day(period: Period, group_by: str) -> bool:
    """Whether the day tables answer: they hold 24 times fewer rows."""
    return period.whole_days and group_by != "hour"


def key_of(table: str, period: Period, group_by: str) -> str:
    day = "u.day" if by_day(period, group_by) else "(u.hour AT TIME ZONE 'UTC')::date"
    return KEYS[group_by].format(time="u.hour", day=day)


def from_rollup(
    table: str, period: Period, group_by: str, filters: Filters | None, step: str = ""
) -> tuple[str, list[Any]]:
    """FROM … WHERE of a rollup over a period, where groups are divided by `step` too: `hour`, `day` or not at all.

    A period that cuts an hour takes in the whole hour.
    """
    if by_day(period, step or group_by):
        name, column, bounds = f"traffic_{table}_day", "u.day", [period.first_day, period.end_day]
    else:
        name, column = f"traffic_{table}_hour", "u.hour"
        bounds = [period.since.replace(minute=0, second=0, microsecond=0), period.until]
    conditions = [f"{column} >= %s AND {column} < %s"]
    parameters: list[Any] = list(bounds)
    for lookup, values in (filters or Filters()).lookups().items():
        conditions.append(f"u.{lookup.removesuffix('__in')} = ANY(%s)")
        parameters.append(values)
    return f"FROM {name} AS u {JOINS.get(group_by, '')} WHERE {' AND '.join(conditions)}", parameters


def query(statement: str, parameters: list[Any]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
