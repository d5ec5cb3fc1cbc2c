"""Ingest commits on connections of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import connection

from providers.models import TokenPrice
from tests.emptying import begin_again

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


def conninfo() -> str:
    """Where the test database is, for connections of a test's own."""
    given = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    return psycopg.conninfo.make_conninfo(**{name: str(given[name]) for name in names if given.get(name)})


def empty_after_a_process(conn: psycopg.Connection[Any]) -> None:
    """Empty what a process wrote that may have died in a transaction: what it left is ended, and nothing waits long."""
    conn.execute(
        "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
        " AND backend_type = 'client backend'"
    )
    begin_again()


@pytest.fixture
def conn(transactional_db: Any) -> Iterator[psycopg.Connection]:
    """A connection as ingest gets it: plain psycopg, outside a transaction."""
    with psycopg.connect(conninfo(), autocommit=True) as own:
        yield own


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
