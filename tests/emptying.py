"""A database that migrations made, and how it is that again after a test that commits: not a row and not a day more.

Django's own flush truncates every table that it knows and makes permissions anew, a quarter of a second for each test;
it leaves partitions, of which each makes the next test slower, and takes away what migrations wrote. Here only tables
that hold something are emptied.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable
from datetime import date, timedelta

from django.db import connection, transaction
from django.test import TransactionTestCase
from django.utils import timezone
from psycopg import Cursor, sql

from lib.partitions import attach, make_partitions
from tests.servers import home
from traffic.ingest.store import clear_known_days

# A table without a page on the disk needs no look: to plan one for each of them takes longer than many a test.
TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
AND pg_relation_size(oid) > 0 ORDER BY relname
"""
# From today. Most rows of tests are in these days, and to make one takes longer than to write a row into it: without
# them that would be three quarters of the database's work.
DAYS_MADE = range(-14, 2)
DAYS = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relispartition AND relkind = 'r'"


def migrated() -> str:
    """The name of the run's database with all tables and nobody in it, of which copies are made.

    Whichever worker asks first makes it, and the others wait for it.
    """
    with (home() / "migrated").open("a+") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        mark.seek(0)
        if name := mark.read():
            return name
        old, test = connection.settings_dict["NAME"], connection.settings_dict["TEST"]
        name, of_worker = f"test_{old}_migrated", test["NAME"]
        test["NAME"] = name
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        today = timezone.now().date()
        with connection.cursor() as own:
            for table in ("traffic_request", "traffic_request_body"):
                make_partitions(own.connection, table, [today + timedelta(days=n) for n in DAYS_MADE])
        connection.creation.destroy_test_db(old, verbosity=0, keepdb=True)
        connection.close_pool()  # type: ignore[attr-defined]  # of the backend for PostgreSQL
        test["NAME"] = of_worker
        mark.write(name)
        return name


class Beginning:
    """The tables as migrations left them; made once they have run, with their rows where they have any."""

    def __init__(self) -> None:
        with connection.cursor() as own:
            cursor: Cursor = own.cursor
            self.days = set(names(cursor, DAYS))
            self.rows = {table: copied(cursor, table) for table in filled(cursor, names(cursor, TABLES))}

    def again(self) -> None:
        """Take away what was committed since, whoever did; rows of before that were changed are put back."""
        with transaction.atomic(), connection.cursor() as own:
            cursor: Cursor = own.cursor
            cursor.execute("SET LOCAL lock_timeout = '10s'")  # who still holds a lock is an error, not a wait for ever
            days = set(names(cursor, DAYS))
            for day in days - self.days:
                cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(day)))
            for day in self.days - days:  # retention was tried
                attach(cursor.connection, day[:-9], date.fromisoformat(day[-8:]))
            changed = [table for table, rows in self.rows.items() if sorted(copied(cursor, table)) != sorted(rows)]
            others = [table for table in names(cursor, TABLES) if table not in self.rows]
            if (some := filled(cursor, others)) or changed:
                self.write(cursor, [*some, *changed])
        clear_known_days()

    def write(self, cursor: Cursor, tables: Iterable[str]) -> None:
        # Neither keys between the tables nor triggers that keep what was decided are asked.
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table in tables:
            cursor.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
            if rows := self.rows.get(table):
                with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
                    copy.write(b"".join(rows))


def names(cursor: Cursor, query: str) -> list[str]:
    return [name for (name,) in cursor.execute(query).fetchall()]


def filled(cursor: Cursor, tables: Iterable[str]) -> list[str]:
    """Those that have a row."""
    one = sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})")
    asked = [one.format(sql.Literal(table), sql.Identifier(table)) for table in tables]
    return [name for (name,) in cursor.execute(sql.SQL(" UNION ALL ").join(asked)).fetchall()] if asked else []


def copied(cursor: Cursor, table: str) -> list[bytes]:
    """Its rows, each a line."""
    with cursor.copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
        return b"".join(bytes(piece) for piece in copy).splitlines(keepends=True)


found: list[Beginning] = []


def instead_of_flush() -> None:
    """To be called once, with the migrated database."""
    found.append(Beginning())
    TransactionTestCase._fixture_teardown = lambda case: begin_again()  # type: ignore[attr-defined]


def begin_again() -> None:
    """For what commits outside of such a test: fixtures of a whole module, and processes."""
    found[-1].again()
