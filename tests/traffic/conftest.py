"""Ingest commits on connections of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from providers.models import TokenPrice
from tests.factories import TokenPriceFactory
from tests.traffic.priced_rows import YESTERDAY
from tests.traffic.request_rows import row
from traffic.ingest.context import clear_cache
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest


@pytest.fixture
def price(transactional_db: Any) -> TokenPrice:
    return TokenPriceFactory.create(
        starts_at=datetime(2026, 1, 1, tzinfo=UTC),
        uncached_input=3,
        cache_read=Decimal("0.3"),
        cache_write_5m=Decimal("3.75"),
        cache_write_1h=6,
        output=15,
        seen_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Iterator[None]:
    """A data folder of the test's own."""
    settings.DATA_DIR = tmp_path
    clear_cache()
    yield
    clear_cache()


@pytest.fixture
def stored(conn: psycopg.Connection, price: TokenPrice) -> psycopg.Connection:
    """Seven requests on two days at 0.00342 USD each."""
    rows = [row(n) for n in range(4)] + [row(n, started_at=YESTERDAY + timedelta(seconds=n)) for n in range(10, 13)]
    ingest(conn, rows, PricingContext.load(conn))
    return conn
