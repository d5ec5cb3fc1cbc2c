"""What every installation starts with: the price book."""

from __future__ import annotations

import logging
from datetime import datetime

from django.utils import timezone

from lib.events import log_event
from providers.audit import chain as audit_chain
from providers.models import TokenPrice, UnitPrice
from providers.pricing.genai_prices import ListPrice, ListUnit, list_prices, unit_prices

logger = logging.getLogger(__name__)


def ensure_defaults() -> None:
    """Bring the price book up to date, and the audit log's chain; run at every start, changes nothing where nothing is
    new."""
    now = timezone.now()
    tokens, units = add_prices(list_prices(), now), add_unit_prices(unit_prices(), now)
    if tokens or units:
        log_event(logger, logging.INFO, "price_book_updated", token_prices=tokens, unit_prices=units)
    audit_chain.seal_all()


def add_prices(prices: list[ListPrice], now: datetime) -> int:
    """Add versions that are not there, and a new one from now on where a known price has changed; returns how many.

    What stands is never edited: requests were costed with it.
    """
    stored: dict[tuple[str, str], TokenPrice] = {}
    for row in TokenPrice.objects.order_by("starts_at"):
        stored[row.provider, row.model] = row  # the newest stays
    latest = {(price.provider, price.model): price for price in sorted(prices, key=lambda price: price.starts_at)}
    rows = []
    for price in prices:
        newest = stored.get((price.provider, price.model))
        if newest is None or price.starts_at > newest.starts_at:
            rows.append(row_of(price, price.starts_at, now))
        elif price is latest[price.provider, price.model] and newest.entered_by_id is None and differs(price, newest):
            rows.append(row_of(price, now, now))
    return len(TokenPrice.objects.bulk_create(rows, ignore_conflicts=True))


def differs(price: ListPrice, stored: TokenPrice) -> bool:
    return any(value != getattr(stored, name) for name, value in price.columns().items())


def row_of(price: ListPrice, starts_at: datetime, now: datetime) -> TokenPrice:
    return TokenPrice(
        provider=price.provider,
        model=price.model,
        starts_at=starts_at,
        source=price.source,
        seen_at=now,
        **price.columns(),
    )


def add_unit_prices(prices: list[ListUnit], now: datetime) -> int:
    """The same for units: a known one that changed is new from now on, and what a person entered is left alone."""
    stored: dict[tuple[str, str, str, str], UnitPrice] = {}
    for row in UnitPrice.objects.order_by("starts_at"):
        stored[row.kind, row.provider, row.name, row.variant] = row
    rows = []
    for price in prices:
        newest = stored.get((price.kind, price.provider, price.name, price.variant))
        changed = newest is not None and newest.entered_by_id is None and newest.amount != price.amount
        if newest is None or changed:
            facts = vars(price) | ({"starts_at": now} if changed else {})
            rows.append(UnitPrice(seen_at=now, **facts))
    return len(UnitPrice.objects.bulk_create(rows, ignore_conflicts=True))
