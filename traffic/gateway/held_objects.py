"""Which deployment holds a file or a batch, and whose it is: ids in Postgres, written when a vendor tells them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import psycopg

from traffic.gateway.database import connect
from traffic.gateway.refusals import come_back

MOST_ID = 200
T = TypeVar("T")

FIND = """
SELECT deployment_id FROM traffic_heldobject WHERE vendor_id = %s AND application_id IS NOT DISTINCT FROM %s LIMIT 1
"""
KEEP = """
INSERT INTO traffic_heldobject (vendor_id, deployment_id, application_id, created_at) VALUES (%s, %s, %s, now())
ON CONFLICT DO NOTHING
"""
OWNED = """
SELECT vendor_id FROM traffic_heldobject WHERE vendor_id = ANY(%s) AND deployment_id = %s
AND application_id IS NOT DISTINCT FROM %s
"""


class HeldObjects:
    """Reads and writes of ids, in threads: such calls are rare, and may wait for Postgres. All raise Refusal (503)."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connection: psycopg.Connection[Any] | None = None
        self._lock = threading.Lock()

    async def deployment_of(self, vendor_id: str, application_id: int | None) -> int | None:
        """The deployment that holds an application's object; None where it has no such object."""

        def find(conn: psycopg.Connection[Any]) -> int | None:
            row = conn.execute(FIND, [vendor_id, application_id]).fetchone()
            return int(row[0]) if row else None

        return await self._work(find)

    async def keep(self, vendor_ids: Iterable[str], deployment_id: int, application_id: int | None) -> None:
        """Remember who holds these, and for whom."""
        rows = [(vendor_id, deployment_id, application_id) for vendor_id in vendor_ids if 0 < len(vendor_id) <= MOST_ID]

        def write(conn: psycopg.Connection[Any]) -> None:
            with conn.cursor() as cursor:
                cursor.executemany(KEEP, rows)

        if rows:
            await self._work(write)

    async def owned(self, vendor_ids: list[str], deployment_id: int, application_id: int | None) -> set[str]:
        """Those of these ids that are the application's."""

        def read(conn: psycopg.Connection[Any]) -> set[str]:
            return {row[0] for row in conn.execute(OWNED, [vendor_ids, deployment_id, application_id])}

        return await self._work(read)

    async def _work(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        try:
            return await asyncio.to_thread(self._run, work)
        except psycopg.Error:
            words = "Files and batches need the database, which does not answer now; come back."
            raise come_back(503, "not-ready", words, 2) from None

    def _run(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        with self._lock:
            if self._connection is None or self._connection.closed or self._connection.broken:
                self._connection = connect(self._database_url, "gateway objects")
            return work(self._connection)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
