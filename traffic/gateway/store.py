"""The gateway's end of the ingest path: rows of the spool go through the same transaction as every other way in."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
import psycopg

from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import RequestRow
from traffic.ingest.store import ingest

FRESH_S = 5.0  # as old as prices and leases may be when a row is costed


class Store:
    """Writes batches; keeps what rows are judged by for a few seconds."""

    def __init__(self) -> None:
        self._pricing: PricingContext | None = None
        self._loaded_at = 0.0

    def __call__(self, conn: psycopg.Connection, rows: Sequence[RequestRow]) -> None:
        """Write and commit. `conn` is in autocommit mode. Raises psycopg.Error."""
        if self._pricing is None or time.monotonic() - self._loaded_at > FRESH_S:
            self._pricing = PricingContext.load(conn, self._pricing)
            self._loaded_at = time.monotonic()
        certain = [row for row in rows if row.estimate is None]
        for of_key in by_key(certain):
            ingest(conn, of_key, self._pricing)
        for row in rows:
            if row.estimate is not None:
                charge(conn, row, self._pricing)


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

    ingest(conn, [row], pricing, also)


def by_key(rows: Sequence[RequestRow]) -> list[list[RequestRow]]:
    """The rows of each key together, in their order."""
    by_key_id: dict[int | None, list[RequestRow]] = {}
    for row in rows:
        by_key_id.setdefault(row.key_id, []).append(row)
    return list(by_key_id.values())
