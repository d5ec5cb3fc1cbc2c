"""Rows of requests as every way in hands them to the store, and the rollups that they must add up to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from traffic.ingest.rows import RequestRow, Tokens
from traffic.usage.rebuild import Rollup

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)

RESPONSE = "msg_01ABCDEFGHIJKLMNOPQRSTUV"


def row(number: int = 1, **given: Any) -> RequestRow:
    values: dict[str, Any] = {
        "external_id": f"r{number}",
        "started_at": NOON + timedelta(seconds=number),
        "provider": "anthropic",
        "model": "claude-test",
        "source": "native",
        "task": "rag",
        "latency_ms": 800.0,
        "ttft_ms": 200.0,
        "streamed": True,
        "tokens": Tokens(100, 400, 0, 0, 200, 20),
    }
    return RequestRow(**{**values, **given})


def assert_rollups_exact(conn: psycopg.Connection) -> None:
    """Stored rollups equal what the rows add up to, in every column."""
    for rollup in Rollup.all():
        columns = ", ".join((*rollup.key, *rollup.sums))
        stored = conn.execute(f"SELECT {columns} FROM {rollup.table} WHERE {rollup.sums[0]} <> 0").fetchall()
        fresh = conn.execute(rollup.right("traffic_request")).fetchall()
        assert sorted(stored, key=repr) == sorted(fresh, key=repr), rollup.table


def rows_read(plan: dict[str, Any]) -> int:
    """Rows that the tables and indexes of a plan gave, those included that a filter or a join threw away."""
    own = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) if "Relation Name" in plan else 0
    own += plan.get("Rows Removed by Join Filter", 0)
    return int(own * plan["Actual Loops"]) + sum(rows_read(part) for part in plan.get("Plans", ()))
