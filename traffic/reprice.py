"""Requests costed anew: each by itself at the price that today's book says was in force when it was sent.

A correction of the book does not reach what is stored; this does, one day after the other in batches. A batch is one
transaction: its rows and what they change in the rollups land together or not at all. Rows that cost what they cost
before are only read, so that a run which was stopped goes on where it was when it is started again. Requests on our own
leases have no price and stay as they are, and nothing here touches a bill.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from psycopg import errors

from providers.partitions import existing_days
from providers.pricing import Book, Costed
from traffic.ingest import sql
from traffic.ingest.store import ATTEMPTS
from traffic.models import Request, SealedDay
from traffic.services import raw_connection

BATCH = 5_000
ZERO = Decimal(0)
CLASSES = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
START = uuid.UUID(int=0)

COLUMNS = f"id, provider, model, started_at, batch, cost, cost_reason, price_id, {', '.join(CLASSES)}"
NEXT = f"""
SELECT {COLUMNS} FROM traffic_request
WHERE day = %(day)s AND id > %(after)s AND cost_reason IS DISTINCT FROM 'leased'
ORDER BY id LIMIT %(limit)s"""
# In the order of ids, in which all writers lock rows.
LOCK = f"""
SELECT {COLUMNS} FROM traffic_request
WHERE day = %(day)s AND id = ANY(%(ids)s) AND cost_reason IS DISTINCT FROM 'leased'
ORDER BY id FOR UPDATE"""


@dataclass(slots=True)
class Difference:
    """What a day's requests to one model cost before and after, of those that changed; USD, unknown counted apart."""

    day: date
    provider: str
    model: str
    requests: int = 0
    before: Decimal = ZERO
    after: Decimal = ZERO
    unknown_before: int = 0
    unknown_after: int = 0

    @property
    def amount(self) -> Decimal:
        return self.after - self.before

    def add(self, before: Decimal | None, after: Decimal | None) -> None:
        self.requests += 1
        self.before += before or ZERO
        self.after += after or ZERO
        self.unknown_before += before is None
        self.unknown_after += after is None


@dataclass(slots=True)
class Repriced:
    """What a run looked at and changed; `differences` in order of day, provider and model."""

    sealed: list[date] = field(default_factory=list)  # left alone: their requests are gone
    read: int = 0
    changed: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def amount(self) -> Decimal:
        return sum((difference.amount for difference in self.differences), ZERO)


@dataclass(frozen=True, slots=True)
class Stored:
    """A request as far as its cost depends on it."""

    id: uuid.UUID
    provider: str
    model: str
    started_at: datetime
    batch: bool
    costed: Costed
    tokens: tuple[int, ...] | None

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> Stored:
        identifier, provider, model, started_at, batch, cost, reason, price_id, *tokens = row
        # A row has all classes or none: an answer says its usage or does not.
        classes = None if tokens[0] is None else tuple(tokens)
        return cls(identifier, provider, model, started_at, batch, Costed(cost, reason, price_id), classes)


Changes = list[tuple[Stored, Costed]]


def reprice(
    *,
    since: date,
    until: date,
    dry_run: bool = False,
    person: int | None = None,
    why: str = "",
    batch: int = BATCH,
    tell: Callable[[list[Difference]], None] = lambda differences: None,
) -> Repriced:
    """Cost the requests of the UTC days from `since` to the day before `until` anew; `tell` hears of each day's end.

    `person` is the id of the user who asked, for the audit log; without one nobody in particular did. A dry run writes
    nothing and says what a run would. What was done stays done when it is stopped.
    """
    found = Repriced()
    sealed = set(SealedDay.objects.filter(day__gte=since, day__lt=until).values_list("day", flat=True))
    found.sealed = sorted(sealed)
    with raw_connection() as conn:
        run = Run(conn, Book.load(conn), batch, dry_run, found)
        days = [day for day in existing_days(conn, "traffic_request") - sealed if since <= day < until]
        try:
            for day in sorted(days):
                tell(run.reprice(day))
        finally:
            if found.changed and person is not None and not dry_run:
                remember(person, found, since, until, why)
    return found


@dataclass
class Run:
    """One run over several days."""

    conn: psycopg.Connection
    book: Book
    batch: int
    dry_run: bool
    found: Repriced

    def reprice(self, day: date) -> list[Difference]:
        """One day, batch by batch in the order of ids."""
        differences: dict[tuple[str, str], Difference] = {}
        after: uuid.UUID | None = START
        try:
            while after is not None:
                rows, changes = self.take(day, after)
                self.found.read += len(rows)
                self.found.changed += len(changes)
                for row, costed in changes:
                    key = (row.provider, row.model)
                    differences.setdefault(key, Difference(day, *key)).add(row.costed.cost, costed.cost)
                after = rows[-1].id if len(rows) == self.batch else None
        finally:
            told = [differences[key] for key in sorted(differences)]
            self.found.differences += told
        return told

    def take(self, day: date, after: uuid.UUID) -> tuple[list[Stored], Changes]:
        """The rows after an id and what changed among them; a race lost against ingest repeats the batch, as there."""
        for _ in range(ATTEMPTS - 1):
            try:
                return self.take_once(day, after)
            except (errors.DeadlockDetected, errors.SerializationFailure):
                continue
        return self.take_once(day, after)

    def take_once(self, day: date, after: uuid.UUID) -> tuple[list[Stored], Changes]:
        with self.conn.transaction():
            # A fresh partition has no statistics: without this the planner sorts or hashes it whole for every batch.
            self.conn.execute("SET LOCAL enable_seqscan = off")
            rows = self.read(NEXT, {"day": day, "after": after, "limit": self.batch})
            changes = list(changed(rows, self.book))
            if changes and not self.dry_run:
                # Only these are locked, and looked at again: a twin may have brought usage meanwhile.
                locked = self.read(LOCK, {"day": day, "ids": [row.id for row, _ in changes]})
                changes = list(changed(locked, self.book))
                write(self.conn, day, changes)
        return rows, changes

    def read(self, statement: str, given: dict[str, Any]) -> list[Stored]:
        return [Stored.of_row(row) for row in self.conn.execute(statement, given).fetchall()]


def changed(rows: Iterable[Stored], book: Book) -> Iterator[tuple[Stored, Costed]]:
    """Those that cost something else now, or at another version of the price."""
    for row in rows:
        costed = book.cost(
            provider=row.provider, model=row.model, when=row.started_at, tokens=row.tokens, batch=row.batch
        )
        if costed != row.costed:
            yield row, costed


def write(conn: psycopg.Connection, day: date, changes: Changes) -> None:
    given = {
        "day": day,
        "ids": [row.id for row, _ in changes],
        "costs": [costed.cost for _, costed in changes],
        "reasons": [costed.reason for _, costed in changes],
        "prices": [costed.price_id for _, costed in changes],
    }
    (written,) = conn.execute(sql.REPRICE, given).fetchone() or (0,)
    assert written == len(changes), "the rows are locked"


def remember(person: int, found: Repriced, since: date, until: date, why: str) -> None:
    """Who did it and why, with what it came to; also of a run that was stopped half way."""
    LogEntry.objects.create(
        user_id=person,
        content_type=ContentType.objects.get_for_model(Request),
        object_id=f"{since}/{until}",
        object_repr=f"Requests from {since} to the day before {until}",
        action_flag=CHANGE,
        change_message=f"Repriced {found.changed} requests by {found.amount:+f} USD. {why}".strip(),
    )
