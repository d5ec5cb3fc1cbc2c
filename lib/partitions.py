"""Daily partitions of the big tables: made by ATTACH, which blocks nobody, and dropped whole by retention.

The application's role owns no table and can neither make nor drop one: two functions of the owner do it, which check
what they are asked for (migration `providers.0021_partition_functions`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import psycopg

PARTITION_LOCK = 7_203_001  # advisory; two makers of one partition would fail with "already exists"


def partition_name(table: str, day: date) -> str:
    return f"{table}_{day:%Y%m%d}"


def make_partitions(conn: psycopg.Connection, table: str, days: Iterable[date]) -> int:
    """Make the partitions of `table` that are missing among `days`; returns how many. Commits each by itself."""
    wanted = set(days) - existing_days(conn, table)
    for day in sorted(wanted):
        with conn.transaction():
            conn.execute("SELECT pg_advisory_xact_lock(%s)", [PARTITION_LOCK])
            if day not in existing_days(conn, table):
                attach(conn, table, day)
    return len(wanted)


def existing_days(conn: psycopg.Connection, table: str) -> set[date]:
    """Days for which `table` has a partition, by the partitions' names."""
    names = conn.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass",
        [table],
    )
    return {date.fromisoformat(name[-8:]) for (name,) in names.fetchall()}


def attach(conn: psycopg.Connection, table: str, day: date) -> None:
    """Create one day's table beside the parent, then attach it; a function of the tables' owner does it."""
    conn.execute("SELECT breakeven_attach_day(%s, %s)", [table, day])


def drop_partition(conn: psycopg.Connection, table: str, day: date) -> None:
    """Drop one day; the caller has sealed what must outlive it."""
    conn.execute("SELECT breakeven_drop_day(%s, %s)", [table, day])
