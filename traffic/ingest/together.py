"""Batches that meet are written in one transaction, by the thread whose turn it is.

Writers that add to the same rollups wait for each other's commit anyway. Written together, they add once to the hours,
days and buckets that they share instead of once for each, and make one commit.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import psycopg

from traffic.ingest.patience import more_patience, patience_for, patience_limit

MOST_ROWS = 4_096  # of one transaction, unless a single batch has more
LOST = (psycopg.OperationalError, psycopg.InterfaceError)


class Sized(Protocol):
    def __len__(self) -> int: ...


B = TypeVar("B", bound=Sized)


@dataclass(eq=False, slots=True)
class Waiting(Generic[B]):
    batch: B
    done: bool = False
    error: Exception | None = None


class Together(Generic[B]):
    """The batches of one process that wait for their turn to be written."""

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
        while not mine.done:
            if group := self._turn_of(mine):
                try:
                    self._lead(conn, group, mine)
                finally:
                    with self._change:
                        self._leads = False
                        self._change.notify_all()
        if mine.error is not None:
            raise mine.error

    def _turn_of(self, mine: Waiting[B]) -> list[Waiting[B]]:
        """Wait until this batch is written or this thread is the next to write, and then what it is to write."""
        limit = patience_limit()
        longest = None if limit is None else limit + patience_for(MOST_ROWS)
        with self._change:
            if not self._change.wait_for(lambda: mine.done or not self._leads, longest):
                raise psycopg.OperationalError("Postgres has been busy with other batches for too long")
            if mine.done:
                return []
            self._leads = True
            return self._next()

    def _next(self) -> list[Waiting[B]]:
        """Those that have waited longest, as many as one transaction takes."""
        group = [self._waiting.popleft()]
        rows = len(group[0].batch)
        while self._waiting and (rows := rows + len(self._waiting[0].batch)) <= MOST_ROWS:
            group.append(self._waiting.popleft())
        return group

    def _give_up(self, why: str) -> None:
        """Who waits behind a lost connection is told at once: one after the other they would wait for minutes."""
        with self._change:
            for one in self._waiting:
                one.error, one.done = psycopg.OperationalError(why), True
            self._waiting.clear()

    def _lead(self, conn: psycopg.Connection, group: Sequence[Waiting[B]], mine: Waiting[B]) -> None:
        """Write a group, and tell each what became of it."""
        for one in group:
            one.error = psycopg.OperationalError("the thread that wrote this batch was stopped")
        try:
            with more_patience(sum(len(one.batch) for one in group if one is not mine)):
                self._write(conn, [one.batch for one in group])
            for one in group:
                one.error = None
        except LOST as error:
            for one in group:
                one.error = error if one is mine else psycopg.OperationalError(str(error))
            if conn.closed:
                self._give_up(str(error))
        except Exception as error:
            if len(group) == 1:
                group[0].error = error
            else:  # one of them is at fault, and must not cost the others anything
                for one in group:
                    self._lead(conn, [one], mine)
        finally:
            for one in group:
                one.done = True
