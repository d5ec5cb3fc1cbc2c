"""Which deployment holds a file, a batch or an answer, and whose it is: ids in Postgres, written when a vendor tells
them.

What this process has still to write counts as written, so that an answer's id can be named as soon as it is there.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import psycopg

from lib.repeated_events import log_repeated
from traffic.gateway.answers import Answer
from traffic.gateway.database import connect
from traffic.gateway.exchange import Exchange
from traffic.gateway.protocols import RESPONSES
from traffic.gateway.refusals import Refusal, come_back
from traffic.gateway.routes import SELF

logger = logging.getLogger(__name__)

ID = re.compile(r"[A-Za-z0-9_.-]{1,200}")
MOST_WAITERS = 100  # calls that wait for the one connection
STATEMENT_S = 3
WAIT_S = 5.0  # of one call for an answer, all that is before it included
AWAY_S = 1.0  # so long after Postgres did not answer, nobody waits for it
KEEP_AGAIN_S = (1.0, 2.0, 5.0) + (10.0,) * 360  # an hour
MOST_UNWRITTEN = 20_000  # ids, while Postgres is away
MOST_WRITTEN = 1_000  # in one step
LOOK_AGAIN_S = 0.3  # for an id that another gateway may be at writing
T = TypeVar("T")

# None is written of a deployment or an application that is deleted meanwhile.
KEEP = """
INSERT INTO traffic_heldobject (vendor_id, deployment_id, application_id, created_at, is_answer)
SELECT vendor_id, deployment.id, application_id, now(), is_answer
FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bool[])
    AS new (vendor_id, deployment_id, application_id, is_answer)
JOIN providers_deployment AS deployment ON deployment.id = deployment_id
WHERE application_id IS NULL OR EXISTS (SELECT FROM traffic_application WHERE id = application_id)
ON CONFLICT DO NOTHING
"""
OWNED = """
SELECT vendor_id, deployment_id FROM traffic_heldobject WHERE vendor_id = ANY(%s)
AND (%s::bigint IS NULL OR deployment_id = %s) AND application_id IS NOT DISTINCT FROM %s
"""


class Holder(NamedTuple):
    """Where an object is, and whose. `is_answer`: the vendor forgets it after a month."""

    deployment_id: int
    application_id: int | None
    is_answer: bool


class HeldObjects:
    """Reads and writes of ids, in a thread of its own: such calls are rare. All raise Refusal (503)."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connection: psycopg.Connection[Any] | None = None
        self._thread = ThreadPoolExecutor(1, "gateway-objects")
        self._waiters = 0
        self._away_until = 0.0  # time.monotonic
        self._unwritten: dict[str, Holder] = {}
        self._writer: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """Returns where Postgres answers: what a vendor makes can then be remembered."""
        await self._work(lambda conn: conn.execute("SELECT 1"))

    async def keep(self, vendor_ids: Iterable[str], deployment_id: int, application_id: int | None) -> None:
        """Remember who holds these, and for whom. Raises nothing: while Postgres is away, it is tried for an hour."""
        self._remember(vendor_ids, Holder(deployment_id, application_id, is_answer=False))
        if self._writer is not None:
            await asyncio.wait({self._writer}, timeout=WAIT_S)

    def note(self, exchange: Exchange, answer: Answer) -> None:
        """Remember what a vendor keeps of an answer, so that later calls can name it; does not wait."""
        request, target = exchange.request, exchange.target
        if target is None or target.provider == SELF or exchange.translation is not None:
            return
        is_stored = request.protocol == RESPONSES and bytes(request.fields.get("store", b"")).strip() != b"false"
        names = [answer.sound, answer.response_id if is_stored else None]
        if any(names) and (exchange.status or 0) < 400:
            self._remember(filter(None, names), Holder(target.id, exchange.application.id, is_answer=True))

    def noting(self, exchange: Exchange, answer: Answer, listen: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """`listen` to a stream; where it works in the background, its id is remembered as soon as it is told.

        So its caller can cancel it while it runs.
        """
        if bytes(exchange.request.fields.get("background", b"")).strip() != b"true":
            return listen
        noted = False

        def listen_and_note(chunk: bytes) -> None:
            nonlocal noted
            listen(chunk)
            if not noted and answer.response_id is not None:
                noted = True
                self.note(exchange, answer)

        return listen_and_note

    def _remember(self, vendor_ids: Iterable[str], holder: Holder) -> None:
        for vendor_id in vendor_ids:
            if len(self._unwritten) >= MOST_UNWRITTEN:
                log_repeated(logger, logging.ERROR, "object_not_kept", deployment_id=holder.deployment_id)
            elif ID.fullmatch(vendor_id):
                self._unwritten.setdefault(vendor_id, holder)
        if self._unwritten and (self._writer is None or self._writer.done()):
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        waits = iter(KEEP_AGAIN_S)
        while self._unwritten:
            part = dict(islice(self._unwritten.items(), MOST_WRITTEN))
            columns = [list(part), *map(list, zip(*part.values(), strict=True))]
            try:
                await self._work(lambda conn, columns=columns: conn.execute(KEEP, columns))  # type: ignore[misc]
            except Refusal:
                if (wait := next(waits, None)) is not None:
                    await asyncio.sleep(wait)
                    continue
                for deployment_id in {holder.deployment_id for holder in part.values()}:
                    log_repeated(logger, logging.ERROR, "object_not_kept", deployment_id=deployment_id)
            waits = iter(KEEP_AGAIN_S)
            for vendor_id in part:
                del self._unwritten[vendor_id]

    async def owned(
        self, vendor_ids: Iterable[str], deployment_id: int | None, application_id: int | None, *, again: bool = False
    ) -> dict[str, int]:
        """Those of these ids that are the application's, at one deployment or at any, each with its deployment.

        `again`: what is not there is looked for once more, a moment later.
        """
        ids = set(vendor_ids)
        of_mine = {
            name: holder.deployment_id
            for name in ids
            if (holder := self._unwritten.get(name)) is not None
            and holder.application_id == application_id
            and deployment_id in (None, holder.deployment_id)
        }

        def read(conn: psycopg.Connection[Any]) -> dict[str, int]:
            arguments = [list(ids - of_mine.keys()), deployment_id, deployment_id, application_id]
            return dict(conn.execute(OWNED, arguments).fetchall())

        for wait in (LOOK_AGAIN_S, 0.0) if again else (0.0,):
            if ids - of_mine.keys():
                of_mine |= await self._work(read)
            if wait and ids - of_mine.keys():
                await asyncio.sleep(wait)
        return of_mine

    async def _work(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        away = come_back(
            503,
            "not-ready",
            "The database does not answer, so stored files and batches cannot be found. Retry later.",
            2,
        )
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

    async def close(self) -> None:
        """Write what can be written in a moment."""
        if self._writer is not None:
            await asyncio.wait({self._writer}, timeout=2)
            self._writer.cancel()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._thread.shutdown(cancel_futures=True)
        if self._connection is not None:
            self._connection.close()
