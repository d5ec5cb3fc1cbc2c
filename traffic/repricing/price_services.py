"""Writes of the price book that its pages make; prices are added and taken out, never edited."""

from __future__ import annotations

from datetime import datetime

from providers.models import TokenPrice, UnitPrice


def add_unit_price(price: UnitPrice, *, person_id: int | None, now: datetime) -> None:
    """Store a unit price as entered by a person."""
    price.entered_by_id, price.seen_at = person_id, now
    price.save(force_insert=True)


def remove_price(price: TokenPrice | UnitPrice) -> None:
    """Take a price out that no request was costed with."""
    price.delete()
