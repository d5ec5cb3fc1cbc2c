"""Identity and cost of each row of a batch, and the merge of rows that are one call."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import msgspec
import psycopg

from providers.pricing.book import CACHED, LEASED, REFUSED, Book, Costed, stamp_of
from traffic.ingest.cardinality import Names
from traffic.ingest.rows import RequestRow
from traffic.ingest.sql.rows import LEASED_DEPLOYMENTS, MAKE_SALT
from traffic.ingest.tiers import is_batch, tier_of
from traffic.redaction.rules import EVERYTHING, Redaction, redaction_of
from traffic.request_ids import erased_mark, neighbour_day, request_hex, response_hex, user_hash


class Staged(msgspec.Struct, gc=False):
    """A row with its identity and cost, ready to be copied. Ids are 32 hexadecimal digits."""

    row: RequestRow
    id: str
    day: date
    alt_day: date | None
    response_hash: str | None
    user_hash: uuid.UUID | None
    costed: Costed
    redaction: Redaction
    links: list[tuple[date, str, str]] = []  # day, child, parent


@dataclass
class PricingContext:
    """What rows are priced and identified with: salt of ids, price book, leases, redaction rules and erasures."""

    salt: bytes
    book: Book
    leased: frozenset[int]
    redactions: dict[int, Redaction] = field(default_factory=dict)  # by application
    erased_applications: frozenset[int] = frozenset()
    erased_users: dict[uuid.UUID, datetime] = field(default_factory=dict)  # by mark: when
    names: Names = field(default_factory=Names)  # what applications named today; goes on from load to load

    @classmethod
    def load(cls, conn: psycopg.Connection, before: PricingContext | None = None) -> PricingContext:
        """Read it; prices only if the book has changed since `before`, for its rows are never edited."""
        conn.execute(MAKE_SALT, [secrets.token_bytes(32)])
        (salt,) = conn.execute("SELECT salt FROM traffic_installation WHERE id = 1").fetchone() or (b"",)
        leased = conn.execute(LEASED_DEPLOYMENTS).fetchall()
        book = before.book if before is not None and before.book.stamp == stamp_of(conn) else Book.load(conn)
        rules = conn.execute("SELECT id, redact, redact_patterns FROM traffic_application").fetchall()
        redactions = {id: redaction_of(tuple(kinds), tuple(patterns)) for id, kinds, patterns in rules}
        erased = conn.execute("SELECT application_id, mark, created_at FROM traffic_erasure").fetchall()
        return cls(
            bytes(salt),
            book,
            frozenset(row[0] for row in leased),
            redactions,
            frozenset(id for id, _mark, _at in erased if id is not None),
            {mark: at for _id, mark, at in sorted(erased, key=lambda erasure: erasure[2]) if mark is not None},
            Names() if before is None else before.names,
        )

    def stage(self, row: RequestRow) -> Staged:
        started_at = row.started_at if row.started_at.tzinfo is UTC else row.started_at.astimezone(UTC)
        day = started_at.date()
        if row.application_id is None:  # nobody opted in to keep what was said
            row.prompt = row.answer = None
        redaction = self.redactions.get(row.application_id or 0, EVERYTHING)
        if not row.clean:  # most rows have none of these; a call for each costs more than the question
            if row.prompt is not None:
                row.prompt = redaction.prompt(row.prompt)
            if row.answer is not None:
                row.answer = redaction.text(row.answer)
            if row.error_type is not None:
                row.error_type = redaction.text(row.error_type)
        if not row.tier_read:
            row.tier, row.batch = row.tier or tier_of(row.raw), row.batch or is_batch(row.raw)
        staged = Staged(
            row,
            self.id_of(row, row.external_id, day),
            day,
            neighbour_day(started_at),
            response_hex(self.salt, row.response_id),
            row.user_hash or (user_hash(self.salt, row.user) if row.user else None),
            self.cost(row),
            redaction,
            [(day, self.id_of(row, child, day), self.id_of(row, parent, day)) for child, parent in row.links]
            if row.links
            else [],
        )
        if self.erased_applications or self.erased_users:
            self.anonymise_erased(staged)
        return staged

    def anonymise_erased(self, item: Staged) -> None:
        """A row of an application or a user whose data was deleted keeps its figures alone; see
        `traffic.privacy.erasure`.

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

    def id_of(self, row: RequestRow, external_id: str, day: date) -> str:
        """The id that a call of the same application has on that day."""
        return request_hex(self.salt, row.application_id, external_id, day)

    def cost(self, row: RequestRow) -> Costed:
        if row.saved is not None:
            return CACHED
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
        costed = self.book.cost(
            provider=row.provider,
            model=row.model,
            when=row.started_at,
            tokens=classes or None,
            batch=row.batch,
            tier=row.tier,
        )
        if costed.cost is None and row.outcome == "refused" and classes and not any(classes):
            return REFUSED
        return costed


FILLED = ("http_status", "error_type", "latency_ms", "ttft_ms", "user", "route", "raw", "prompt", "answer",
          "reported_cost")  # fmt: skip


def fill(twin: Staged, item: Staged) -> None:
    """Give `twin` what only `item` knows; the same rules as the statement that fills stored rows."""
    row, other = twin.row, item.row
    row.suspect = None if row.suspect is None or other.suspect is None else row.suspect or other.suspect
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
            twin.costed = item.costed._replace(cost=None, reason="unknown_rate") if untold else item.costed
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
