"""What the simulated vendors know: rows by vendor and table, in memory, written through to SQLite where wanted."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

Row = dict[str, Any]
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class State:
    """`tables[vendor, table][key]` is a row. Without a path nothing outlives the process."""

    def __init__(self, path: Path | None = None, clock: Clock = utc_now) -> None:
        self.now = clock
        self.tables: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
        self.changes: dict[tuple[str, str], int] = defaultdict(int)  # for whoever keeps something made from a table
        self._db: sqlite3.Connection | None = None
        if path is not None:
            self._open(path)

    def _open(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS rows"
            " (vendor TEXT, kind TEXT, key TEXT, row TEXT, PRIMARY KEY (vendor, kind, key))"
        )
        for vendor, table, key, row in self._db.execute("SELECT vendor, kind, key, row FROM rows"):
            self.tables[vendor, table][key] = orjson.loads(row)

    def table(self, vendor: str, table: str) -> dict[str, Row]:
        return self.tables[vendor, table]

    def put(self, vendor: str, table: str, rows: Mapping[str, Row]) -> None:
        self.tables[vendor, table].update(rows)
        self.changes[vendor, table] += 1
        if self._db is not None:
            lines = [(vendor, table, key, orjson.dumps(row).decode()) for key, row in rows.items()]
            with self._db:
                self._db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)", lines)

    def clear(self, vendor: str, table: str) -> None:
        self.tables[vendor, table].clear()
        self.changes[vendor, table] += 1
        if self._db is not None:
            with self._db:
                self._db.execute("DELETE FROM rows WHERE vendor = ? AND kind = ?", (vendor, table))

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


def moment(text: str) -> datetime:
    """RFC 3339 to UTC; what has no zone is taken for UTC, as it is our own generator that sends it."""
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
