"""Prices and identifies the rows of a batch and formats them for COPY, before the transaction begins."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from traffic.ingest.parse_lock import parse_lock
from traffic.ingest.pricing import PricingContext, Staged, fill
from traffic.ingest.rows import RequestRow
from traffic.ingest.sql.rows import BATCH_BITS
from traffic.json_depth import shallow
from traffic.redaction.work_bounds import one_request


class Added(NamedTuple):
    """What a batch adds to what was there: rows, tokens of all five classes, measured USD."""

    rows: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)

    def plus(self, other: Added) -> Added:
        return Added(self.rows + other.rows, self.tokens + other.tokens, self.cost + other.cost)


NOTHING = Added()


@dataclass(slots=True)
class Batch:
    """Rows of one key as the statements take them, and what they have added once they are committed.

    Ids are 32 hexadecimal digits. The rows themselves are not kept: a batch may wait for its turn.
    """

    number: int
    key_id: int | None
    sent: list[str] = field(default_factory=list)  # the id of each row, in the order they were sent in
    text: str = ""  # one line for each id, in the format of COPY
    ids: list[str] = field(default_factory=list)
    days: set[date] = field(default_factory=set)
    hashes: list[str] = field(default_factory=list)  # of response ids
    hash_days: set[date] = field(default_factory=set)  # on which these may be stored already
    spans: list[str] = field(default_factory=list)  # ids of rows that spans told of
    links: list[tuple[date, str, str]] = field(default_factory=list)  # day, child, parent
    bodies: list[tuple[int, str | None, str | None]] = field(default_factory=list)  # number in the stage, texts
    size: int = 0  # bytes of the lines and the bodies
    added: Added = NOTHING

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, staged: Sequence[Staged], first: int) -> None:
        """Keep a row's arguments of the statements beside its line of COPY; rows are numbered from `first` on."""
        self.ids = [item.id for item in staged]
        for number, item in enumerate(staged, first):
            row, day = item.row, item.day
            self.days.add(day)
            if item.response_hash is not None:
                self.hashes.append(item.response_hash)
                self.hash_days.add(day)
                if item.alt_day is not None:
                    self.hash_days.add(item.alt_day)
            if row.source == "otlp":
                self.spans.append(item.id)
            if item.links:
                self.links += item.links
            if row.prompt is not None or row.answer is not None:
                self.bodies.append((number, row.prompt, row.answer))


MOST_AT_ONCE = 1 << 16
_numbers = itertools.count()


def batch_of(rows: Sequence[RequestRow], pricing: PricingContext) -> Batch:
    """Price each row and format it for COPY; rows of one call become one, the first filled from the others."""
    batch = Batch(next(_numbers) % MOST_AT_ONCE, rows[0].key_id if rows else None)
    staged: list[Staged] = []
    lines: list[str] = []
    places: dict[str, int] = {}
    length = sum(len(row.prompt or "") + len(row.answer or "") for row in rows)
    with parse_lock(rows=len(rows), size=length), one_request():
        received, first = datetime.now(UTC).isoformat(), batch.number << BATCH_BITS
        for row in rows:
            item = pricing.stage(row)
            batch.sent.append(item.id)
            place = places.setdefault(item.id, len(staged))
            if place == len(staged):
                staged.append(item)
                lines.append(copy_line(first + place, item, received))
            else:
                fill(staged[place], item)
                lines[place] = copy_line(first + place, staged[place], received)
        batch.text = "".join(lines)
        batch.take(staged, first)
        batch.size = size_of([batch.text, *itertools.chain(*(texts for _number, *texts in batch.bodies))])
    return batch


def size_of(texts: Iterable[str | None]) -> int:
    """Bytes of texts as the database is sent them."""
    return sum(len(text) if text.isascii() else len(text.encode("utf-8", "replace")) for text in texts if text)


# Rows as lines of COPY's text format, their raw JSON without what must not be kept.


def copy_line(number: int, item: Staged, received: str) -> str:
    """One row of COPY's text format. Written without a library, because this is the hottest line of ingest."""
    row, tokens, costed = item.row, item.row.tokens, item.costed
    counts = (
        NO_TOKENS
        if tokens is None
        else f"{tokens.uncached_input}\t{tokens.cache_read}\t{tokens.cache_write_5m}\t{tokens.cache_write_1h}"
        f"\t{tokens.output}\t{tokens.reasoning}"
    )
    common = copy_words(
        item.day, item.alt_day, row.application_id, row.deployment_id, costed.price_id, costed.discount_id,
        row.http_status, row.streamed, row.batch, costed.reason, row.provider, row.model, row.task, row.outcome,
        row.error_type, row.source, row.route, row.import_id, row.tier,
    )  # fmt: skip
    return (
        f"{number}\t{item.id}\t{NULL if item.response_hash is None else item.response_hash}"
        f"\t{NULL if item.user_hash is None else item.user_hash.hex}\t{row.started_at.isoformat()}\t{received}"
        f"\t{NULL if row.latency_ms is None else row.latency_ms}\t{NULL if row.ttft_ms is None else row.ttft_ms}"
        f"\t{counts}\t{common}\t{NULL if costed.cost is None else f'{costed.cost:f}'}"
        f"\t{NULL if row.response_id is None else copy_text(row.response_id)}\t{copy_text(row.external_id)}"
        # JSON has nothing else to escape.
        f"\t{NULL if row.raw is None else raw_text(item).replace(BACKSLASH, ESCAPED)}"
        f"\t{NULL if row.reported_cost is None else f'{row.reported_cost:f}'}\n"
    )


NULL, BACKSLASH, ESCAPED = "\\N", "\\", "\\\\"
NO_TOKENS = "\t".join([NULL] * 6)


@lru_cache(4096)
def copy_words(*values: str | int | bool | date | None) -> str:
    """Columns whose values repeat, in COPY's text format; cached."""
    return "\t".join([NULL if value is None else copy_text(str(value)) for value in values])


def raw_text(item: Staged) -> str:
    """The raw JSON after redaction; it is decoded only where it may hold something to redact."""
    row = item.row
    written = json_text(row.raw)
    if row.clean or (row.suspect is False and row.user is None and not item.redaction.own):
        return written
    readable = not written.startswith(UNREADABLE)
    if row.suspect or item.redaction.needed(row.raw if readable else written, row.user):
        return json_text(item.redaction.tree(orjson.loads(written), row.user))
    return written


def json_text(value: Any) -> str:
    """JSON that jsonb accepts: without NUL and lone surrogates; values that JSON does not know become text."""
    try:
        written = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError, RecursionError):
        words = repr(shallow(value))[:2000].encode("ascii", "replace").decode()
        written = orjson.dumps({"unreadable": words}).decode()
    return NUL.sub(r"\1", written) if "\\u0000" in written else written


UNREADABLE = '{"unreadable":'
# An escaped NUL: an odd number of backslashes before it, of which the last is its own.
NUL = re.compile(r"((?<!\\)(?:\\\\)*)\\u0000")

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "�"})


def copy_text(value: str) -> str:
    """A value with COPY's escapes."""
    return value if value.isprintable() and "\\" not in value else value.translate(ESCAPES)


# Arguments of the statements over batches: arrays, and the days that they may read.


def array(values: Iterable[object]) -> str:
    """A Postgres array literal of values that need no quotes; several times faster than adapting a list."""
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def days_of(batches: Sequence[Batch]) -> set[date]:
    return {day for batch in batches for day in batch.days}


def bounds(batches: Sequence[Batch]) -> dict[str, date]:
    """The days that a duplicate may lie on, as arguments: every query on a partitioned table names its days."""
    days = days_of(batches)
    return {"low": min(days) - timedelta(days=1), "high": max(days) + timedelta(days=1)}
