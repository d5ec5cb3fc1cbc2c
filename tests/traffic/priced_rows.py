"""Stored requests of two days, and a later version of their price."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg

from providers.models import TokenPrice
from tests.database import WRITTEN
from tests.factories import TokenPriceFactory
from tests.traffic.request_rows import NOON
from traffic.models import Repricing
from traffic.repricing.services import work

DAY = NOON.date()

BEFORE = DAY - timedelta(days=1)

NEXT = DAY + timedelta(days=1)

YESTERDAY = NOON - timedelta(days=1)


def dearer(price: TokenPrice, factor: int = 2, **more: Any) -> TokenPrice:
    """A later version of the price, in force since an hour before the newer day's requests."""
    names = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    rates = {name: getattr(price, name) * factor for name in names}
    values = {"provider": price.provider, "model": price.model, "starts_at": NOON - timedelta(hours=1), **rates, **more}
    return TokenPriceFactory.create(seen_at=NOON, **values)


def everything(conn: psycopg.Connection) -> list[Any]:
    """All rows and rollups, to compare; a rollup's order is no matter."""
    return [sorted(conn.execute(f"SELECT t::text FROM {table} AS t").fetchall()) for table in WRITTEN]


def ended(repricing: Repricing, seconds: float = 60) -> Repricing:
    """Worked at by workers until nothing is left to do."""
    while work(repricing.pk, seconds=seconds):
        pass
    repricing.refresh_from_db()
    return repricing
