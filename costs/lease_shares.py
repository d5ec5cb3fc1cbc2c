"""Leases divided among who used them: hour by hour by tokens, in one statement, so that a page costs the same however
many hours and requests a month has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

# A line of a lease is spread evenly over its hours (a bill may come by the day), each hour by the tokens of the lease's
# deployments in it; what no request used is idle. Each line's parts are whole steps of the stored precision, largest
# remainder first, so that they add up to it.
SHARES = """
WITH line AS (
    SELECT id, day, provider, provenance, lease_id, amount * 1e12 AS steps,
           date_trunc('hour', starts_at, 'UTC') AS first,
           greatest(1, ceil(extract(epoch FROM ends_at - date_trunc('hour', starts_at, 'UTC')) / 3600)) AS hours
    FROM costs_charge
    JOIN unnest(%(days)s::date[], %(providers)s::text[], %(provenances)s::text[]) AS wanted (day, provider, provenance)
        USING (day, provider, provenance)
    WHERE day BETWEEN %(since)s AND %(until)s AND lease_id IS NOT NULL
), used AS (
    SELECT d.lease_id, u.hour, u.application_id, u.deployment_id, u.model, u.task,
           sum(u.uncached_input + u.cache_read + u.cache_write_5m + u.cache_write_1h + u.output)::numeric AS tokens
    FROM traffic_usage_hour AS u JOIN providers_deployment AS d ON d.id = u.deployment_id
    WHERE u.hour >= %(start)s AND u.hour < %(end)s AND d.lease_id IN (SELECT lease_id FROM line)
    GROUP BY 1, 2, 3, 4, 5, 6
), shared AS (
    SELECT *, tokens / sum(tokens) OVER (PARTITION BY lease_id, hour) AS share FROM used WHERE tokens > 0
), spread AS MATERIALIZED (
    -- On its own, or the planner would call the series once for every pair of a line and an hour.
    SELECT id, lease_id, steps, hours, generate_series(first, first + (hours - 1) * interval '1 hour', '1 hour') AS hour
    FROM line
), part AS (
    SELECT l.id, s.application_id, s.deployment_id, s.model, s.task, l.steps * sum(s.share) / l.hours AS steps
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
           l.steps - sum(floor(w.steps)) OVER (PARTITION BY id) AS missing, l.day, l.provider, l.provenance
    FROM whole AS w JOIN line AS l USING (id)
)
SELECT day, provider, provenance, application_id, deployment_id, model, task,
       sum(floored + CASE WHEN place <= missing THEN 1 ELSE 0 END) / 1e12 AS amount
FROM ranked GROUP BY 1, 2, 3, 4, 5, 6, 7
HAVING sum(floored + CASE WHEN place <= missing THEN 1 ELSE 0 END) <> 0
ORDER BY 1, 2, 3, 4, 5, 6, 7
"""
STEP = Decimal("0.000000000001")


def lease_shares(counting: set[tuple[date, str, str]]) -> Iterator[dict[str, Any]]:
    """Lines of leases on the days, of the providers and provenances given, by day, provider, provenance and user in
    USD; ids of 0 and empty text are idle hours."""
    if not counting:
        return
    days, providers, provenances = (list(column) for column in zip(*sorted(counting), strict=True))
    since, until = days[0], days[-1]
    start = datetime.combine(since, datetime.min.time(), UTC)
    # A line belongs to the day that it begins on and may end on the next.
    end = start + (until - since) + timedelta(days=2)
    bounds = {"since": since, "until": until, "start": start, "end": end}
    with connection.cursor() as cursor:
        cursor.execute(SHARES, {**bounds, "days": days, "providers": providers, "provenances": provenances})
        names = [column.name for column in cursor.description or ()]
        for values in cursor.fetchall():
            row = dict(zip(names, values, strict=True))
            yield row | {"amount": row["amount"].quantize(STEP)}
