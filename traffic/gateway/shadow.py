"""Copies of calls for a rule's shadow: sent after the answer, recorded, compared by people, never given to a caller.

Copied are only calls whose prompt and answer the application keeps, which no private or no-store call does. What a copy
may cost is reserved of the rule's amount for the day in one statement before it is sent, and settled after: the amount
holds among all gateways.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from time import monotonic, perf_counter
from typing import Any

import psycopg

from lib.repeated_events import log_repeated
from traffic.caps.windows import amount_of, counted
from traffic.gateway.caps.amounts import NoBound, NoPrice, most_tokens, reserved
from traffic.gateway.caps.amounts import used as used_of
from traffic.gateway.caps.reads import reads_more
from traffic.gateway.database import connect
from traffic.gateway.exchange import Exchange
from traffic.gateway.hang_up import HangUp
from traffic.gateway.hedging import copied
from traffic.gateway.intake import Load
from traffic.ingest.pricing import PricingContext

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 8  # copies of one process; calls beyond are not copied
LONGEST_S = 600.0
STATEMENT_S = 3
AWAY_S = 1.0  # so long after Postgres did not answer, no copy is sent
RESERVE = """
INSERT INTO traffic_routeuse AS u (route_id, calls, failures, streams, slow, reason, day, usd)
SELECT id, 0, 0, 0, 0, '', %(day)s, %(usd)s FROM traffic_route WHERE slug = %(rule)s AND shadow_usd >= %(usd)s
ON CONFLICT (route_id) DO UPDATE SET
    day = excluded.day, usd = CASE WHEN u.day = excluded.day THEN u.usd ELSE 0 END + excluded.usd
WHERE CASE WHEN u.day = excluded.day THEN u.usd ELSE 0 END + excluded.usd
    <= (SELECT r.shadow_usd FROM traffic_route r WHERE r.id = u.route_id)
RETURNING 1
"""
SETTLE = """
UPDATE traffic_routeuse u SET usd = greatest(u.usd - %(usd)s + %(used)s, 0) FROM traffic_route r
WHERE r.id = u.route_id AND r.slug = %(rule)s AND u.day = %(day)s
"""
KEEP = """
INSERT INTO traffic_shadowcopy (candidate_id, baseline_id, candidate_request, baseline_request, application_id, task)
VALUES (%s, %s, %s, %s, %s, %s)
"""
Run = Callable[[Exchange, Any, HangUp, Any], Coroutine[Any, Any, None]]


class Shadows:
    """The copies under way. To be made inside the event loop; `run` passes a call on and records it."""

    def __init__(self, run: Run, database_url: str, pricing: Callable[[], PricingContext | None]) -> None:
        self._run = run
        self._database_url = database_url
        self._pricing = pricing
        self._load = Load()
        self._thread = ThreadPoolExecutor(1, "gateway-shadows")  # never those that calls wait for
        self._connection: psycopg.Connection[Any] | None = None
        self._away_until = 0.0  # time.monotonic
        self._tasks: set[asyncio.Task[None]] = set()

    def offer(self, exchange: Exchange) -> None:
        """Copy a call that was answered, where it may be; does not wait."""
        if exchange.outcome != "ok" or not exchange.recorded or not exchange.keep_bodies or exchange.private:
            return
        shadow = exchange.decision.shadow
        if shadow is None or exchange.target is None or exchange.target.id == shadow.id:  # it answered itself
            return
        if len(self._tasks) >= MOST_AT_ONCE or reads_more(exchange.request):  # what it names lies at one vendor
            return
        task = asyncio.get_running_loop().create_task(self._try(exchange))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End the copies under way."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)
        self._thread.submit(self._hang_up)
        self._thread.shutdown(wait=False)

    async def _try(self, exchange: Exchange) -> None:
        try:
            await self._copy(exchange)
        except psycopg.Error as error:  # without its database no copy is sent
            log_repeated(logger, logging.WARNING, "shadow_not_sent", error=type(error).__name__)

    async def _copy(self, exchange: Exchange) -> None:
        target, now = exchange.decision.shadow, datetime.now(UTC)
        assert target is not None and exchange.target is not None
        try:
            tokens = most_tokens(exchange.request, target)
            usd = amount_of("usd", reserved("usd", tokens, exchange.request, target, self._pricing(), now))
        except (NoPrice, NoBound):
            log_repeated(logger, logging.WARNING, "shadow_not_sent", error="no_price_or_bound", deployment=target.slug)
            return
        rule = exchange.decision.rule
        if not await self._store(RESERVE, {"rule": rule, "usd": usd, "day": now.date()}):
            return
        copy = copied(
            exchange, target, "shadow", key_id=None, metered=False, capped=None, started_at=now,
            facts={"shadow_of": str(exchange.request_id)},
        )  # fmt: skip
        await self._send(copy, usd, now.date())
        if copy.outcome == "ok":
            pair = (target.id, exchange.target.id, copy.request_id, exchange.request_id)
            await self._store(KEEP, (*pair, exchange.application.id, exchange.task))

    async def _send(self, copy: Exchange, usd: Decimal, day: date) -> None:
        """Pass a copy on to nobody, and settle what it was reserved."""
        hang_up = HangUp(_never)
        share = self._load.enter(0)
        copy.arrived = perf_counter()
        used = usd
        try:
            async with asyncio.timeout(LONGEST_S):
                await self._run(copy, _drop, hang_up, share)
            if copy.row is not None:
                used = amount_of("usd", used_of("usd", copy.row, self._pricing(), counted("usd", usd)))
        except TimeoutError:
            pass
        finally:
            hang_up.stop()
            share.free()
            values = {"rule": copy.decision.rule, "usd": usd, "used": used, "day": day}
            await self._store(SETTLE, values)

    async def _store(self, statement: str, values: Any) -> bool:
        return await asyncio.wrap_future(self._thread.submit(self._write, statement, values))

    def _write(self, statement: str, values: Any) -> bool:
        """Whether a row was written. Raises psycopg.Error, without a wait while Postgres is away."""
        if monotonic() < self._away_until:
            raise psycopg.OperationalError
        conn = self._connection
        try:
            if conn is not None and not conn.closed:
                try:
                    return conn.execute(statement, values).rowcount > 0
                except psycopg.OperationalError:
                    if statement is SETTLE or not self._is_lost():  # a SETTLE may have been counted
                        raise
            self._connection = conn = connect(self._database_url, "gateway shadow", statement_s=STATEMENT_S)
            return conn.execute(statement, values).rowcount > 0
        except psycopg.OperationalError:
            self._away_until = monotonic() + AWAY_S
            raise

    def _is_lost(self) -> bool:
        return self._connection is not None and self._connection.closed

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()


async def _never() -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


async def _drop(message: dict[str, Any]) -> None:
    """The caller of a copy."""
