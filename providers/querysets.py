"""Reads of the providers' tables, by noun."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import F, Q

from providers import uptime_report
from providers.checks import Span
from providers.uptime_report import DeploymentUptime

if TYPE_CHECKING:
    from providers.models import (  # noqa: F401  # names in the generic bases below
        Account,
        CheckHour,
        Deployment,
        Feed,
        Lease,
        Maintenance,
        Offer,
        Outage,
        TokenPrice,
    )


class AccountQuerySet(models.QuerySet["Account"]):
    def enabled(self) -> AccountQuerySet:
        return self.filter(enabled=True)


class FeedQuerySet(models.QuerySet["Feed"]):
    pass


class OfferQuerySet(models.QuerySet["Offer"]):
    pass


class LeaseQuerySet(models.QuerySet["Lease"]):
    def active(self) -> LeaseQuerySet:
        return self.filter(ended_at=None)


class DeploymentQuerySet(models.QuerySet["Deployment"]):
    def enabled(self) -> DeploymentQuerySet:
        return self.filter(enabled=True)

    def due(self, now: datetime) -> DeploymentQuerySet:
        """Deployments whose check is due and under way nowhere, the longest due first."""
        unclaimed = Q(check_claimed_until=None) | Q(check_claimed_until__lte=now)
        due = Q(check_due_at=None) | Q(check_due_at__lte=now)
        return self.filter(due, unclaimed, enabled=True, checked=True).order_by(F("check_due_at").asc(nulls_first=True))

    def uptime_report(self, start: datetime, end: datetime) -> list[DeploymentUptime]:
        """Uptime, outages and days of each deployment between two moments, end exclusive."""
        return uptime_report.report(self, start, end)


class CheckHourQuerySet(models.QuerySet["CheckHour"]):
    def latency_by_hour(self, ids: Sequence[int], start: datetime, end: datetime) -> dict[int, list[float | None]]:
        """Mean milliseconds of the checks that went well, by deployment and hour; None where there was none."""
        first = uptime_report.hour_of(start)
        hours = [first + n * uptime_report.HOUR for n in range((end - first) // uptime_report.HOUR + 1)]
        known = {
            (row.deployment_id, row.hour): row.latency_sum_ms / (row.checks - row.failed)
            for row in self.filter(deployment__in=ids, hour__gte=first, hour__lt=end, checks__gt=F("failed"))
        }
        return {pk: [known.get((pk, hour)) for hour in hours] for pk in ids}


class OutageQuerySet(models.QuerySet["Outage"]):
    def open(self) -> OutageQuerySet:
        return self.filter(ended_at=None)

    def touching(self, start: datetime, end: datetime) -> OutageQuerySet:
        """Outages of which any part lies between two moments; one that lasts is still there at the end."""
        return self.filter(Q(ended_at=None) | Q(ended_at__gt=start), started_at__lt=end)


class MaintenanceQuerySet(models.QuerySet["Maintenance"]):
    def spans(self, ids: Iterable[int], start: datetime, end: datetime) -> dict[int, list[Span]]:
        """Windows that touch the time between two moments, by deployment."""
        found: dict[int, list[Span]] = {}
        for row in self.filter(deployment__in=list(ids), starts_at__lt=end, ends_at__gt=start):
            found.setdefault(row.deployment_id, []).append(Span(row.starts_at, row.ends_at))
        return found


class TokenPriceQuerySet(models.QuerySet["TokenPrice"]):
    pass
