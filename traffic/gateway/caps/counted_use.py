"""What Postgres has counted of windows, read over one connection in a thread of its own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import psycopg

from traffic.gateway.caps.amounts import Charge
from traffic.gateway.database import connect

ANSWER_MS = 2_000  # in which Postgres must answer
AGAIN_S = 1.0  # after it was not reached: calls that wait behind one another must not each wait for it

USE = """
SELECT coalesce(sum(amount), 0)::bigint FROM traffic_capuse WHERE cap_id = %s AND user_hash = %s AND starts_at = %s
"""


class CountedUse:
    """Connects with the first read, and again where the connection has ended."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._thread = ThreadPoolExecutor(1, "gateway-caps")
        self._conn: psycopg.Connection | None = None
        self._away_until = 0.0

    async def read(self, charge: Charge) -> int:
        """What is counted of a window. Raises psycopg.Error."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, charge)

    def close(self) -> None:
        self._thread.submit(self._close)
        self._thread.shutdown(wait=False)

    def _read(self, charge: Charge) -> int:
        if self._conn is not None:
            try:
                return self._ask(self._conn, charge)
            except psycopg.Error:  # it may have ended since it was used last
                self._close()
        if monotonic() < self._away_until:
            raise psycopg.OperationalError("the database was not reached a moment ago")
        try:
            self._conn = connect(self._database_url, "gateway caps")
            self._conn.execute(f"SET statement_timeout = {ANSWER_MS}")
            return self._ask(self._conn, charge)
        except psycopg.Error:
            self._close()
            self._away_until = monotonic() + AGAIN_S
            raise

    def _ask(self, conn: psycopg.Connection, charge: Charge) -> int:
        row = conn.execute(USE, [charge.cap.id, charge.user, charge.window.start]).fetchone()
        return int(row[0]) if row else 0

    def _close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None
