"""How requests fare now against before, for whoever watches them: the last hour of the rollups, and ratings of late."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum

from traffic.models import LatencyDay, LatencyHour, Rating, UsageHour
from traffic.quality.queries import ACCEPTABLE, QualityGroup
from traffic.usage.reports import ranked

USUAL_DAYS = 14
USUAL_COUNT = 200  # requests from which on the past says what is usual
RATED_DAYS, RATED_BEFORE_DAYS = 14, 60
Timed = tuple[int, int]  # deployment and metric


def hour_before(now: datetime) -> datetime:
    """The begin of the last full hour: it and what has begun since are "the last hour"."""
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)


def recent_latency(now: datetime) -> dict[Timed, dict[int, int]]:
    """Requests of the last hour by log bucket, for each deployment and metric."""
    rows = LatencyHour.objects.filter(hour__gte=hour_before(now), hour__lte=now, deployment__gt=0)
    return by_bucket(rows)


def usual_p95(now: datetime, deployments: Iterable[int]) -> dict[Timed, Decimal]:
    """The p95 of the 14 days before today, in ms, by deployment and metric, where there were enough requests."""
    wanted = set(deployments)
    if not wanted:
        return {}
    today = now.date()
    rows = LatencyDay.objects.filter(day__gte=today - timedelta(days=USUAL_DAYS), day__lt=today, deployment__in=wanted)
    quantiles = {key: ranked(counts) for key, counts in by_bucket(rows).items() if sum(counts.values()) >= USUAL_COUNT}
    return {key: Decimal(str(quantile.p95_ms)) for key, quantile in quantiles.items() if quantile.p95_ms is not None}


def by_bucket(rows: Any) -> dict[Timed, dict[int, int]]:
    counts: dict[Timed, dict[int, int]] = defaultdict(dict)
    counted = rows.values_list("deployment_id", "metric", "bucket").annotate(n_sum=Sum("n")).order_by()
    for deployment, metric, bucket, n in counted:
        if n > 0:
            counts[deployment, metric][bucket] = n
    return dict(counts)


def recent_errors(now: datetime) -> list[dict[str, Any]]:
    """Requests and errors of the last hour by deployment, provider, model and application."""
    rows = UsageHour.objects.filter(hour__gte=hour_before(now), hour__lte=now, requests__gt=0)
    keys = ("deployment_id", "provider", "model", "application_id")
    counted = rows.values_list(*keys).annotate(n=Sum("requests"), failed=Sum("errors")).order_by(*keys)
    return [dict(zip((*keys, "requests", "errors"), row, strict=True)) for row in counted]


def recent_ratings(now: datetime) -> dict[str, tuple[QualityGroup, QualityGroup]]:
    """By model, ratings of the requests of the last 14 days, and of the 60 days before them."""
    end = now.date() + timedelta(days=1)
    since = end - timedelta(days=RATED_DAYS)
    rows = Rating.objects.in_days(since - timedelta(days=RATED_BEFORE_DAYS), end).exclude(model="")
    late = Q(day__gte=since)
    counted = rows.values_list("model").annotate(
        n=Count("id", filter=late), good=Count("id", filter=late & ACCEPTABLE),
        n_before=Count("id", filter=~late), good_before=Count("id", filter=~late & ACCEPTABLE),
    )  # fmt: skip
    return {
        model: (QualityGroup(model, n, good, 0, None, None), QualityGroup(model, before, good_before, 0, None, None))
        for model, n, good, before, good_before in counted.order_by("model")
    }
