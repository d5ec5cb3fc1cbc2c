"""Requests costed anew: each by itself at the price that today's book says was in force when it was sent.

A correction of the book does not reach what is stored; this does, one day after the other in batches. A batch is one
transaction: its rows, what they change in the rollups, what each cost before, and how far the run is, land together or
not at all. So a run that was stopped goes on where it was, and one that is over can be taken back to the cent. Requests
on our own leases have no price and stay as they are, and nothing here touches a bill.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from django.utils import timezone

from lib.money import ZERO
from lib.partitions import existing_days, make_partitions
from lib.tokens import TOKEN_CLASSES
from providers.pricing.book import Book, Costed
from traffic.ingest.batch import array
from traffic.ingest.sql import prices
from traffic.ingest.sql.rows import COSTED
from traffic.models import Repricing, SealedDay
from traffic.usage.rebuild import repeated

BATCH = 5_000
CLAIM = timedelta(minutes=2)
MEMORY = "traffic_repriced"
START = uuid.UUID(int=0)

PRICED = "coalesce(cost_reason, '') NOT IN ('leased', 'cached', 'refused')"
COLUMNS = f"id, provider, model, started_at, batch, tier, {', '.join(COSTED)}, {', '.join(TOKEN_CLASSES)}"
NEXT = f"""
SELECT {COLUMNS} FROM traffic_request
WHERE day = %(day)s AND id > %(after)s AND {PRICED}
  AND (%(provider)s = '' OR provider = %(provider)s) AND (%(model)s = '' OR model = %(model)s)
ORDER BY id LIMIT %(limit)s"""
_LOCK = f"""
FROM traffic_request
WHERE day = %(day)s AND id = ANY(%(ids)s) AND {PRICED}
ORDER BY id FOR UPDATE"""  # in the order of ids, in which all writers lock rows
# What ingest may have changed since a row was read: only usage that was unknown comes later, or a lease.
LOCK = f"SELECT id, uncached_input IS NULL {_LOCK}"
LOOK_AGAIN = f"SELECT {COLUMNS} {_LOCK}"

CHECKPOINT = """
UPDATE traffic_repricing SET at_day = %(day)s, at_id = %(id)s, read = read + %(read)s, changed = changed + %(changed)s,
    claimed_until = %(until)s
WHERE id = %(pk)s AND state = %(state)s
  AND (at_day, at_id) IS NOT DISTINCT FROM (%(before_day)s::date, %(before_id)s::uuid)
"""
ADD_UP = """
INSERT INTO traffic_repricedday AS d
    (repricing_id, planned, day, provider, model, requests, before, after, unknown_before, unknown_after)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (repricing_id, planned, day, provider, model) DO UPDATE SET
    requests = d.requests + excluded.requests, before = d.before + excluded.before, after = d.after + excluded.after,
    unknown_before = d.unknown_before + excluded.unknown_before,
    unknown_after = d.unknown_after + excluded.unknown_after
"""
RESTORED = """
UPDATE traffic_repricing SET restored = restored + %(restored)s, kept = kept + %(kept)s, claimed_until = %(until)s
WHERE id = %(pk)s AND state = 'undoing'
"""


class Stopped(Exception):
    """The repricing was cancelled, or another worker has gone further."""


def never() -> bool:
    return False


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

    @property
    def key(self) -> tuple[date, str, str]:
        return self.day, self.provider, self.model

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
    pk: int | None = field(default=None, compare=False)  # of the repricing, where it was stored

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
    tier: str | None
    costed: Costed
    tokens: tuple[int, ...] | None

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> Stored:
        # A row has all classes or none: an answer says its usage or does not.
        classes = None if row[10] is None else row[10:]
        identifier, provider, model, started_at, batch, tier = row[:6]
        return cls(identifier, provider, model, started_at, batch, tier, Costed(*row[6:10]), classes)


Changes = list[tuple[Stored, Costed]]


def add_up(day: date, changes: Changes) -> list[Difference]:
    """What changes come to by model, in its order."""
    by_model: dict[tuple[str, str], Difference] = {}
    for row, costed in changes:
        key = (row.provider, row.model)
        if key not in by_model:
            by_model[key] = Difference(day, *key)
        by_model[key].add(row.costed.cost, costed.cost)
    return [by_model[key] for key in sorted(by_model)]


@dataclass
class Run:
    """One run over the days of a repricing. One that is not stored (no `pk`) or previews writes no request."""

    conn: psycopg.Connection
    repricing: Repricing
    dry_run: bool
    batch: int = BATCH
    repriced: Repriced = field(default_factory=Repriced)
    tell: Callable[[list[Difference]], None] = lambda differences: None

    def work(self, late: Callable[[], bool] = never) -> bool:
        """Go on until it is late or all is done; whether there is more. `tell` hears of each day. Raises Stopped."""
        since, until = self.repricing.since, self.repricing.until
        sealed = set(SealedDay.objects.filter(day__gte=since, day__lt=until).values_list("day", flat=True))
        self.repriced.sealed = sorted(sealed)
        self.book = Book.load(self.conn)
        begun = self.repricing.at_day or since
        for day in sorted(existing_days(self.conn, "traffic_request") - sealed):
            if begun <= day < until and self.reprice(day, late):
                return True
        return False

    def reprice(self, day: date, late: Callable[[], bool]) -> bool:
        """One day, batch by batch in the order of ids; whether it is late and there is more of it."""
        if not self.dry_run:
            make_partitions(self.conn, MEMORY, [day])
        by_day: dict[tuple[date, str, str], Difference] = {}
        at = self.repricing.at_id if self.repricing.at_day == day else None
        after: uuid.UUID | None = at or START
        try:
            while after is not None:
                rows, differences = self.take(day, after)
                self.repriced.read += len(rows)
                for difference in differences:
                    self.repriced.changed += difference.requests
                    merge(by_day, difference)
                after = rows[-1].id if len(rows) == self.batch else None
                if after is not None and late():
                    return True
        finally:
            days = [by_day[key] for key in sorted(by_day)]
            self.repriced.differences += days
        self.tell(days)
        return False

    def take(self, day: date, after: uuid.UUID) -> tuple[list[Stored], list[Difference]]:
        """The rows after an id and what changed among them; a race lost against ingest repeats the batch, as there."""
        return repeated(lambda: self.take_once(day, after))

    def take_once(self, day: date, after: uuid.UUID) -> tuple[list[Stored], list[Difference]]:
        with self.conn.transaction():
            # A fresh partition has no statistics: without this the planner sorts or hashes it whole for every batch.
            self.conn.execute("SET LOCAL enable_seqscan = off")
            where = {"provider": self.repricing.provider, "model": self.repricing.model}
            rows = self.read(NEXT, {"day": day, "after": after, "limit": self.batch, **where})
            changes = list(changed(rows, self.book))
            if changes and not self.dry_run:
                changes = self.lock(day, changes)
                write(self.conn, prices.REPRICE, day, self.repricing.pk, changes)
            differences = add_up(day, changes)
            at = (day, rows[-1].id) if rows else (self.repricing.at_day, self.repricing.at_id)
            if self.repricing.pk is not None:
                self.checkpoint(at, len(rows), differences)
        self.repricing.at_day, self.repricing.at_id = at
        return rows, differences

    def lock(self, day: date, changes: Changes) -> Changes:
        """Lock the rows that change; read them again where ingest changed them meanwhile."""
        arguments = {"day": day, "ids": array(row.id.hex for row, _ in changes)}
        locked = self.conn.execute(LOCK, arguments).fetchall()
        if locked == [(row.id, row.tokens is None) for row, _ in changes]:
            return changes
        return list(changed(self.read(LOOK_AGAIN, arguments), self.book))

    def checkpoint(self, at: tuple[date | None, uuid.UUID | None], read: int, differences: list[Difference]) -> None:
        """Store how far the run is and what it changed, in the batch's own transaction."""
        own = self.repricing
        arguments = {
            "pk": own.pk, "state": own.state, "day": at[0], "id": at[1], "before_day": own.at_day,
            "before_id": own.at_id, "read": read, "changed": sum(difference.requests for difference in differences),
            "until": timezone.now() + CLAIM,
        }  # fmt: skip
        if self.conn.execute(CHECKPOINT, arguments).rowcount != 1:
            raise Stopped
        if differences:
            rows = [
                (own.pk, self.dry_run, *change.key, change.requests, change.before, change.after,
                 change.unknown_before, change.unknown_after)
                for change in differences
            ]  # fmt: skip
            self.conn.cursor().executemany(ADD_UP, rows)

    def read(self, statement: str, arguments: dict[str, Any]) -> list[Stored]:
        # In binary, for Django's connections read each time that comes as text with a regular expression.
        with psycopg.Cursor(self.conn) as cursor:
            return [Stored.of_row(row) for row in cursor.execute(statement, arguments, binary=True).fetchall()]


def merge(by_day: dict[tuple[date, str, str], Difference], difference: Difference) -> None:
    total = by_day.setdefault(difference.key, Difference(*difference.key))
    for name in ("requests", "before", "after", "unknown_before", "unknown_after"):
        setattr(total, name, getattr(total, name) + getattr(difference, name))


def changed(rows: Iterable[Stored], book: Book) -> Iterator[tuple[Stored, Costed]]:
    """Those that cost something else now, or at another version of the price."""
    for row in rows:
        costed = book.cost(
            provider=row.provider,
            model=row.model,
            when=row.started_at,
            tokens=row.tokens,
            batch=row.batch,
            tier=row.tier,
        )
        if costed != row.costed:
            yield row, costed


def write(conn: psycopg.Connection, statement: str, day: date, repricing: int, changes: Changes) -> None:
    arguments = {
        "day": day,
        "repricing": repricing,
        "ids": array(row.id.hex for row, _ in changes),
        "costs": array(costed.cost for _, costed in changes),
        "reasons": array(costed.reason for _, costed in changes),
        "prices": array(costed.price_id for _, costed in changes),
        "discounts": array(costed.discount_id for _, costed in changes),
    }
    (written,) = conn.execute(statement, arguments).fetchone() or (0,)
    assert written == len(changes), "the rows are locked"


# --- taking back ---


def take_back(
    conn: psycopg.Connection, repricing: Repricing, late: Callable[[], bool] = never, batch: int = BATCH
) -> bool:
    """Give every request that still costs what the repricing gave it the cost it had before; whether there is more.

    What costs something else by now, because usage came or another repricing followed, stays. Raises Stopped.
    """
    for day in sorted(existing_days(conn, MEMORY)):
        if not repricing.since <= day < repricing.until:
            continue
        after: uuid.UUID | None = START
        while after is not None:
            after = repeated(lambda day=day, after=after: restore_some(conn, repricing, day, after, batch))  # type: ignore[misc]
            if after is not None and late():
                return True
    return False


def restore_some(
    conn: psycopg.Connection, repricing: Repricing, day: date, after: uuid.UUID, limit: int
) -> uuid.UUID | None:
    """The batch after an id, with its rollups, in one transaction; the last of it, None if there was none."""
    with conn.transaction():
        conn.execute("SET LOCAL enable_seqscan = off")  # as above
        batch_arguments: dict[str, Any] = {"day": day, "repricing": repricing.pk, "after": after, "limit": limit}
        rows = conn.execute(prices.FORGET, batch_arguments).fetchall()
        back = [row for row in rows if row[5] is not None]
        row_arguments = {
            "day": day,
            "ids": array(row[0].hex for row in back),
            **{
                name: array(row[at] for row in back)
                for at, name in enumerate(("costs", "reasons", "prices", "discounts"), 1)
            },
        }
        (restored,) = conn.execute(prices.RESTORE, row_arguments).fetchone() or (0,) if back else (0,)
        assert restored == len(back), "the rows are locked"
        counted = {"restored": restored, "kept": len(rows) - restored}
        progress = {"pk": repricing.pk, "until": timezone.now() + CLAIM, **counted}
        if conn.execute(RESTORED, progress).rowcount != 1:
            raise Stopped
    return rows[-1][0] if rows else None
