"""Queries of the Break-even page that are no inputs of the computation."""

from __future__ import annotations

from datetime import date

from lib import sql

DAY_REQUESTS = """
SELECT day, sum(requests)::bigint FROM traffic_usage_day WHERE day BETWEEN %s AND %s GROUP BY 1
"""


def day_requests(since: date, until: date) -> dict[date, int]:
    """Requests by UTC day, `until` included; days without requests are left out."""
    return dict(sql.rows(DAY_REQUESTS, (since, until)))
