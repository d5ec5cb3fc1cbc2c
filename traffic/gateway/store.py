"""The gateway's end of the ingest path: rows of the spool go through the same transaction as every other way in."""

from __future__ import annotations

import time
from collections.abc import Sequence

import psycopg

from traffic.ingest.rows import RequestRow
from traffic.ingest.staging import Installation
from traffic.ingest.store import ingest

FRESH_S = 5.0  # as old as prices and leases may be when a row is costed


class Store:
    """Writes batches; keeps what rows are judged by for a few seconds."""

    def __init__(self) -> None:
        self._installation: Installation | None = None
        self._loaded_at = 0.0

    def __call__(self, conn: psycopg.Connection, rows: Sequence[RequestRow]) -> None:
        """Write and commit. `conn` is in autocommit mode. Raises psycopg.Error."""
        if self._installation is None or time.monotonic() - self._loaded_at > FRESH_S:
            self._installation = Installation.load(conn)
            self._loaded_at = time.monotonic()
        for of_key in by_key(rows):
            ingest(conn, of_key, self._installation)


def by_key(rows: Sequence[RequestRow]) -> list[list[RequestRow]]:
    """The rows of each key together, in their order."""
    found: dict[int | None, list[RequestRow]] = {}
    for row in rows:
        found.setdefault(row.key_id, []).append(row)
    return list(found.values())
