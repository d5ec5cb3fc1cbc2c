"""The history of what inference servers say of themselves, in buckets of a minute, an hour and a day.

Every scrape is added to the three of its moment in one statement, so that none is ever rolled up late. Old buckets are
deleted, some deployments at a time: a bucket is found by its key, and an hour of minutes is sixty rows each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, models
from django.db.models import Sum
from django.db.models.functions import Cast

from providers.engines import EngineSample, Scrape
from providers.engines.growth import COUNTERS, Growth, growth
from providers.models import Deployment, EngineBucket, EngineReading, Resolution

GAUGES = ("running", "waiting", "kv_cache")
AT_A_TIME = 100  # deployments whose old buckets go in one statement
RECENT = timedelta(hours=1)

KEY = {"deployment_id": "bigint", "resolution": "int", "start": "timestamptz"}
SUMS = {
    "samples": "int",
    "busy": "int",
    "restarts": "int",
    "counted_s": "float8",
    **{f"{gauge}_n": "int" for gauge in GAUGES},
    **{f"{gauge}_sum": "float8" for gauge in GAUGES},
    **dict.fromkeys(COUNTERS, "float8"),
}
LEAST = {f"{gauge}_min": "float8" for gauge in GAUGES}
GREATEST = {f"{gauge}_max": "float8" for gauge in GAUGES}
COLUMNS = KEY | SUMS | LEAST | GREATEST | {"ttft": "jsonb"}

ADD = """
INSERT INTO providers_enginebucket AS b ({columns})
SELECT * FROM unnest({arrays})
ON CONFLICT (deployment_id, resolution, start) DO UPDATE SET {changes},
    ttft = CASE WHEN EXCLUDED.ttft = '{{}}' THEN b.ttft ELSE (
        SELECT jsonb_object_agg(bound, n) FROM (
            SELECT bound, sum(n::float8) AS n FROM (
                SELECT * FROM jsonb_each_text(b.ttft) UNION ALL SELECT * FROM jsonb_each_text(EXCLUDED.ttft)
            ) AS of_both(bound, n) GROUP BY bound
        ) AS added
    ) END
""".format(
    columns=", ".join(COLUMNS),
    arrays=", ".join(f"%s::{kind}[]" for kind in COLUMNS.values()),
    changes=", ".join(
        [
            *(f"{name} = COALESCE(b.{name} + EXCLUDED.{name}, b.{name}, EXCLUDED.{name})" for name in SUMS),
            # Both ignore NULL.
            *(f"{name} = LEAST(b.{name}, EXCLUDED.{name})" for name in LEAST),
            *(f"{name} = GREATEST(b.{name}, EXCLUDED.{name})" for name in GREATEST),
        ]
    ),
)

SAVE_READINGS = """
INSERT INTO providers_enginereading AS r (deployment_id, at, sample, tried_at, cause)
SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::jsonb[], %s::timestamptz[], %s::text[])
ON CONFLICT (deployment_id) DO UPDATE SET
    at = COALESCE(EXCLUDED.at, r.at), sample = COALESCE(EXCLUDED.sample, r.sample),
    tried_at = EXCLUDED.tried_at, cause = EXCLUDED.cause
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a deployment's engine said at a moment."""

    at: datetime
    sample: EngineSample


@dataclass(frozen=True, slots=True)
class Scraped:
    """One scrape and the one before it; between two that lie further apart than `longest_gap` nobody watched."""

    deployment_id: int
    at: datetime
    scrape: Scrape
    before: Reading | None
    longest_gap: timedelta


# Writing.


def last_readings(ids: Iterable[int]) -> dict[int, Reading]:
    """The latest good scrape of each deployment that had one."""
    rows = EngineReading.objects.filter(deployment__in=list(ids), at__isnull=False, sample__isnull=False)
    return {row.pk: Reading(row.at, EngineSample.from_json(row.sample)) for row in rows if row.at and row.sample}


def add(scrapes: Iterable[Scraped]) -> None:
    """Keep each scrape as its deployment's latest and add it to its buckets; call it inside a transaction.

    Sorted, so that two workers never wait for each other in a circle.
    """
    chosen = sorted(scrapes, key=lambda scraped: scraped.deployment_id)
    if not chosen:
        return
    rows = [row for scraped in chosen if scraped.scrape.sample for row in bucket_rows(scraped, scraped.scrape.sample)]
    with connection.cursor() as cursor:
        cursor.execute(SAVE_READINGS, _columns([_reading(scraped) for scraped in chosen]))
        if rows:
            cursor.execute(ADD, _columns(rows))


def _reading(scraped: Scraped) -> tuple[Any, ...]:
    sample = scraped.scrape.sample
    sample_json = json.dumps(sample.as_json()) if sample else None
    return scraped.deployment_id, scraped.at if sample else None, sample_json, scraped.at, scraped.scrape.cause


def bucket_rows(scraped: Scraped, sample: EngineSample) -> list[tuple[Any, ...]]:
    """A scrape as the rows that are added to its minute, hour and day."""
    grown, counted_s = _growth(scraped, sample)
    values = _values(sample, grown, counted_s)
    rows = []
    for resolution in Resolution:
        key = {
            "deployment_id": scraped.deployment_id,
            "resolution": resolution,
            "start": start_of(scraped.at, resolution),
        }
        rows.append(tuple((key | values)[name] for name in COLUMNS))
    return rows


def _growth(scraped: Scraped, sample: EngineSample) -> tuple[Growth, float]:
    """What was counted since the scrape before, and over how many seconds."""
    if scraped.before is None or not timedelta() < scraped.at - scraped.before.at <= scraped.longest_gap:
        return Growth(), 0.0
    return growth(scraped.before.sample, sample), (scraped.at - scraped.before.at).total_seconds()


def _values(sample: EngineSample, grown: Growth, counted_s: float) -> dict[str, Any]:
    gauges = {gauge: getattr(sample, gauge) for gauge in GAUGES}
    return {
        "samples": 1,
        "busy": int((sample.running or 0) > 0),
        "restarts": int(grown.restarted),
        "counted_s": counted_s,
        **{f"{gauge}_n": int(value is not None) for gauge, value in gauges.items()},
        **{f"{gauge}_{part}": value for gauge, value in gauges.items() for part in ("sum", "min", "max")},
        **{name: getattr(grown, name) for name in COUNTERS},
        "ttft": json.dumps({str(bound): count for bound, count in grown.ttft.items()}),
    }


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def start_of(at: datetime, resolution: int) -> datetime:
    """The UTC minute, hour or day that a moment lies in."""
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % resolution, UTC)


def prune(now: datetime) -> int:
    """Delete buckets past their time, a hundred deployments to a statement; returns how many went."""
    ids, gone = list(Deployment.objects.order_by("pk").values_list("pk", flat=True)), 0
    for resolution in Resolution:
        old = EngineBucket.objects.filter(resolution=resolution, start__lt=now - resolution.kept)
        for first in range(0, len(ids), AT_A_TIME):
            gone += old.filter(deployment__in=ids[first : first + AT_A_TIME])._raw_delete(old.db)
    return gone


# Reading.


@dataclass(frozen=True, slots=True)
class Point:
    """Buckets of one step of a series, added up; None: nobody scraped, or the engine does not say."""

    start: datetime
    samples: int
    restarts: int
    counted_s: float
    gauges: Mapping[str, tuple[float, float, float] | None]  # least, mean, most
    counts: Mapping[str, float | None]
    ttft: Mapping[float, float]

    def rate(self, counter: str) -> float | None:
        """A counter's growth a second."""
        grown = self.counts[counter]
        return grown / self.counted_s if grown is not None and self.counted_s > 0 else None


SUMMED = """
SELECT date_bin(%(step)s::interval, start, %(first)s) AS at, {sums}, {leasts}, {mosts}
FROM providers_enginebucket
WHERE deployment_id = %(deployment)s AND resolution = %(resolution)s AND start >= %(first)s AND start < %(end)s
GROUP BY 1 ORDER BY 1
""".format(
    sums=", ".join(f"sum({name}) AS {name}" for name in SUMS),
    leasts=", ".join(f"min({name}) AS {name}" for name in LEAST),
    mosts=", ".join(f"max({name}) AS {name}" for name in GREATEST),
)
TTFT = """
SELECT date_bin(%(step)s::interval, start, %(first)s) AS at, bound::float8, sum(n::float8)
FROM providers_enginebucket, jsonb_each_text(ttft) AS of_one(bound, n)
WHERE deployment_id = %(deployment)s AND resolution = %(resolution)s AND start >= %(first)s AND start < %(end)s
GROUP BY 1, 2
"""


def series(deployment_id: int, resolution: Resolution, first: datetime, end: datetime, step: timedelta) -> list[Point]:
    """Buckets from `first` (the start of one) to `end` exclusive in steps; a step without any is missing."""
    bounds: dict[str, int | datetime | str] = {
        "deployment": deployment_id,
        "resolution": resolution,
        "first": first,
        "end": end,
        "step": f"{step.total_seconds()} seconds",
    }
    with connection.cursor() as cursor:
        cursor.execute(TTFT, bounds)
        ttft: dict[datetime, dict[float, float]] = {}
        for at, bound, n in cursor.fetchall():
            ttft.setdefault(at, {})[bound] = n
        cursor.execute(SUMMED, bounds)
        names = [column[0] for column in cursor.description or ()]
        return [_point(dict(zip(names, row, strict=True)), ttft) for row in cursor.fetchall()]


def _point(row: Mapping[str, Any], ttft: Mapping[datetime, Mapping[float, float]]) -> Point:
    return Point(
        start=row["at"],
        samples=row["samples"],
        restarts=row["restarts"],
        counted_s=row["counted_s"],
        gauges={gauge: _gauge(row, gauge) for gauge in GAUGES},
        counts={name: row[name] for name in COUNTERS},
        ttft=ttft.get(row["at"], {}),
    )


def _gauge(row: Mapping[str, Any], gauge: str) -> tuple[float, float, float] | None:
    n = row[f"{gauge}_n"]
    return (row[f"{gauge}_min"], row[f"{gauge}_sum"] / n, row[f"{gauge}_max"]) if n else None


def busy_shares(deployments: Iterable[int], now: datetime) -> dict[int, float]:
    """By deployment, the share 0..1 of the last hour's scrapes that found a request under way; those alone that tell.

    It is time in use, not the GPU's own load: one slow request keeps it at 1.
    """
    rows = (
        EngineBucket.objects.filter(
            deployment__in=list(deployments), resolution=Resolution.MINUTE, start__gte=now - RECENT, running_n__gt=0
        )
        .values("deployment_id")
        .annotate(share=Cast(Sum("busy"), models.FloatField()) / Sum("running_n"))
    )
    return dict(rows.values_list("deployment_id", "share"))
