"""Reads of deployments and their maintenance windows."""

from __future__ import annotations

from datetime import datetime

from django.shortcuts import get_object_or_404

from lib.time_spans import Span
from providers.models import Deployment, Maintenance


def all_deployments() -> list[Deployment]:
    """With their leases and accounts."""
    return list(Deployment.objects.select_related("lease__account"))


def deployment_or_404(slug: str) -> Deployment:
    """With its lease and account."""
    return get_object_or_404(Deployment.objects.select_related("lease__account"), slug=slug)


def deployment_named(slug: str) -> Deployment | None:
    return Deployment.objects.filter(slug=slug).first()


def planned_windows(deployment: Deployment, now: datetime) -> list[tuple[Maintenance, Span]]:
    """Windows of `now` and later, those under way first."""
    return Maintenance.objects.planned([deployment.pk], now)


def past_windows(deployment: Deployment, now: datetime, limit: int) -> list[Maintenance]:
    """Windows of which nothing comes any more, the last first."""
    return list(Maintenance.objects.filter(deployment=deployment).over(now)[:limit])


def window_or_404(deployment: Deployment, pk: int) -> Maintenance:
    return get_object_or_404(Maintenance, pk=pk, deployment=deployment)
