"""Reads of the break-even page that belong to no input of it."""

from __future__ import annotations

from datetime import date

from lib import sql

DAY_REQUESTS = """
SELECT day, sum(requests)::bigint FROM traffic_usage_day WHERE day BETWEEN %s AND %s GROUP BY 1
"""


def day_requests(since: date, until: date) -> dict[date, int]:
    """Requests by day, `until` included; days without any are left out."""
    return dict(sql.rows(DAY_REQUESTS, (since, until)))
