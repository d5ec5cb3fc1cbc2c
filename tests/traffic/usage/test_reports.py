"""Usage and latency by group, from the rollups, within the bounds that the contract states."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.test import Client

from tests.traffic.request_rows import NOON, row
from traffic.authentication.keys import callers, create_key
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import Tokens
from traffic.ingest.store import ingest

DAY = f"from={NOON:%Y-%m-%d}&to={NOON + timedelta(days=1):%Y-%m-%d}"


@pytest.fixture
def get(conn: psycopg.Connection) -> Any:
    callers.clear()
    secret = create_key(name="reader", scopes=["read"])[1]
    return lambda path: Client().get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {secret}"})


def test_usage_adds_up_by_every_group(get: Any, conn: psycopg.Connection) -> None:
    rows = [row(n, task=random.choice(["rag", "qa"]), outcome=random.choice(["ok", "error"])) for n in range(50)]
    ingest(conn, [*rows, row(99, tokens=None)], PricingContext.load(conn))
    for group_by in ("provider", "model", "application", "task", "deployment", "hour", "day"):
        answer = get(f"usage?{DAY}&group_by={group_by}")
        assert answer.status_code == 200, answer.content
        groups = answer.json()["groups"]
        assert sum(group["requests"] for group in groups) == 51
        assert sum(group["tokens"]["output"] for group in groups) == 50 * 200
        assert sum(group["unknown_usage_requests"] for group in groups) == 1
        assert sum(group["unpriced_requests"] for group in groups) == 51


@pytest.mark.parametrize("group_by", ["provider", "hour"])
def test_percentiles_are_nearest_rank_within_one_per_cent(get: Any, conn: psycopg.Connection, group_by: str) -> None:
    generator = random.Random(7)
    latencies = sorted(generator.lognormvariate(6, 1) for _ in range(1000))
    rows = [
        row(0, external_id=str(n), latency_ms=ms, ttft_ms=ms / 2, started_at=NOON) for n, ms in enumerate(latencies)
    ]
    ingest(conn, rows, PricingContext.load(conn))
    (group,) = get(f"latency?{DAY}&group_by={group_by}").json()["groups"]
    assert group["count"] == group["ttft"]["count"] == 1000
    for name, rank in (("p50_ms", 500), ("p95_ms", 950), ("p99_ms", 990)):
        assert group[name] == pytest.approx(latencies[rank - 1], rel=0.01)
        assert group["ttft"][name] == pytest.approx(latencies[rank - 1] / 2, rel=0.01)
    assert group["mean_ms"] == pytest.approx(sum(latencies) / 1000, rel=1e-4)


def test_tokens_per_second_count_the_time_after_the_first_token(get: Any, conn: psycopg.Connection) -> None:
    ingest(conn, [row(1, latency_ms=1200, ttft_ms=200, tokens=Tokens(output=50))], PricingContext.load(conn))
    (group,) = get(f"latency?{DAY}").json()["groups"]
    assert group["output_tokens_per_second"] == 50


def test_filters_are_alternatives_and_an_unknown_slug_finds_nothing(get: Any, conn: psycopg.Connection) -> None:
    ingest(conn, [row(1), row(2, model="other"), row(3, model="third")], PricingContext.load(conn))
    (group,) = get(f"usage?{DAY}&model=other&model=third").json()["groups"]
    assert group["requests"] == 2
    assert get(f"usage?{DAY}&application=nobody").json()["groups"] == []


@pytest.mark.parametrize("query", ["from=x", "from=2026-13-01", "from=2026-11-02&to=2026-11-01", "group_by=colour"])
def test_a_wrong_parameter_is_422_in_the_error_shape(get: Any, query: str) -> None:
    answer = get(f"usage?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"]
