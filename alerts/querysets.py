"""Reads of the alerts' tables, by noun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from alerts.models import Alert, Delivery, Rule  # noqa: F401


class RuleQuerySet(models.QuerySet["Rule"]):
    def enabled(self) -> RuleQuerySet:
        return self.filter(enabled=True)


class AlertQuerySet(models.QuerySet["Alert"]):
    def live(self) -> AlertQuerySet:
        """Whatever is not resolved."""
        return self.exclude(state="resolved")

    def shown(self) -> AlertQuerySet:
        """What needs someone: open or acknowledged."""
        return self.filter(state__in=("open", "acknowledged"))


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    pass
