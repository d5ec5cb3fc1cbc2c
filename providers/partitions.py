"""Daily partitions of the big tables: made by ATTACH, which blocks nobody, and dropped whole by retention."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import psycopg
from psycopg import sql

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
    """Create one day's table beside the parent, then attach it; the CHECK spares the scan under the lock."""
    parent, child = sql.Identifier(table), sql.Identifier(partition_name(table, day))
    low, high = sql.Literal(day), sql.Literal(day + timedelta(days=1))
    conn.execute(
        sql.SQL(
            "CREATE TABLE {child} (LIKE {parent} INCLUDING DEFAULTS INCLUDING STORAGE,"
            " CONSTRAINT in_day CHECK (day >= {low} AND day < {high}))"
        ).format(child=child, parent=parent, low=low, high=high)
    )
    conn.execute(
        sql.SQL("ALTER TABLE {parent} ATTACH PARTITION {child} FOR VALUES FROM ({low}) TO ({high})").format(
            child=child, parent=parent, low=low, high=high
        )
    )
    conn.execute(sql.SQL("ALTER TABLE {child} DROP CONSTRAINT in_day").format(child=child))


def drop_partition(conn: psycopg.Connection, table: str, day: date) -> None:
    """Drop one day; the caller has sealed what must outlive it."""
    conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(partition_name(table, day))))
