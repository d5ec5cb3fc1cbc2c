"""Columns and choices that several tables share."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _


def usd(**options: Any) -> models.DecimalField[Any, Any]:
    """A column of money: USD with the twelve decimals that regional and batch prices need."""
    return models.DecimalField(max_digits=20, decimal_places=12, **options)


def usd_sum(**options: Any) -> models.DecimalField[Any, Any]:
    """A column that adds up money of many rows: no sum of what each may plausibly be fills it."""
    return models.DecimalField(max_digits=30, decimal_places=12, **options)


class OfferKind(models.TextChoices):
    ON_DEMAND = "on_demand", _("on demand")
    SPOT = "spot", _("spot")
    COMMITTED_1Y = "committed_1y", _("committed, 1 year")
    COMMITTED_3Y = "committed_3y", _("committed, 3 years")
    SERVERLESS = "serverless", _("serverless")
