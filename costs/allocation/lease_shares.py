"""Leases divided among who used them: hour by hour by tokens or by time, in one statement, so that a page costs the
same however many hours and requests a month has.

What a day came to is kept in the process with the version of the rows that it was made from. Days that are over seldom
change, so that a page or a rule asks for their versions and divides only what has moved, which is mostly today.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from threading import Lock
from typing import Any

from django.db import connection

from costs.models import Sharing
from lib.dates import midnight
from lib.money import COST_STEP

# A lease's line is spread evenly over its hours, as a bill may have one line a day. By tokens: each hour is divided by
# the tokens of the lease's deployments, and an hour without tokens is idle. By time: each request gets its seconds of
# the hour and the rest is idle; simultaneous requests that took more than an hour together share it by their seconds.
# The parts are whole steps of the stored precision by the largest remainder, so that they add up to their line.
SHARES = """
WITH line AS (
    SELECT id, day, provider, provenance, lease_id, category, by_time, amount * 1e12 AS steps,
           date_trunc('hour', starts_at, 'UTC') AS first,
           greatest(1, ceil(extract(epoch FROM ends_at - date_trunc('hour', starts_at, 'UTC')) / 3600)) AS hours
    FROM costs_charge
    JOIN unnest(%(days)s::date[], %(providers)s::text[], %(provenances)s::text[], %(by_time)s::boolean[])
        AS wanted (day, provider, provenance, by_time) USING (day, provider, provenance)
    WHERE day BETWEEN %(since)s AND %(until)s AND lease_id IS NOT NULL
), used AS (
    SELECT d.lease_id, u.hour, u.application_id, u.deployment_id, u.model, u.task,
           sum(u.uncached_input + u.cache_read + u.cache_write_5m + u.cache_write_1h + u.output)::numeric AS tokens,
           sum(u.latency_us)::numeric AS busy_us
    FROM traffic_usage_hour AS u JOIN providers_deployment AS d ON d.id = u.deployment_id
    WHERE u.hour >= %(start)s AND u.hour < %(end)s AND d.lease_id IN (SELECT lease_id FROM line)
    GROUP BY 1, 2, 3, 4, 5, 6
), shared AS (
    SELECT *, coalesce(tokens / nullif(sum(tokens) OVER whole_hour, 0), 0) AS of_tokens,
           busy_us / greatest(sum(busy_us) OVER whole_hour, 3600000000) AS of_time
    FROM used WHERE tokens > 0 OR busy_us > 0 WINDOW whole_hour AS (PARTITION BY lease_id, hour)
), spread AS MATERIALIZED (
    -- On its own, or the planner would call the series once for every pair of a line and an hour.
    SELECT id, lease_id, by_time, steps, hours,
           generate_series(first, first + (hours - 1) * interval '1 hour', '1 hour') AS hour
    FROM line
), part AS (
    SELECT l.id, s.application_id, s.deployment_id, s.model, s.task,
           l.steps * sum(CASE WHEN l.by_time THEN s.of_time ELSE s.of_tokens END) / l.hours AS steps
    FROM spread AS l JOIN shared AS s ON s.lease_id = l.lease_id AND s.hour = l.hour
    GROUP BY l.id, l.steps, l.hours, 2, 3, 4, 5
), whole AS (
    SELECT * FROM part
    UNION ALL
    SELECT l.id, 0, 0, '', '', l.steps - coalesce(sum(p.steps), 0)
    FROM line AS l LEFT JOIN part AS p USING (id) GROUP BY l.id, l.steps
), ranked AS (
    SELECT w.*, floor(w.steps) AS floored, row_number() OVER (
               PARTITION BY id ORDER BY floor(w.steps) - w.steps, application_id, deployment_id, model, task
           ) AS place,
           l.steps - sum(floor(w.steps)) OVER (PARTITION BY id) AS missing, l.day, l.provider, l.provenance,
           l.lease_id, l.category
    FROM whole AS w JOIN line AS l USING (id)
)
SELECT day, provider, provenance, lease_id, category, application_id, deployment_id, model, task,
       sum(floored + CASE WHEN place <= missing THEN 1 ELSE 0 END) / 1e12 AS amount
FROM ranked GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
HAVING sum(floored + CASE WHEN place <= missing THEN 1 ELSE 0 END) <> 0
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""

# The version of the rows that a day's shares are made from, one number for each kind of row. `ctid` and `xmin` change
# with every write to a row, while sums would miss a request that moves to another hour of its day. The hours need not
# be read, because ingest writes them together with the days. A line that ends on the next day depends on that too.
VERSIONS = """
WITH wanted AS (
    SELECT * FROM unnest(%(days)s::date[], %(providers)s::text[], %(provenances)s::text[])
        AS wanted (day, provider, provenance)
), used AS (
    SELECT u.day, sum(hash_record_extended(ROW(u.ctid, u.xmin, d.id, d.lease_id), 0)) AS version
    FROM traffic_usage_day AS u JOIN providers_deployment AS d ON d.id = u.deployment_id
    WHERE u.day BETWEEN %(since)s AND %(until)s::date + 1 AND d.lease_id IS NOT NULL GROUP BY 1
), line AS (
    SELECT day, provider, provenance, sum(hash_record_extended(ROW(c.ctid, c.xmin), 0)) AS version,
           bool_or(ends_at > (day + 1)::timestamp AT TIME ZONE 'UTC') AS reaches
    FROM costs_charge AS c JOIN wanted USING (day, provider, provenance)
    WHERE day BETWEEN %(since)s AND %(until)s AND lease_id IS NOT NULL GROUP BY 1, 2, 3
)
SELECT l.day, l.provider, l.provenance, l.version, t.version, CASE WHEN l.reaches THEN n.version END
FROM line AS l LEFT JOIN used AS t ON t.day = l.day LEFT JOIN used AS n ON n.day = l.day + 1
"""
KEPT = 4000  # days of providers, of which a year of five has some 1,800

ShareKey = tuple[date, str, str]  # day, provider, provenance
Rows = tuple[dict[str, Any], ...]
_kept: OrderedDict[tuple[ShareKey, bool], tuple[object, Rows]] = OrderedDict()
_lock = Lock()


def lease_shares(counting: set[tuple[date, str, str]], by: str | None = None) -> Iterator[dict[str, Any]]:
    """Lines of leases on the days, of the providers and provenances given, by day, provider, provenance, lease,
    category and user in USD; an application and deployment of 0 and empty text are idle.

    `by` divides all of it by tokens or by time, whatever was chosen for the day.
    """
    if not counting:
        return
    places = sorted(counting)
    spans = [] if by else Sharing.objects.spans()
    by_time = {place: (by or shared_by(place[0], spans)) == Sharing.By.TIME for place in places}
    versions = _versions(places)
    # The database works outside of the lock, so that pages do not wait for each other. Versions are read before the
    # rows: a write in between makes a cached result outdated and never wrong.
    with _lock:
        rows_by_place = {place: cached[1] for place, version in versions.items()
                 if (cached := _kept.get((place, by_time[place]))) and cached[0] == version}  # fmt: skip
    fresh = divided([(place, by_time[place]) for place in versions if place not in rows_by_place])
    with _lock:
        for place, rows in fresh.items():
            _kept[place, by_time[place]] = versions[place], rows
        for place in rows_by_place:
            if (place, by_time[place]) in _kept:
                _kept.move_to_end((place, by_time[place]))
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    for place in sorted(versions):
        yield from rows_by_place.get(place) or fresh[place]


def _versions(places: Sequence[ShareKey]) -> dict[ShareKey, object]:
    """Return, for each share key with a lease's charge, what its rows depend on, so that a cached result can be
    checked."""
    with connection.cursor() as cursor:
        cursor.execute(VERSIONS, {**columns(places), "since": places[0][0], "until": places[-1][0]})
        return {(day, provider, provenance): version for day, provider, provenance, *version in cursor.fetchall()}


def columns(places: Sequence[ShareKey]) -> dict[str, list[Any]]:
    days, providers, provenances = (list(column) for column in zip(*places, strict=True))
    return {"days": days, "providers": providers, "provenances": provenances}


def divided(wanted: Iterable[tuple[ShareKey, bool]]) -> Mapping[ShareKey, Rows]:
    """Divide the lease charges of each share key among its users, by time where the flag says so, else by tokens."""
    pairs = sorted(wanted)
    if not pairs:
        return {}
    places = [place for place, _ in pairs]
    since, until = places[0][0], places[-1][0]
    start = midnight(since)
    # A line belongs to the day that it begins on and may end on the next.
    end = start + (until - since) + timedelta(days=2)
    by_time = [by_time for _, by_time in pairs]
    params: dict[str, Any] = {"since": since, "until": until, "start": start, "end": end, "by_time": by_time}
    rows_by_place: dict[ShareKey, list[dict[str, Any]]] = {place: [] for place in places}
    with connection.cursor() as cursor:
        cursor.execute(SHARES, params | columns(places))
        names = [column.name for column in cursor.description or ()]
        for values in cursor.fetchall():
            row = dict(zip(names, values, strict=True))
            rows_by_place[row["day"], row["provider"], row["provenance"]].append(
                row | {"amount": row["amount"].quantize(COST_STEP)}
            )
    return {place: tuple(rows) for place, rows in rows_by_place.items()}


def shared_by(day: date, spans: Sequence[tuple[date, str]]) -> str:
    """Return by what leases are divided on a day; `spans` are sorted newest first."""
    return next((by for starts_on, by in spans if starts_on <= day), Sharing.By.TOKENS)
