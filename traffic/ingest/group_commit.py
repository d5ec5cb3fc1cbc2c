"""Group commit: batches that arrive at the same time share one transaction.

Their upserts of the same rollup rows would block each other until the first commits anyway. In one transaction each
shared hour, day and bucket is written once instead of once a batch, and there is one commit.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import psycopg

from traffic.ingest.statement_timeout import extend_timeout, seconds_for, timeout_limit

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
