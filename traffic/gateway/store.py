"""The gateway's end of the ingest path: rows of the spool go through the same transaction as every other way in."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

import msgspec
import psycopg

from traffic.gateway.caps.amounts import used
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import RequestRow
from traffic.ingest.store import ingest

FRESH_S = 5.0  # as old as prices and leases may be when a row is costed


class Store:
    """Writes batches; keeps what rows are judged by for a few seconds."""

    def __init__(self) -> None:
        self.pricing: PricingContext | None = None
        self.moved: Callable[[Iterable[str]], None] | None = None  # is told which calls with caps are stored
        self._loaded_at = 0.0

    def refresh(self, conn: psycopg.Connection) -> PricingContext:
        """Prices as they were at most a few seconds ago. Raises psycopg.Error."""
        if self.pricing is None or time.monotonic() - self._loaded_at > FRESH_S:
            self.pricing = PricingContext.load(conn, self.pricing)
            self._loaded_at = time.monotonic()
        return self.pricing

    def __call__(self, conn: psycopg.Connection, rows: Sequence[RequestRow]) -> None:
        """Write and commit. `conn` is in autocommit mode. Raises psycopg.Error."""
        pricing = self.refresh(conn)
        certain = [row for row in rows if row.estimate is None]
        for of_key in by_key(certain):
            write(conn, of_key, pricing)
        for row in rows:
            if row.estimate is not None:
                charge(conn, row, pricing)
        if self.moved is not None:
            self.moved([row.external_id for row in rows if row.caps])


class SomeAreNew(Exception):
    """Of a batch some rows were stored before, and which is not known."""


def write(conn: psycopg.Connection, rows: Sequence[RequestRow], pricing: PricingContext) -> None:
    """Write rows of a key, and count those that are new for their caps and savings in the same transaction."""
    if not any(row.caps or row.saved for row in rows):
        ingest(conn, rows, pricing)
        return

    def also(conn: psycopg.Connection, new: int) -> None:
        if 0 < new < len(rows):
            raise SomeAreNew
        if new:
            count_caps(conn, rows, pricing)
            count_savings(conn, rows, pricing)

    try:
        ingest(conn, rows, pricing, also)
    except SomeAreNew:
        for row in rows:
            write(conn, [row], pricing)


# One that is deleted meanwhile counts no more, and its row is stored all the same.
COUNT_CAP = """
INSERT INTO traffic_capuse AS u (cap_id, user_hash, starts_at, amount)
SELECT id, %s, %s, %s FROM traffic_cap WHERE id = %s FOR KEY SHARE
ON CONFLICT (cap_id, user_hash, starts_at) DO UPDATE
SET amount = least(u.amount::numeric + excluded.amount, 9223372036854775807)::bigint
"""


def count_caps(conn: psycopg.Connection, rows: Sequence[RequestRow], pricing: PricingContext) -> None:
    """What rows used of their caps, in the order that all writers lock in."""
    amounts: Counter[tuple[int, uuid.UUID, datetime]] = Counter()
    for row in rows:
        for cap in row.caps:
            amounts[cap.cap, cap.user, cap.starts_at] += used(cap.unit, row, pricing, cap.reserved)
    for (cap_id, user, starts_at), amount in sorted(amounts.items()):
        conn.execute(COUNT_CAP, [user, starts_at, amount, cap_id])


COUNT_SAVING = """
INSERT INTO traffic_cachesaving AS s (application_id, day, provider, model, hits, unpriced, tokens, cost)
SELECT id, %s, %s, %s, 1, %s, %s, %s FROM traffic_application WHERE id = %s FOR KEY SHARE
ON CONFLICT (application_id, day, provider, model) DO UPDATE SET hits = s.hits + 1,
    unpriced = s.unpriced + excluded.unpriced, tokens = s.tokens + excluded.tokens, cost = s.cost + excluded.cost
"""


def count_savings(conn: psycopg.Connection, rows: Sequence[RequestRow], pricing: PricingContext) -> None:
    """What answers from the cache would have used and cost, in the order that all writers lock in."""
    hits = [
        (row.application_id, row.started_at.astimezone(UTC).date(), row.provider, row.model, row.saved, row)
        for row in rows
        if row.saved is not None
    ]
    for application_id, day, provider, model, saved, row in sorted(hits, key=lambda hit: hit[:4]):
        tokens = sum(msgspec.structs.astuple(saved)[:5])
        cost = pricing.cost(msgspec.structs.replace(row, tokens=saved, saved=None)).cost
        conn.execute(COUNT_SAVING, [day, provider, model, int(cost is None), tokens, cost or 0, application_id])


CHARGE = """
INSERT INTO traffic_keyuse AS u (key_id, day, requests, tokens, cost, estimated_tokens, estimated_cost)
SELECT id, (now() AT TIME ZONE 'UTC')::date, 0, 0, 0, %(tokens)s, %(cost)s FROM traffic_key WHERE id = %(key)s
ON CONFLICT (key_id, day) DO UPDATE SET
    estimated_tokens = least(u.estimated_tokens::numeric + excluded.estimated_tokens, 9223372036854775807)::bigint,
    estimated_cost = least(u.estimated_cost + excluded.estimated_cost, 999999999999999999)
"""


def charge(conn: psycopg.Connection, row: RequestRow, pricing: PricingContext) -> None:
    """Write a row whose usage is unknown, and count the estimate for its key's quota in the same transaction.

    Alone, so that a row that is there already is known to be charged already.
    """

    def also(conn: psycopg.Connection, new: int) -> None:
        if new and row.estimate is not None:
            counted = sum(msgspec.structs.astuple(row.estimate)[:5])
            cost = pricing.cost(msgspec.structs.replace(row, tokens=row.estimate)).cost
            conn.execute(CHARGE, {"tokens": counted, "cost": cost or 0, "key": row.key_id})
            count_caps(conn, [row], pricing)

    ingest(conn, [row], pricing, also)


def by_key(rows: Sequence[RequestRow]) -> list[list[RequestRow]]:
    """The rows of each key together, in their order."""
    by_key_id: dict[int | None, list[RequestRow]] = {}
    for row in rows:
        by_key_id.setdefault(row.key_id, []).append(row)
    return list(by_key_id.values())
