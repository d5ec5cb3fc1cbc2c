"""Reads of the providers' tables, by noun."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import F, Q

if TYPE_CHECKING:
    from providers.models import (  # noqa: F401  # names in the generic bases below
        Account,
        CheckHour,
        Deployment,
        Feed,
        Lease,
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


class CheckHourQuerySet(models.QuerySet["CheckHour"]):
    pass


class OutageQuerySet(models.QuerySet["Outage"]):
    def open(self) -> OutageQuerySet:
        return self.filter(ended_at=None)


class TokenPriceQuerySet(models.QuerySet["TokenPrice"]):
    pass
