"""Calls that are refused before a deployment is chosen: each leaves a row that costs nothing, within bounds."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.traffic.gateway_stack import INGEST_KEY, KEY, OTHER_KEY, Stack, calm, stack, until
from traffic.gateway.refused_calls import PER_MINUTE

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db
REFUSED = "SELECT count(*) FROM traffic_request WHERE outcome = 'refused' AND provider = 'unknown'"


def refused(stack: Stack) -> int:
    return int((stack.conn.execute(REFUSED).fetchone() or (0,))[0])


def post(stack: Stack, content: bytes, path: str = "messages", key: str = KEY, **headers: str) -> httpx.Response:
    return httpx.post(f"{stack.url}/v1/{path}", content=content, headers={"x-api-key": key, **headers}, timeout=30)


@pytest.mark.parametrize(
    ("content", "status", "code", "headers"),
    [
        (b"no json", 400, "bad-request", {}),
        (b'{"model": 4}', 400, "bad-request", {}),
        (b'{"model": "nobody-has-this", "messages": []}', 404, "no-such-model", {}),
        (b'{"model": "own-model", "messages": []}', 400, "unknown-task", {"x-breakeven-task": "weather"}),
        (b'{"model": "own-model", "messages": []}', 404, "no-target", {"x-breakeven-route": "nowhere"}),
        (b'{"model": "own-model", "messages": [], "container": "c_1"}', 404, "no-such-object", {}),
    ],
)
def test_a_refused_call_is_a_row_with_its_reason(
    calm: Stack, content: bytes, status: int, code: str, headers: dict[str, Any]
) -> None:
    answer = post(calm, content, **headers)
    assert (answer.status_code, answer.headers["x-breakeven-error"]) == (status, code)
    row = calm.newest(outcome="refused", error_type=code)
    assert (row["provider"], row["model"], row["source"], row["http_status"]) == (
        "unknown",
        "unknown",
        "gateway",
        status,
    )
    assert (row["cost"], row["cost_reason"], row["uncached_input"], row["output"]) == (0, "refused", 0, 0)
    assert row["deployment_id"] is None and row["application_id"] is not None and row["latency_ms"] > 0
    sums = (
        "SELECT coalesce(sum(unpriced), 0), coalesce(sum(errors), 0) FROM traffic_usage_day WHERE provider = 'unknown'"
    )
    assert calm.conn.execute(sums).fetchone() == (0, 0)


def test_a_caller_that_repeats_a_mistake_fills_no_table_and_strangers_leave_nothing(calm: Stack) -> None:
    for key in (INGEST_KEY, "be_of_nobody", OTHER_KEY):
        assert post(calm, b"no json", key=key).status_code in (400, 401, 403)
    before = refused(calm)
    for _ in range(PER_MINUTE + 20):
        assert post(calm, b"no json").status_code == 400
    post(calm, b'{"model": "own-model", "messages": []}')
    calm.newest(provider="self")
    assert until(lambda: refused(calm) > before)
    assert refused(calm) - before <= PER_MINUTE + 5
