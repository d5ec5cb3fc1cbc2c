"""Which deployment holds a file or a batch, and whose it is: ids in Postgres, written when a vendor tells them."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import psycopg

from lib.repeated_events import log_repeated
from traffic.gateway.database import connect
from traffic.gateway.refusals import Refusal, come_back

logger = logging.getLogger(__name__)

MOST_ID = 200
MOST_WAITERS = 100  # calls that wait for the one connection
STATEMENT_S = 3
WAIT_S = 5.0  # of one call for an answer, all that is before it included
AWAY_S = 1.0  # so long after Postgres did not answer, nobody waits for it
KEEP_AGAIN_S = (1.0, 2.0, 5.0) + (10.0,) * 360  # an hour
T = TypeVar("T")

FIND = """
SELECT deployment_id FROM traffic_heldobject WHERE vendor_id = %s AND application_id IS NOT DISTINCT FROM %s LIMIT 1
"""
KEEP = """
INSERT INTO traffic_heldobject (vendor_id, deployment_id, application_id, created_at) VALUES (%s, %s, %s, now())
ON CONFLICT DO NOTHING
"""
OWNED = """
SELECT vendor_id FROM traffic_heldobject WHERE vendor_id = ANY(%s)
AND (%s::bigint IS NULL OR deployment_id = %s) AND application_id IS NOT DISTINCT FROM %s
"""


class HeldObjects:
    """Reads and writes of ids, in a thread of its own: such calls are rare. All raise Refusal (503)."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connection: psycopg.Connection[Any] | None = None
        self._thread = ThreadPoolExecutor(1, "gateway-objects")
        self._waiters = 0
        self._away_until = 0.0  # time.monotonic
        self._keeping: set[asyncio.Task[None]] = set()

    async def deployment_of(self, vendor_id: str, application_id: int | None) -> int | None:
        """The deployment that holds an application's object; None where it has no such object."""

        def find(conn: psycopg.Connection[Any]) -> int | None:
            row = conn.execute(FIND, [vendor_id, application_id]).fetchone()
            return int(row[0]) if row else None

        return await self._work(find)

    async def ready(self) -> None:
        """Returns where Postgres answers: what a vendor makes can then be remembered."""
        await self._work(lambda conn: conn.execute("SELECT 1"))

    async def keep(self, vendor_ids: Iterable[str], deployment_id: int, application_id: int | None) -> None:
        """Remember who holds these, and for whom. Raises nothing: while Postgres is away, it is tried for an hour."""
        rows = [(vendor_id, deployment_id, application_id) for vendor_id in vendor_ids if 0 < len(vendor_id) <= MOST_ID]

        def write(conn: psycopg.Connection[Any]) -> None:
            with conn.cursor() as cursor:
                cursor.executemany(KEEP, rows)

        if not rows:
            return
        try:
            await self._work(write)
        except Refusal:
            task = asyncio.create_task(self._keep_later(write, deployment_id))
            self._keeping.add(task)
            task.add_done_callback(self._keeping.discard)

    async def _keep_later(self, write: Callable[[psycopg.Connection[Any]], None], deployment_id: int) -> None:
        for wait in KEEP_AGAIN_S:
            await asyncio.sleep(wait)
            try:
                await self._work(write)
            except Refusal:
                continue
            return
        log_repeated(logger, logging.ERROR, "object_not_kept", deployment_id=deployment_id)

    async def owned(self, vendor_ids: list[str], deployment_id: int | None, application_id: int | None) -> set[str]:
        """Those of these ids that are the application's, at one deployment or at any."""

        def read(conn: psycopg.Connection[Any]) -> set[str]:
            rows = conn.execute(OWNED, [vendor_ids, deployment_id, deployment_id, application_id])
            return {row[0] for row in rows}

        return await self._work(read)

    async def _work(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        away = come_back(503, "not-ready", "Files and batches need the database, which does not answer; come back.", 2)
        if self._waiters >= MOST_WAITERS or time.monotonic() < self._away_until:
            raise away
        self._waiters += 1
        try:
            async with asyncio.timeout(WAIT_S):
                return await asyncio.wrap_future(self._thread.submit(self._run, work))
        except (psycopg.Error, TimeoutError) as error:
            if isinstance(error, TimeoutError):
                self._cut()
            self._away_until = time.monotonic() + AWAY_S
            raise away from None
        finally:
            self._waiters -= 1

    def _run(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        for _ in range(2):
            if time.monotonic() < self._away_until:  # those who waited behind the one that failed
                raise psycopg.OperationalError
            conn = self._connection
            if conn is None or conn.closed or conn.broken:
                self._connection = conn = connect(self._database_url, "gateway objects", statement_s=STATEMENT_S)
            try:
                return work(conn)
            except psycopg.OperationalError:
                if not conn.closed:
                    raise
        raise psycopg.OperationalError

    def _cut(self) -> None:
        """End the wait of the thread for a server that went silent."""
        conn = self._connection
        if conn is None or conn.closed:
            return
        try:
            with socket.socket(fileno=os.dup(conn.fileno())) as end:
                end.shutdown(socket.SHUT_RDWR)
        except (OSError, psycopg.Error):
            return  # it closed meanwhile

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)
        if self._connection is not None:
            self._connection.close()
