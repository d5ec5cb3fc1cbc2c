"""The one transaction that every request passes through: rows and rollups land together, once, or not at all.

Plain psycopg, so that the gateway runs it without Django. The steps: twins inside the batch are merged; the rest is
copied into a staging table, together with other batches that wait; response ids that are known already take over the
id of the row they belong to; one statement inserts the rows, fills what was unknown in rows that were there, and adds
new minus old to the rollups. All upserts go in key order, so that concurrent writers cannot deadlock.
"""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, Protocol, TypeVar

import psycopg
from psycopg import errors

from lib.partitions import make_partitions
from traffic.ingest.batch import NOTHING, Added, Batch, array, batch_of, bounds, days_of
from traffic.ingest.deduplicate import take_over
from traffic.ingest.parse_lock import SMALL_ROWS
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import RequestRow
from traffic.ingest.sql import deduplicate as twins_sql
from traffic.ingest.sql import rows as rows_sql
from traffic.ingest.statement_timeout import extend_timeout, seconds_for, timeout_limit

ATTEMPTS = 8  # a lost race for a response id repeats the batch
LINKS = "traffic_span_link"
PIECE = 1 << 17  # characters that are given to libpq at once: each connection keeps room for as many for good
TABLES = ("traffic_request", "traffic_request_body", LINKS)
# What a caller writes in the same transaction; it is told how many rows are new. What it raises undoes the batch.
Also = Callable[[psycopg.Connection, int], None]


@dataclass(slots=True)
class IngestResult:
    """What became of a batch, with the id of each row sent, in order."""

    accepted: int = 0
    duplicates: int = 0
    hex_ids: list[str] = field(default_factory=list)

    @property
    def ids(self) -> list[uuid.UUID]:
        return [uuid.UUID(hex=hex_id) for hex_id in self.hex_ids]


def ingest(
    conn: psycopg.Connection, rows: Sequence[RequestRow], pricing: PricingContext, also: Also | None = None
) -> IngestResult:
    """Write a batch; when this returns it is committed. `conn` must not be inside a transaction.

    What the rows add is counted for the key of the first: whoever has rows of several keys sends a batch for each.

    Raises psycopg.OperationalError when the database is away; then nothing of the batch was written.
    """
    pricing.names.bound(rows, pricing.book, lambda: nullcontext(conn))
    return take_in(conn, batch_of(rows, pricing), also)


def take_in(conn: psycopg.Connection, batch: Batch, also: Also | None = None) -> IngestResult:
    """Write a batch that is worked out already, as `ingest` does."""
    if also is not None or len(batch) > SMALL_ROWS:
        commit(conn, [batch], also)
    else:
        _writers[server_of(conn)].write(conn, batch)
    accepted = batch.added.rows - join(conn, batch)
    return IngestResult(accepted, len(batch.sent) - accepted, batch.sent)


def commit(conn: psycopg.Connection, batches: Sequence[Batch], also: Also | None = None) -> None:
    """Write batches in one transaction, and again as long as another writer was first with one of their ids."""
    make_days_of(conn, batches)
    for _ in range(ATTEMPTS - 1):
        try:
            write(conn, batches, also)
            return
        except (errors.UniqueViolation, errors.DeadlockDetected, errors.SerializationFailure):
            continue  # now it can be seen
    write(conn, batches, also)


def server_of(conn: psycopg.Connection) -> tuple[bytes, bytes, bytes]:
    """Batches are written together with those that go to the same database."""
    return conn.pgconn.host, conn.pgconn.port, conn.pgconn.db


_writers: defaultdict[tuple[bytes, bytes, bytes], GroupCommit[Batch]] = defaultdict(lambda: GroupCommit(commit))


# Partitions that this process has seen; none is made twice, and dropping one ends with a restart or below.
_known_days: set[tuple[str, date]] = set()


def make_days_of(conn: psycopg.Connection, batches: Sequence[Batch]) -> None:
    """Make the partitions that batches need and that are not there yet."""
    days = days_of(batches)
    for table in ("traffic_request", "traffic_request_body"):
        make_days(conn, table, days)
    make_days(conn, LINKS, {day for batch in batches for day, _child, _parent in batch.links})


def make_days(conn: psycopg.Connection, table: str, days: set[date]) -> None:
    missing = {day for day in days if (table, day) not in _known_days}
    if missing:
        make_partitions(conn, table, missing)
        _known_days.update((table, day) for day in missing)


def clear_known_days() -> None:
    """Look again which partitions exist; retention may have dropped some."""
    _known_days.clear()


def write(conn: psycopg.Connection, batches: Sequence[Batch], also: Also | None) -> None:
    """One transaction over the rows of all batches, each of which is told what it added."""
    if not any(batches):
        if also is not None:
            with conn.transaction():
                also(conn, 0)
        return
    try:
        with conn.transaction():
            conn.execute(rows_sql.BEGIN)
            with conn.cursor().copy(rows_sql.COPY) as stream:
                for batch in batches:
                    for at in range(0, len(batch.text), PIECE):
                        stream.write(batch.text[at : at + PIECE])
            added = write_rows(conn, batches)
            count_use(conn, batches, added)
            write_bodies(conn, batches)
            write_links(conn, batches)
            if also is not None:
                also(conn, sum(addition.rows for addition in added.values()))
    except errors.CheckViolation:
        clear_known_days()  # "no partition of relation found": retention dropped the day under us
        make_days_of(conn, batches)
        raise errors.SerializationFailure("a partition was missing, so the batch is repeated") from None
    for batch in batches:
        batch.added = added.get(batch.number, NOTHING)


def count_use(conn: psycopg.Connection, batches: Sequence[Batch], added: Mapping[int, Added]) -> None:
    """What came in with each key, in the same transaction, so that a repeated batch is not counted again but for its
    bytes: it, too, is work and room in the write-ahead log."""
    used: dict[int, tuple[Added, int]] = {}
    for batch in batches:
        if batch.key_id is not None:
            total, size = used.get(batch.key_id, (NOTHING, 0))
            used[batch.key_id] = total.plus(added.get(batch.number, NOTHING)), size + batch.size
    for key_id, (total, size) in sorted(used.items()):  # in the order that all writers lock in
        conn.execute(rows_sql.COUNT_USE, use_of(key_id, total, size))


def use_of(key_id: int, added: Added, size: int) -> dict[str, Any]:
    """Arguments of `COUNT_USE`; `size` in bytes."""
    return {"key": key_id, "requests": added.rows, "tokens": added.tokens, "cost": added.cost, "bytes": size}


def write_rows(conn: psycopg.Connection, batches: Sequence[Batch]) -> dict[int, Added]:
    """Insert or fill the staged rows and keep the rollups exact; returns what each batch adds, by its number.

    One pass, unless rows share an id or were found to be rows that are stored: then those that are one call come in
    one after the other, each seeing what the one before it left.
    """
    ids = [identifier for batch in batches for identifier in batch.ids]
    hashes = [digest for batch in batches for digest in batch.hashes]
    taken = take_over(conn, batches) if hashes else 0
    if not taken and len(set(ids)) == len(ids) and len(set(hashes)) == len(hashes):
        return upsert(conn, 0)
    added: dict[int, Added] = {}
    for number in range(1, 2 * len(ids) + 2):
        if not conn.execute(twins_sql.PICK, {"round": number}).rowcount:
            return added
        for batch, more in upsert(conn, number).items():
            added[batch] = added.get(batch, NOTHING).plus(more)
        take_over(conn, batches)
    raise AssertionError("each pass takes at least one row")


def upsert(conn: psycopg.Connection, number: int) -> dict[int, Added]:
    """Insert or fill one pass of rows; returns what each batch adds."""
    # Prepared on the server whatever kind of cursor the connection makes: planning it takes longer than 50 rows do.
    with psycopg.Cursor(conn) as cursor:
        rows = cursor.execute(rows_sql.UPSERT, {"round": number}, prepare=True).fetchall()
    return {batch: Added(*added) for batch, *added in rows}


def write_bodies(conn: psycopg.Connection, batches: Sequence[Batch]) -> None:
    bodies = [body for batch in batches for body in batch.bodies]
    if bodies:
        numbers, prompts, answers = zip(*bodies, strict=True)
        conn.execute(rows_sql.BODIES, {"numbers": list(numbers), "prompts": list(prompts), "answers": list(answers)})


def write_links(conn: psycopg.Connection, batches: Sequence[Batch]) -> None:
    links = [link for batch in batches for link in batch.links]
    if links:
        days, children, parents = zip(*links, strict=True)
        conn.execute(twins_sql.LINK, {"days": array(days), "children": array(children), "parents": array(parents)})


def join(conn: psycopg.Connection, batch: Batch) -> int:
    """Make one row of calls that are one by their spans, whichever came first; returns how many rows went.

    After the commit: of two writers that hold a half each, the one that comes later sees both.
    """
    if not batch.spans:
        return 0
    ids = {*batch.spans, *(child for _day, child, _parent in batch.links)}
    arguments = {**bounds([batch]), "ids": array(ids)}
    if not conn.execute(twins_sql.LINKED if batch.links else twins_sql.BELOW, arguments).fetchone():
        return 0
    for _ in range(ATTEMPTS):
        try:
            return absorb_linked(conn, arguments)
        except (errors.DeadlockDetected, errors.SerializationFailure):
            continue
    return absorb_linked(conn, arguments)


def absorb_linked(conn: psycopg.Connection, arguments: dict[str, Any]) -> int:
    with conn.transaction():
        conn.execute(rows_sql.BEGIN)
        (gone,) = conn.execute(twins_sql.JOIN, arguments).fetchone() or (0,)
        days = {"low": arguments["low"], "high": arguments["high"]}
        for number in range(1, gone + 1):
            if conn.execute(twins_sql.CROSSES, days).fetchone():
                raise errors.SerializationFailure("another application was first, so they are examined again")
            if conn.execute(twins_sql.PICK, {"round": number}).rowcount:
                upsert(conn, number)
    return int(gone)


# Group commit: batches that arrive at the same time share one transaction. Their upserts of the same rollup rows would
# block each other until the first commits anyway; in one transaction each shared hour, day and bucket is written once.


MOST_ROWS = 4_096  # of one transaction, unless a single batch has more


class Sized(Protocol):
    def __len__(self) -> int: ...


B = TypeVar("B", bound=Sized)


@dataclass(eq=False, slots=True)
class Waiting(Generic[B]):
    batch: B
    done: bool = False  # whether its thread may go on, after one of the two below
    written: bool = False
    error: Exception | None = None


class GroupCommit(Generic[B]):
    """The batches of one process that wait to be written."""

    def __init__(self, write: Callable[[psycopg.Connection, Sequence[B]], None]) -> None:
        """`write` commits all batches that it is given, or raises and has written nothing of any."""
        self._write = write
        self._waiting: deque[Waiting[B]] = deque()
        self._leads = False  # whether a thread is writing
        self._change = threading.Condition()

    def write(self, conn: psycopg.Connection, batch: B) -> None:
        """Return when the batch is committed, over this connection or another thread's to the same database.

        Raises what `write` raises for this batch; psycopg.OperationalError, too, where another thread lost the
        database, or where its turn did not come in time.
        """
        mine = Waiting(batch)
        with self._change:
            self._waiting.append(mine)
        try:
            while self._is_next(mine):
                try:
                    self._lead(conn, self._next(), mine)
                finally:
                    with self._change:
                        self._leads = False
                        self._change.notify_all()
        finally:
            self._leave(mine)
        if mine.error is not None:
            try:
                raise mine.error
            finally:
                mine.error = None  # it holds the frames that hold it, and in them the batch
        if not mine.written:
            raise psycopg.OperationalError("the thread that wrote this batch was stopped")

    def _is_next(self, mine: Waiting[B]) -> bool:
        """Wait until this thread is the next to write; False when its batch has been written meanwhile, or failed."""
        limit = timeout_limit()
        longest = None if limit is None else limit + seconds_for(MOST_ROWS)
        with self._change:
            if not self._change.wait_for(lambda: mine.done or not self._leads, longest):
                raise psycopg.OperationalError("Postgres has been busy with other batches for too long")
            if not mine.done:
                self._leads = True
            return not mine.done

    def _next(self) -> list[Waiting[B]]:
        """Take the batches that have waited longest off the queue, up to MOST_ROWS rows."""
        with self._change:
            group = [self._waiting.popleft()]
            rows = len(group[0].batch)
            while self._waiting and (rows := rows + len(self._waiting[0].batch)) <= MOST_ROWS:
                group.append(self._waiting.popleft())
            return group

    def _leave(self, mine: Waiting[B]) -> None:
        """Take a batch out whose thread gives up: its prices and names may be out of date later."""
        if not mine.done:
            with self._change, suppress(ValueError):  # another thread has it in hand
                self._waiting.remove(mine)

    def _lead(self, conn: psycopg.Connection, group: Sequence[Waiting[B]], mine: Waiting[B]) -> None:
        """Write a group, and set the result of each of its batches."""
        try:
            with extend_timeout(sum(len(waiting.batch) for waiting in group if waiting is not mine)):
                self._write(conn, [waiting.batch for waiting in group])
            for waiting in group:
                waiting.written = True
        except Exception as error:
            if conn.closed:
                self._give_up(group, str(error))
            elif len(group) == 1:
                group[0].error = error
            else:  # one of them is at fault: each is written alone, so that the others are stored
                for waiting in group:
                    self._lead(conn, [waiting], mine)
        finally:
            for waiting in group:
                waiting.done = True

    def _give_up(self, group: Sequence[Waiting[B]], why: str) -> None:
        """Fail every batch that waits when the connection is lost: trying one after the other would take minutes."""
        with self._change:
            for waiting in (*group, *self._waiting):
                waiting.error, waiting.done = psycopg.OperationalError(why), True
            self._waiting.clear()
