"""What leases are used for: requests through their deployments, from the hours, and when the last one came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Max, Sum

from lib.dates import HOUR
from traffic.models import Request, UsageHour

LOOK_BACK = timedelta(days=7)


def requests_by_hour(deployments: Iterable[int], now: datetime) -> dict[int, dict[datetime, int]]:
    """By deployment, how many requests each hour of the last week had; hours without any are missing."""
    rows = UsageHour.objects.filter(deployment_id__in=list(deployments), hour__gte=now - LOOK_BACK, requests__gt=0)
    by_deployment: dict[int, dict[datetime, int]] = defaultdict(dict)
    for row in rows.values("deployment_id", "hour").annotate(n=Sum("requests")).order_by("hour"):
        by_deployment[row["deployment_id"]][row["hour"]] = row["n"]
    return by_deployment


def last_requests(last_hours: dict[int, datetime]) -> dict[int, datetime]:
    """By deployment, the moment of its last request, given the hour that it was in: one look at each of those hours.

    Rows that retention has dropped leave the hour's end.
    """
    by_hour: dict[datetime, list[int]] = defaultdict(list)
    for pk, hour in last_hours.items():
        by_hour[hour].append(pk)
    last = {pk: hour + HOUR for pk, hour in last_hours.items()}
    for hour, pks in by_hour.items():
        rows = Request.objects.in_days(hour.date(), hour.date() + timedelta(days=1))
        rows = rows.filter(started_at__gte=hour, started_at__lt=hour + HOUR, deployment_id__in=pks)
        last |= dict(rows.order_by().values_list("deployment_id").annotate(last=Max("started_at")))
    return last
