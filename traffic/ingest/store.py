"""The one transaction that every request passes through: rows and rollups land together, once, or not at all.

Plain psycopg, so that the gateway runs it without Django. The steps: twins inside the batch are merged; the rest is
copied into a staging table; response ids that are known already take over the id of the row they belong to; one
statement inserts the rows, fills what was unknown in rows that were there, and adds new minus old to the rollups. All
upserts go in key order, so that concurrent writers cannot deadlock.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
import psycopg
from psycopg import errors

from providers.partitions import make_partitions
from providers.pricing import LEASED, Book, Costed, stamp_of
from traffic.ingest import sql
from traffic.ingest.ids import erased_mark, neighbour_day, request_id, response_hash, user_hash
from traffic.ingest.rows import RequestRow
from traffic.ingest.tiers import is_batch, tier_of
from traffic.redaction import EVERYTHING, Redaction, redaction_of

ATTEMPTS = 8  # a lost race for a response id repeats the batch
LINKS = "traffic_span_link"
TABLES = ("traffic_request", "traffic_request_body", LINKS)
# What a caller writes in the same transaction; it is told how many rows are new. What it raises undoes the batch.
Also = Callable[[psycopg.Connection, int], None]


@dataclass(slots=True)
class Staged:
    """A row with its identity and cost, ready to be copied."""

    row: RequestRow
    id: uuid.UUID
    day: date
    alt_day: date | None
    response_hash: uuid.UUID | None
    user_hash: uuid.UUID | None
    costed: Costed
    redaction: Redaction
    links: list[tuple[date, uuid.UUID, uuid.UUID]] = field(default_factory=list)  # day, child, parent


@dataclass(slots=True)
class IngestResult:
    """What became of a batch; `ids` holds the id of each row sent, in order."""

    accepted: int = 0
    duplicates: int = 0
    ids: list[uuid.UUID] = field(default_factory=list)


@dataclass
class Installation:
    """What rows are judged by: the salt of ids, the price book, deployments on our own leases and those known."""

    salt: bytes
    book: Book
    leased: frozenset[int]
    redactions: dict[int, Redaction] = field(default_factory=dict)  # by application
    erased_applications: frozenset[int] = frozenset()
    erased_users: dict[uuid.UUID, datetime] = field(default_factory=dict)  # by mark: when

    @classmethod
    def load(cls, conn: psycopg.Connection, before: Installation | None = None) -> Installation:
        """Read it; prices only if the book has changed since `before`, for its rows are never edited."""
        conn.execute(sql.MAKE_SALT, [secrets.token_bytes(32)])
        (salt,) = conn.execute("SELECT salt FROM traffic_installation WHERE id = 1").fetchone() or (b"",)
        leased = conn.execute(sql.LEASED_DEPLOYMENTS).fetchall()
        book = before.book if before is not None and before.book.stamp == stamp_of(conn) else Book.load(conn)
        kept = conn.execute("SELECT id, redact, redact_patterns FROM traffic_application").fetchall()
        redactions = {id: redaction_of(tuple(kinds), tuple(patterns)) for id, kinds, patterns in kept}
        erased = conn.execute("SELECT application_id, mark, created_at FROM traffic_erasure").fetchall()
        return cls(
            bytes(salt),
            book,
            frozenset(row[0] for row in leased),
            redactions,
            frozenset(id for id, _mark, _at in erased if id is not None),
            {mark: at for _id, mark, at in sorted(erased, key=lambda one: one[2]) if mark is not None},
        )

    def stage(self, row: RequestRow) -> Staged:
        day = row.started_at.astimezone(UTC).date()
        redaction = self.redactions.get(row.application_id or 0, EVERYTHING)
        if not row.clean:
            row.prompt, row.answer = redaction.prompt(row.prompt), redaction.optional(row.answer)
            row.error_type = redaction.optional(row.error_type)
        row.tier = row.tier or tier_of(row.raw)
        row.batch = row.batch or is_batch(row.raw)
        staged = Staged(
            row=row,
            id=self.id_of(row, row.external_id, day),
            day=day,
            alt_day=neighbour_day(row.started_at),
            response_hash=response_hash(self.salt, row.response_id),
            user_hash=row.user_hash or user_hash(self.salt, row.user),
            redaction=redaction,
            costed=self.cost(row),
            links=[(day, self.id_of(row, child, day), self.id_of(row, parent, day)) for child, parent in row.links],
        )
        if self.erased_applications or self.erased_users:
            self.strip(staged)
        return staged

    def strip(self, item: Staged) -> None:
        """A row of an application or a user whose data was deleted keeps its figures alone; see `traffic.erase`.

        A user's requests after the deletion are new ones, and kept.
        """
        row = item.row
        before = None
        if item.user_hash is not None and self.erased_users:
            before = self.erased_users.get(erased_mark(self.salt, item.user_hash))
        gone = row.application_id in self.erased_applications
        if gone or (before is not None and row.started_at <= before):
            row.application_id = None if gone else row.application_id
            row.external_id, item.user_hash, item.links = "", None, []
            row.user = row.response_id = row.error_type = row.raw = row.prompt = row.answer = None

    def id_of(self, row: RequestRow, external_id: str, day: date) -> uuid.UUID:
        """The id that a call of the same application has on that day."""
        return request_id(self.salt, row.application_id, external_id, day)

    def cost(self, row: RequestRow) -> Costed:
        if row.deployment_id in self.leased:
            return LEASED
        tokens = row.tokens
        classes = tokens and (
            tokens.uncached_input,
            tokens.cache_read,
            tokens.cache_write_5m,
            tokens.cache_write_1h,
            tokens.output,
        )
        return self.book.cost(
            provider=row.provider,
            model=row.model,
            when=row.started_at,
            tokens=classes or None,
            batch=row.batch,
            tier=row.tier,
        )


def ingest(
    conn: psycopg.Connection, rows: Sequence[RequestRow], installation: Installation, also: Also | None = None
) -> IngestResult:
    """Write a batch; when this returns it is committed. `conn` must not be inside a transaction.

    What the rows add is counted for the key of the first: whoever has rows of several keys sends a batch for each.

    Raises psycopg.OperationalError when the database is away; then nothing of the batch was written.
    """
    staged = [installation.stage(row) for row in rows]
    merged = merge_twins(staged)
    make_days_of(conn, merged)
    for _ in range(ATTEMPTS - 1):
        try:
            accepted = write(conn, merged, also)
            break
        except (errors.UniqueViolation, errors.DeadlockDetected, errors.SerializationFailure):
            continue  # another writer was first with one of our response ids; now it can be seen
    else:
        accepted = write(conn, merged, also)
    accepted -= join(conn, merged)
    return IngestResult(accepted, len(rows) - accepted, [item.id for item in staged])


def merge_twins(staged: Iterable[Staged]) -> list[Staged]:
    """One item for each id, what the first left unknown filled from its twins; in the order that all writers lock."""
    by_id: dict[uuid.UUID, Staged] = {}
    for item in staged:
        twin = by_id.setdefault(item.id, item)
        if twin is not item:
            fill(twin, item)
    # Ids lead with the day, so this is (day, id).
    return sorted(by_id.values(), key=lambda item: item.id.int)


FILLED = ("http_status", "error_type", "latency_ms", "ttft_ms", "user", "route", "raw", "prompt", "answer",
          "reported_cost")  # fmt: skip


def fill(twin: Staged, item: Staged) -> None:
    """Give `twin` what only `item` knows; the same rules as the statement that fills stored rows."""
    row, other = twin.row, item.row
    for name in FILLED:
        if getattr(row, name) is None:
            setattr(row, name, getattr(other, name))
    twin.user_hash = twin.user_hash or item.user_hash
    twin.links += item.links
    if twin.response_hash is None:
        twin.response_hash, row.response_id = item.response_hash, other.response_id
    if row.tokens is None and other.tokens is not None:
        row.tokens = other.tokens
        if twin.costed is not LEASED:
            untold = row.tier is not None and other.tier != row.tier and item.costed.cost is not None
            twin.costed = replace(item.costed, cost=None, reason="unknown_rate") if untold else item.costed
    elif row.tier is None and other.tier is not None and other.tokens is not None and twin.costed is not LEASED:
        twin.costed = item.costed
    row.tier = row.tier or other.tier
    if row.task == "other":
        row.task = other.task
    row.streamed = row.streamed or other.streamed
    if row.application_id is None:
        row.application_id = other.application_id
    if row.deployment_id is None and other.deployment_id is not None:
        row.deployment_id = other.deployment_id
        if item.costed is LEASED:
            row.provider, row.model, twin.costed = other.provider, other.model, LEASED


# Partitions that this process has seen; none is made twice, and dropping one ends with a restart or below.
_known_days: set[tuple[str, date]] = set()


def make_days_of(conn: psycopg.Connection, staged: Sequence[Staged]) -> None:
    """Make the partitions that a batch needs and that are not there yet."""
    days = {item.day for item in staged}
    for table in ("traffic_request", "traffic_request_body"):
        make_days(conn, table, days)
    make_days(conn, LINKS, {day for item in staged for day, _child, _parent in item.links})


def make_days(conn: psycopg.Connection, table: str, days: set[date]) -> None:
    missing = {day for day in days if (table, day) not in _known_days}
    if missing:
        make_partitions(conn, table, missing)
        _known_days.update((table, day) for day in missing)


def forget_days() -> None:
    """Look again which partitions exist; retention may have dropped some."""
    _known_days.clear()


def write(conn: psycopg.Connection, staged: Sequence[Staged], also: Also | None = None) -> int:
    """One transaction over the whole batch; returns how many rows are new."""
    if not staged:
        if also is not None:
            with conn.transaction():
                also(conn, 0)
        return 0
    try:
        with conn.transaction():
            conn.execute("SET LOCAL synchronous_commit = on")
            conn.execute(sql.MAKE_STAGE)
            copy(conn, staged)
            added = write_rows(conn, staged)
            count_use(conn, staged[0].row.key_id, added)
            write_bodies(conn, staged)
            write_links(conn, staged)
            if also is not None:
                also(conn, added.rows)
    except errors.CheckViolation:
        forget_days()  # "no partition of relation found": retention dropped the day under us
        make_days_of(conn, staged)
        raise errors.SerializationFailure("a partition was missing; the batch is repeated") from None
    return added.rows


def copy(conn: psycopg.Connection, staged: Sequence[Staged]) -> None:
    received = datetime.now(UTC).isoformat()
    lines = [line(number, item, received) for number, item in enumerate(staged)]
    with conn.cursor() as cursor, cursor.copy(sql.COPY) as stream:
        stream.write("".join(lines))


def line(number: int, item: Staged, received: str) -> str:
    """One row of COPY's text format; written by hand because this is the hottest line of ingest."""
    row, tokens, costed = item.row, item.row.tokens, item.costed
    values = (
        number,
        item.id.hex,
        item.response_hash and item.response_hash.hex,
        item.user_hash and item.user_hash.hex,
        row.started_at.isoformat(),
        received,
        row.application_id,
        row.deployment_id,
        costed.price_id,
        costed.discount_id,
        row.latency_ms,
        row.ttft_ms,
        *(
            (None, None, None, None, None, None)
            if tokens is None
            else (
                tokens.uncached_input,
                tokens.cache_read,
                tokens.cache_write_5m,
                tokens.cache_write_1h,
                tokens.output,
                tokens.reasoning,
            )
        ),
        item.day,
        item.alt_day,
        row.http_status,
        "t" if row.streamed else "f",
        "t" if row.batch else "f",
        None if costed.cost is None else f"{costed.cost:f}",
        costed.reason,
        word(row.provider),
        word(row.model),
        word(row.task),
        word(row.outcome),
        word(row.error_type),
        text(row.response_id),
        text(row.external_id),
        row.source,
        word(row.route),
        None if row.raw is None else raw_text(item).replace("\\", "\\\\"),  # JSON has nothing else to escape
        row.import_id,
        None if row.reported_cost is None else f"{row.reported_cost:f}",
        word(row.tier),
    )
    return "\t".join(["\\N" if value is None else str(value) for value in values]) + "\n"


def raw_text(item: Staged) -> str:
    """The raw JSON without what must not be kept; it is taken apart only where it may hold such a thing."""
    row = item.row
    written = json_text(row.raw)
    readable = not written.startswith(UNREADABLE)
    if row.clean or not item.redaction.needed(row.raw if readable else written, row.user):
        return written
    return json_text(item.redaction.tree(orjson.loads(written), row.user))


def json_text(value: Any) -> str:
    """JSON that jsonb takes: without NUL and without half a surrogate pair; what JSON cannot say is said as text."""
    try:
        written = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError, RecursionError):
        written = orjson.dumps({"unreadable": repr(value)[:2000].encode("ascii", "replace").decode()}).decode()
    return NUL.sub(r"\1", written) if "\\u0000" in written else written


UNREADABLE = '{"unreadable":'
# An escaped NUL: an odd number of backslashes before it, of which the last is its own.
NUL = re.compile(r"((?<!\\)(?:\\\\)*)\\u0000")

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "�"})


def text(value: str | None) -> str | None:
    """COPY's escapes; most values have nothing to escape."""
    return value if value is None or value.isidentifier() else value.translate(ESCAPES)


# Names of models, tasks and the like come again and again.
word = lru_cache(4096)(text)


def bounds(staged: Sequence[Staged]) -> dict[str, date]:
    """Days that a twin may lie on: every query on a partitioned table names its days."""
    days = [item.day for item in staged]
    return {"low": min(days) - timedelta(days=1), "high": max(days) + timedelta(days=1)}


class Added(NamedTuple):
    """What a batch adds to what was there: rows, tokens of all five classes, measured USD."""

    rows: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)

    def plus(self, other: Added) -> Added:
        return Added(self.rows + other.rows, self.tokens + other.tokens, self.cost + other.cost)


def count_use(conn: psycopg.Connection, key_id: int | None, added: Added) -> None:
    """What came in with a key, in the same transaction, so that a repeated batch is not counted again."""
    if key_id is not None and any(added):
        given = {"key": key_id, "requests": added.rows, "tokens": added.tokens, "cost": added.cost}
        conn.execute(sql.COUNT_USE, given)


def write_rows(conn: psycopg.Connection, staged: Sequence[Staged]) -> Added:
    """Insert or fill the staged rows and keep the rollups exact; returns what they add.

    One pass, unless rows share a response id or were found to be rows that are stored: then those that are one call
    come in one after the other, each seeing what the one before it left.
    """
    hashes = [item.response_hash for item in staged if item.response_hash is not None]
    taken = take_over(conn, staged) if hashes else 0
    if not taken and len(set(hashes)) == len(hashes):
        return upsert(conn, 0)
    added = Added()
    for number in range(1, 2 * len(staged) + 2):
        if not conn.execute(sql.PICK, {"round": number}).rowcount:
            return added
        added = added.plus(upsert(conn, number))
        take_over(conn, staged)
    raise AssertionError("each pass takes at least one row")


def take_over(conn: psycopg.Connection, staged: Sequence[Staged]) -> int:
    """Waiting rows whose response id is stored become that row, whatever their own id was; returns how many did."""
    # A fresh partition has no statistics: without this the planner hashes it whole, 50 times slower.
    conn.execute("SET LOCAL enable_seqscan = off")
    found = conn.execute(sql.FIND_STORED, bounds(staged)).fetchall()
    if not found:
        return 0
    numbers, days, ids = zip(*found, strict=True)
    given = {"numbers": array(numbers), "days": array(days), "ids": array(one.hex for one in ids)}
    taken = conn.execute(sql.TAKE_OVER, given).rowcount
    conn.execute(sql.ABSORB, bounds(staged))
    return taken


def upsert(conn: psycopg.Connection, number: int) -> Added:
    """Insert or fill one pass of rows; returns what they add."""
    # Prepared on the server whatever kind of cursor the connection makes: planning it takes longer than 50 rows do.
    with psycopg.Cursor(conn) as cursor:
        found = cursor.execute(sql.UPSERT, {"round": number}, prepare=True).fetchone()
    assert found is not None
    return Added(*found)


def write_bodies(conn: psycopg.Connection, staged: Sequence[Staged]) -> None:
    bodies: list[tuple[Any, ...]] = [
        (number, item.row.prompt, item.row.answer)
        for number, item in enumerate(staged)
        if item.row.prompt is not None or item.row.answer is not None
    ]
    if bodies:
        numbers, prompts, answers = zip(*bodies, strict=True)
        conn.execute(sql.BODIES, {"numbers": list(numbers), "prompts": list(prompts), "answers": list(answers)})


def write_links(conn: psycopg.Connection, staged: Sequence[Staged]) -> None:
    links = [link for item in staged for link in item.links]
    if links:
        days, children, parents = zip(*links, strict=True)
        of_ids = (array(one.hex for one in ids) for ids in (children, parents))
        conn.execute(sql.LINK, dict(zip(("days", "children", "parents"), (array(days), *of_ids), strict=True)))


def array(values: Iterable[object]) -> str:
    """An array as Postgres reads it, of values without anything to quote; several times faster than one by one."""
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def join(conn: psycopg.Connection, staged: Sequence[Staged]) -> int:
    """Make one row of calls that are one by their spans, whichever came first; returns how many rows went.

    After the commit: of two writers that hold a half each, the one that comes later sees both.
    """
    ids = [item.id.hex for item in staged if item.row.source == "otlp"]
    if not ids:
        return 0
    ids += [child.hex for item in staged for _day, child, _parent in item.links if child != item.id]
    given = {**bounds(staged), "ids": array(ids)}
    if not conn.execute(sql.LINKED, given).fetchone():
        return 0
    for _ in range(ATTEMPTS):
        try:
            return absorb_linked(conn, given)
        except (errors.DeadlockDetected, errors.SerializationFailure):
            continue
    return absorb_linked(conn, given)


def absorb_linked(conn: psycopg.Connection, given: dict[str, Any]) -> int:
    with conn.transaction():
        conn.execute("SET LOCAL synchronous_commit = on")
        conn.execute(sql.MAKE_STAGE)
        conn.execute("SET LOCAL enable_seqscan = off")  # as in `take_over`
        (gone,) = conn.execute(sql.JOIN, given).fetchone() or (0,)
        for number in range(1, gone + 1):
            if conn.execute(sql.PICK, {"round": number}).rowcount:
                upsert(conn, number)
    return int(gone)
