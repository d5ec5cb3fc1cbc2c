"""Ingest commits on connections of its own, so its tests clean up by truncating what it wrote."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import connection

from providers.models import TokenPrice

WRITTEN = (
    "traffic_request",
    "traffic_request_body",
    "traffic_span_link",
    "traffic_usage_hour",
    "traffic_usage_day",
    "traffic_latency_hour",
    "traffic_latency_day",
    "traffic_error_hour",
    "traffic_error_day",
)
MEMORY = "traffic_repriced"  # what repricings remember


def conninfo() -> str:
    """Where the test database is, for connections of a test's own."""
    given = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    return psycopg.conninfo.make_conninfo(**{name: str(given[name]) for name in names if given.get(name)})


@pytest.fixture
def conn(transactional_db: Any) -> Iterator[psycopg.Connection]:
    """A connection as ingest gets it: plain psycopg, outside a transaction."""
    with psycopg.connect(conninfo(), autocommit=True) as own:
        yield own
        own.execute(f"TRUNCATE {', '.join((*WRITTEN, MEMORY))}")


@pytest.fixture
def price(transactional_db: Any) -> TokenPrice:
    return TokenPrice.objects.create(
        provider="anthropic",
        model="claude-test",
        starts_at=datetime(2026, 1, 1, tzinfo=UTC),
        uncached_input=3,
        cache_read=Decimal("0.3"),
        cache_write_5m=Decimal("3.75"),
        cache_write_1h=6,
        output=15,
        source="test",
        seen_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
