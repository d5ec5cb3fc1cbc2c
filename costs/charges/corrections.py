"""Putting a charge right after its month is final: with a line of its own, so that what was stated stays stated."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db.models import Sum

from costs.models import Category, Charge, Provenance
from lib.money import COST_STEP

ONE = Decimal(1)


def amount_with_corrections(charge: Charge) -> Decimal:
    """What a charge amounts to with its corrections, in its own currency."""
    more = charge.corrections.aggregate(sum=Sum("original_amount"))["sum"] or Decimal(0)
    return charge.original_amount + more


def correct(*, charge: Charge, right: Decimal, reason: str, user: Any, today: date) -> Charge:
    """Add the difference to what it should have been, on today's day, at the rate that the charge has."""
    difference = right - amount_with_corrections(charge)
    rate = charge.rate or (charge.amount / charge.original_amount if charge.original_amount else ONE)
    start = datetime.combine(today, time(), UTC)
    return Charge.objects.create(
        key=f"correction:{charge.pk}:{uuid4()}",
        provenance=Provenance.ENTERED,
        provider=charge.provider,
        category=Category.ADJUSTMENT,
        day=today,
        starts_at=start,
        ends_at=start + timedelta(days=1),
        amount=(difference * rate).quantize(COST_STEP),
        original_amount=difference,
        currency=charge.currency,
        rate=charge.rate,
        rate_source=charge.rate_source,
        application_id=charge.application_id,
        task=charge.task,
        description=reason,
        corrects=charge,
        entered_by=user,
    )
