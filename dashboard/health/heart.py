"""A connection that checks whether the database answers, and whether it can write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from django.db import connection

from traffic.ingest.statement_timeout import TimeoutConnection, set_timeout

PATIENCE_S = 1.0
CONNECT_S = 2  # the least that libpq accepts

# Its rows are written to disk and removed by the commit, so nothing has to be vacuumed.
MAKE = "CREATE TEMPORARY TABLE breakeven_try (filler text STORAGE PLAIN) ON COMMIT DELETE ROWS"
FILL = "INSERT INTO breakeven_try SELECT repeat('x', 7500) FROM generate_series(1, 16)"
# This adds a record to the write-ahead log, which the commit waits for.
NOTE = "SELECT pg_logical_emit_message(true, 'breakeven', 'try')"
# Some poolers give each transaction another session, and some roles may not create tables. Then only reading is tested.
UNKNOWABLE = (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege)


class Heart:
    """One connection outside the pool, kept until it fails. Each method raises psycopg.Error within three seconds."""

    def __init__(self) -> None:
        self._conn: psycopg.Connection | None = None
        self._may_write = False

    def ask(self) -> None:
        """Return when the database has answered."""
        with self._connected() as conn:
            conn.execute("SELECT 1")

    def write(self) -> None:
        """Return when the database has written something and committed it."""
        with self._connected() as conn, suppress(*UNKNOWABLE):
            if not self._may_write:
                conn.execute(MAKE)
                self._may_write = True
            with conn.transaction():
                conn.execute(FILL)
                conn.execute(NOTE)

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection]:
        try:
            with set_timeout(PATIENCE_S):
                yield self._conn or self._connect()
        except psycopg.Error:
            self.close()
            raise

    def _connect(self) -> psycopg.Connection:
        params = {**connection.get_connection_params(), "connect_timeout": CONNECT_S}
        self._conn = TimeoutConnection.connect(**params, autocommit=True)
        self._may_write = False
        return self._conn

    def close(self) -> None:
        """The next call connects again."""
        if self._conn is not None:
            with suppress(psycopg.Error):
                self._conn.close()
            self._conn = None
