"""Writes of the entered charges: deleting one so that it can be brought back."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.dateparse import parse_datetime

from costs.charges.recurrences import skip, unskip
from costs.models import Charge

COLUMNS = (
    "key", "provider", "day", "starts_at", "ends_at", "category", "provenance", "amount", "original_amount",
    "currency", "rate", "rate_source", "resource", "application_id", "task", "description", "invoice_month",
    "entered_by_id", "recurrence_id", "receipt_id", "corrects_id", "created_at",
)  # fmt: skip


def as_text(charge: Charge) -> dict[str, Any]:
    """Its columns as a session stores them."""
    return {name: _text(getattr(charge, name)) for name in COLUMNS}


@transaction.atomic
def delete_charge(charge: Charge) -> None:
    """Delete it; where a series made it, the series does not make it again."""
    skip(charge)
    charge.delete()


@transaction.atomic
def restore_charge(stored: dict[str, Any]) -> tuple[Charge, bool]:
    """Put a charge back from `as_text`, and whether that was necessary: a second time changes nothing."""
    charge, made = Charge.objects.get_or_create(key=stored["key"], defaults=_values(stored))
    if made:
        unskip(charge)
    return charge, made


def _text(value: Any) -> Any:
    if value is None or isinstance(value, int):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _values(stored: dict[str, Any]) -> dict[str, Any]:
    """The columns with their types again."""
    values = {name: value for name, value in stored.items() if name in COLUMNS}
    for name in ("starts_at", "ends_at", "created_at"):
        values[name] = parse_datetime(values[name])
    for name in ("amount", "original_amount", "rate"):
        values[name] = None if values[name] is None else Decimal(values[name])
    return values | {"day": date.fromisoformat(values["day"])}
