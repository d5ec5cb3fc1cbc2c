"""Leases divided among who used them: hour by hour by tokens or by time, in one statement, so that a page costs the
same however many hours and requests a month has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from costs.models import Sharing

# A line of a lease is spread evenly over its hours (a bill may come by the day). By tokens, each hour is divided by the
# tokens of the lease's deployments in it and one without any is idle. By time, each request has its seconds of the hour
# and what is left of it is idle; requests side by side that took more than the hour together share it by their seconds.
# Each line's parts are whole steps of the stored precision, largest
# remainder first, so that they add up to it.
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
STEP = Decimal("0.000000000001")


def lease_shares(counting: set[tuple[date, str, str]], by: str | None = None) -> Iterator[dict[str, Any]]:
    """Lines of leases on the days, of the providers and provenances given, by day, provider, provenance, lease,
    category and user in USD; an application and deployment of 0 and empty text are idle.

    `by` divides all of it by tokens or by time, whatever was chosen for the day.
    """
    if not counting:
        return
    days, providers, provenances = (list(column) for column in zip(*sorted(counting), strict=True))
    since, until = days[0], days[-1]
    start = datetime.combine(since, datetime.min.time(), UTC)
    # A line belongs to the day that it begins on and may end on the next.
    end = start + (until - since) + timedelta(days=2)
    spans = [] if by else Sharing.objects.spans()
    by_time = [(by or shared_by(day, spans)) == Sharing.By.TIME for day in days]
    wanted = {"days": days, "providers": providers, "provenances": provenances, "by_time": by_time}
    bounds = {"since": since, "until": until, "start": start, "end": end}
    with connection.cursor() as cursor:
        cursor.execute(SHARES, bounds | wanted)
        names = [column.name for column in cursor.description or ()]
        for values in cursor.fetchall():
            row = dict(zip(names, values, strict=True))
            yield row | {"amount": row["amount"].quantize(STEP)}


def shared_by(day: date, spans: Sequence[tuple[date, str]]) -> str:
    """What leases are divided by on a day; `spans` is newest first."""
    return next((by for starts_on, by in spans if starts_on <= day), Sharing.By.TOKENS)
