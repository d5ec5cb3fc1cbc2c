"""Concurrent writers, repetitions and crashes between statements against a plain oracle: dictionaries and Decimals."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Iterator
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from providers.models import TokenPrice
from tests.database import WRITTEN, conninfo
from tests.traffic.request_rows import NOON, assert_rollups_exact, row
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import RequestRow, Tokens
from traffic.ingest.store import ingest

WRITERS = 3
counts = st.integers(0, 10**7)


@st.composite
def calls(draw: st.DrawFn) -> list[RequestRow]:
    """Different calls over three days: priced, unpriced and without usage; one in two with the vendor's id."""
    made = []
    for number in range(draw(st.integers(1, 12))):
        tokens = Tokens(*(draw(counts) for _ in range(5))) if draw(st.integers(0, 4)) else None
        made.append(
            row(
                number,
                started_at=NOON - timedelta(minutes=draw(st.integers(0, 3 * 24 * 60))),
                model=draw(st.sampled_from(["claude-test", "claude-test", "nobody-knows"])),
                tokens=tokens,
                batch=draw(st.booleans()),
                latency_ms=draw(st.floats(0.02, 3_000_000)),
                ttft_ms=None,
                streamed=False,
                response_id=f"msg_{number:030d}" if draw(st.booleans()) else None,
                outcome=draw(st.sampled_from(["ok", "ok", "error"])),
            )
        )
    return made


def cost(call: RequestRow, price: TokenPrice) -> Decimal | None:
    """By hand, in millionths; the price of the test has no batch discount and no long prompts."""
    tokens = call.tokens
    if tokens is None or call.model != price.model or call.batch:
        return None
    rates = (price.uncached_input, price.cache_read, price.cache_write_5m, price.cache_write_1h, price.output)
    classes = (tokens.uncached_input, tokens.cache_read, tokens.cache_write_5m, tokens.cache_write_1h, tokens.output)
    total = sum((Decimal(count) * Decimal(str(rate)) for count, rate in zip(classes, rates, strict=True)), Decimal(0))
    return total / 10**6


def expected(made: list[RequestRow], price: TokenPrice) -> dict[Any, tuple[int, int, int, Decimal]]:
    """By day and model: requests, errors, tokens and cost of the calls whose cost the oracle knows."""
    found: dict[Any, tuple[int, int, int, Decimal]] = {}
    for call in made:
        at = (call.started_at.astimezone(UTC).date(), call.model, call.batch)
        n, errors, tokens, spent = found.get(at, (0, 0, 0, Decimal(0)))
        used = call.tokens
        five = used and used.uncached_input + used.cache_read + used.cache_write_5m + used.cache_write_1h + used.output
        spent += cost(call, price) or Decimal(0)
        found[at] = (n + 1, errors + (call.outcome == "error"), tokens + (five or 0), spent)
    return found


SUMS = """
SELECT day, model, sum(requests), sum(errors),
    sum(uncached_input + cache_read + cache_write_5m + cache_write_1h + output)
FROM traffic_usage_day WHERE requests <> 0 GROUP BY day, model
"""
PRICED = "SELECT coalesce(sum(cost), 0) FROM traffic_request WHERE NOT batch"
QUANTILE = """
WITH b AS (SELECT bucket, sum(n) AS n FROM traffic_latency_day WHERE metric = 1 GROUP BY bucket),
c AS (SELECT bucket, sum(n) OVER (ORDER BY bucket) AS cum, sum(n) OVER () AS total FROM b WHERE n <> 0)
SELECT 2 * power(1.02::float8, (SELECT min(bucket) FROM c WHERE cum >= ceil(%s::numeric * total))) / 2.02 FROM c LIMIT 1
"""


class Crashing:
    """A connection that dies before its nth statement, once, as when the process or the network goes."""

    def __init__(self, conn: psycopg.Connection[Any], after: int) -> None:
        self.conn, self.left = conn, after

    def __getattr__(self, name: str) -> Any:
        if name in ("execute", "cursor"):
            self.left -= 1
            if self.left < 0:
                self.conn.close()
        return getattr(self.conn, name)


def send(batches: list[list[RequestRow]], installation: PricingContext, crashes: Iterator[int]) -> None:
    """As an exporter does: each batch until it is taken, and then once more."""
    for batch in batches:
        taken = 0
        while taken < 2:
            with psycopg.connect(conninfo(), autocommit=True) as conn:
                shaky: Any = Crashing(conn, next(crashes)) if taken == 0 else conn
                try:
                    ingest(shaky, [replace(call) for call in batch], installation)
                except (psycopg.OperationalError, psycopg.InterfaceError):
                    continue
                taken += 1


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=calls(), seed=st.integers(0, 2**32))
def test_what_is_stored_is_what_the_oracle_says(
    conn: psycopg.Connection, price: TokenPrice, made: list[RequestRow], seed: int
) -> None:
    conn.execute(f"TRUNCATE {', '.join(WRITTEN)}")
    installation = PricingContext.load(conn)
    failures: list[BaseException] = []

    def write(number: int) -> None:
        own = random.Random(seed + number)
        mine = own.sample(made, len(made))
        size = own.randint(1, len(mine))
        batches = [mine[start : start + size] for start in range(0, len(mine), size)]
        try:
            # A crash in the first tries, at whatever statement; then calm.
            crashes = iter([own.randint(0, 12) for _ in range(len(batches))] + [10**6] * 10_000)
            send(batches, installation, crashes)
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failures
    compare(conn, made, price)
    assert_rollups_exact(conn)


def compare(conn: psycopg.Connection, made: list[RequestRow], price: TokenPrice) -> None:
    want: dict[Any, list[int]] = {}
    for (day, model, _batch), (n, errors, tokens, _spent) in expected(made, price).items():
        sums = want.setdefault((day, model), [0, 0, 0])
        want[day, model] = [sums[0] + n, sums[1] + errors, sums[2] + tokens]
    assert {(day, model): [int(item) for item in sums] for day, model, *sums in conn.execute(SUMS).fetchall()} == want
    priced = conn.execute(PRICED).fetchone()
    assert priced == (sum((spent for *_n, spent in expected(made, price).values()), Decimal(0)),)
    ordered = sorted(call.latency_ms or 0 for call in made)
    for quantile in (0.5, 0.95, 0.99):
        exact = ordered[math.ceil(round(quantile * len(ordered), 9)) - 1]
        found = conn.execute(QUANTILE, [quantile]).fetchone()
        assert found is not None
        assert found[0] == pytest.approx(exact, rel=0.01)
