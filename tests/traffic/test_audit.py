"""The audit is silent while rollups equal the rows, and names what differs."""

from __future__ import annotations

import psycopg
import pytest
from django.core.management import call_command

from tests.traffic.request_rows import row
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest
from traffic.usage.audit import rollup_differences

ROLLUPS = {f"traffic_{name}_{period}" for name in ("usage", "latency", "error") for period in ("hour", "day")}


def test_the_audit_finds_nothing_where_all_is_right(conn: psycopg.Connection) -> None:
    ingest(conn, [row(n) for n in range(5)], PricingContext.load(conn))
    assert list(rollup_differences()) == []
    call_command("audit")


@pytest.mark.parametrize(
    ("damage", "tables"),
    [
        ("UPDATE traffic_usage_day SET output = output + 1", {"traffic_usage_day"}),
        ("DELETE FROM traffic_usage_hour", {"traffic_usage_hour"}),
        ("UPDATE traffic_latency_hour SET n = n + 1 WHERE metric = 2", {"traffic_latency_hour"}),
        ("UPDATE traffic_error_day SET kind = 'other'", {"traffic_error_day"}),
        ("DELETE FROM traffic_request", ROLLUPS),
    ],
)
def test_the_audit_names_what_differs(conn: psycopg.Connection, damage: str, tables: set[str]) -> None:
    ingest(conn, [row(n, outcome="error" if n == 3 else "ok") for n in range(5)], PricingContext.load(conn))
    conn.execute(damage)
    assert {difference.table for difference in rollup_differences()} == tables
    with pytest.raises(SystemExit) as exit_:
        call_command("audit")
    assert exit_.value.code == 1
