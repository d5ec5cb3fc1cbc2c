"""Timeouts of statements that the client keeps, for a server that is frozen or behind a firewall that drops packets.

Its kernel still acknowledges what we send, so TCP's timeouts do not end the wait, and Postgres' own `statement_timeout`
is kept by the server that is frozen. An exporter that waits ten seconds drops its batch; one that reads 503 keeps it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import psycopg

INTAKE_S = 4.0  # a batch of 512 takes 20 ms
PAGE_S = 25.0
ROWS_A_SECOND = 1_000  # what a large batch may take longer, on the slowest machine that we would run on

_limit: ContextVar[float | None] = ContextVar("statement_timeout", default=None)


@contextmanager
def set_timeout(seconds: float) -> Iterator[None]:
    """Within the block, close the connection of a statement that is not answered in so many seconds."""
    token = _limit.set(seconds)
    try:
        yield
    finally:
        _limit.reset(token)


def timeout_limit() -> float | None:
    """Seconds that a statement may take in this context; None without a limit."""
    return _limit.get()


def seconds_for(rows: int) -> float:
    """Seconds that a statement over so many rows may take beyond the limit."""
    return rows / ROWS_A_SECOND


@contextmanager
def extend_timeout(rows: int) -> Iterator[None]:
    """Within the block, extend the timeout by what so many rows may take; no limit stays no limit."""
    limit = _limit.get()
    token = _limit.set(None if limit is None else limit + seconds_for(rows))
    try:
        yield
    finally:
        _limit.reset(token)


class TimeoutConnection(psycopg.Connection[Any]):
    """Raises OperationalError and closes itself when an answer takes longer than `set_timeout` allows."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        limit = _limit.get()
        if limit is None or timeout is not None:
            return super().wait(gen, interval, timeout)
        started = time.monotonic()
        try:
            return super().wait(gen, interval, limit)
        except psycopg.OperationalError:
            if time.monotonic() - started < limit:
                raise
            self.close()  # it is in the middle of a statement, whose answer nobody would read
            raise psycopg.OperationalError(f"Postgres has not answered for {limit:.0f} seconds") from None
