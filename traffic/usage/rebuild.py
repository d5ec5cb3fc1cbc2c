"""Rollups made again from the raw rows, day by day, while ingest goes on and without making it wait.

Ingest changes rows and rollups in one transaction, by the same amount. What a rollup is short of is therefore the same
before and after any batch: it is read in one snapshot and added later, whatever has landed in between. No lock is held
against writers, nothing is lost or counted twice, and rows that are right are not written at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from lib.dates import midnight
from lib.partitions import existing_days
from traffic.ingest.sql import rollups

REBUILD_LOCK = 7_203_011  # advisory; two rebuilds at once would add the same difference twice
T = TypeVar("T")
ATTEMPTS = 8  # ingest may need the same rows in another order
TEMPORARY = "traffic_rebuild"


class Busy(RuntimeError):
    """Another rebuild is running."""


@dataclass(frozen=True)
class Rebuilt:
    """What became of one day: `mended` rollup rows; `left` says why the day was left as it is, else empty."""

    day: date
    mended: int = 0
    left: str = ""


@dataclass(frozen=True)
class Rollup:
    """One rollup table: its key, its sums, and the SELECT that makes it from requests."""

    table: str
    period: str
    key: tuple[str, ...]
    sums: tuple[str, ...]  # the first of them counts what the row is made from
    select: Callable[..., str]

    @classmethod
    def all(cls) -> Iterator[Rollup]:
        for name in rollups.ROLLUPS:
            yield from cls.of(name)

    @classmethod
    def of(cls, name: str) -> Iterator[Rollup]:
        own, sums, select = rollups.ROLLUPS[name]
        for period in rollups.PERIODS:
            yield cls(f"traffic_{name}_{period}", period, (period, *rollups.KEY, *own), sums, select)

    def right(self, source: str) -> str:
        """SELECT of what the table should hold for the requests of `source`."""
        return self.select(source, self.period)

    @property
    def sweep(self) -> str:
        """DELETE of the rows of a day that add up to nothing; takes `bounds`."""
        return rollups.sweep(self.table, self.period, self.key, self.sums[0])


def rebuild(conn: psycopg.Connection, first: date | None = None, last: date | None = None) -> Iterator[Rebuilt]:
    """Make the rollups of the days from `first` to `last`, both included, again; yields each when it is committed.

    `conn` must not be inside a transaction. Raises Busy while another rebuild is at work.
    """
    with alone(conn):
        rows = existing_days(conn, "traffic_request")
        for day in sorted(rows | summed_days(conn)):
            if (first is None or first <= day) and (last is None or day <= last):
                yield rebuild_day(conn, day, rows)


@contextmanager
def alone(conn: psycopg.Connection) -> Iterator[None]:
    (got,) = conn.execute("SELECT pg_try_advisory_lock(%s)", [REBUILD_LOCK]).fetchone() or (False,)
    if not got:
        raise Busy("Another rebuild is running.")
    try:
        yield
    finally:
        conn.execute("SELECT pg_advisory_unlock(%s)", [REBUILD_LOCK])


def summed_days(conn: psycopg.Connection) -> set[date]:
    """Days that have rollups."""
    return {day for (day,) in conn.execute("SELECT DISTINCT day FROM traffic_usage_day").fetchall()}


def rebuild_day(conn: psycopg.Connection, day: date, rows: set[date]) -> Rebuilt:
    """Mend the rollups of a day; `rows` are the days whose requests are there."""
    if is_sealed(conn, day):
        return Rebuilt(day, left="sealed")
    if day not in rows:
        return Rebuilt(day, left="its requests are gone, and it was never sealed")
    mended = 0
    for rollup in Rollup.all():
        if not find_differences(conn, rollup, day):
            return Rebuilt(day, mended, "sealed")  # retention came by in this moment
        mended += add_differences(conn, rollup)
    return Rebuilt(day, mended)


def is_sealed(conn: psycopg.Connection, day: date) -> bool:
    return conn.execute("SELECT 1 FROM traffic_sealedday WHERE day = %s", [day]).fetchone() is not None


def find_differences(conn: psycopg.Connection, rollup: Rollup, day: date) -> bool:
    """Write what each row of the rollup is short of into a temporary table; False where the day was sealed."""
    columns = ", ".join((*rollup.key, *rollup.sums))
    conn.execute(f"DROP TABLE IF EXISTS pg_temp.{TEMPORARY}")
    conn.execute(f"CREATE TEMP TABLE {TEMPORARY} AS SELECT {columns} FROM {rollup.table} WITH NO DATA")
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        # Retention cannot drop the day from here on; the snapshot begins after this.
        conn.execute("LOCK TABLE ONLY traffic_request IN ACCESS SHARE MODE")
        if is_sealed(conn, day):
            return False
        conn.execute(f"INSERT INTO {TEMPORARY} ({columns}) {differences_of(rollup)}", bounds(rollup.period, day))
    return True


def differences_of(rollup: Rollup) -> str:
    """SELECT of right minus stored by key, where that is not nothing; both are read in one snapshot."""
    key = ", ".join(rollup.key)
    # Every query on requests names its days; that a row's day is the one it started on is not taken for granted.
    requests = (
        "(SELECT * FROM traffic_request WHERE day >= %(before)s AND day <= %(after)s"
        " AND started_at >= %(start)s AND started_at < %(end)s) AS r"
    )
    return f"""
        SELECT {key}, {", ".join(f"sum({name})" for name in rollup.sums)}
        FROM (
            SELECT * FROM ({rollup.right(requests)}) AS fresh
            UNION ALL
            SELECT {key}, {", ".join(f"-{name}" for name in rollup.sums)}
            FROM {rollup.table} WHERE {rollup.period} >= %(first)s AND {rollup.period} < %(next)s
        ) AS both_sides
        GROUP BY {key} HAVING {" OR ".join(f"sum({name}) <> 0" for name in rollup.sums)}
    """


def bounds(period: str, day: date) -> dict[str, Any]:
    start, after = midnight(day), day + timedelta(days=1)
    end = start + timedelta(days=1)
    first, following = (start, end) if period == "hour" else (day, after)
    return {
        "before": day - timedelta(days=1), "after": after, "start": start, "end": end,
        "first": first, "next": following,
    }  # fmt: skip


def add_differences(conn: psycopg.Connection, rollup: Rollup) -> int:
    """Add what was found, in the order that ingest locks in; returns how many rows were changed."""
    key, columns = ", ".join(rollup.key), ", ".join((*rollup.key, *rollup.sums))
    added = ", ".join(f"{name} = u.{name} + excluded.{name}" for name in rollup.sums)
    statement = (
        f"INSERT INTO {rollup.table} AS u ({columns}) SELECT {columns} FROM {TEMPORARY} ORDER BY {key}"
        f" ON CONFLICT ({key}) DO UPDATE SET {added}"
    )
    return repeated(lambda: conn.execute(statement).rowcount)


def repeated(step: Callable[[], T]) -> T:
    """Run a step again where ingest deadlocks with it or changes its rows, as often as ingest itself tries."""
    for _ in range(ATTEMPTS - 1):
        try:
            return step()
        except (errors.DeadlockDetected, errors.SerializationFailure):
            continue  # nothing of it was written
    return step()
