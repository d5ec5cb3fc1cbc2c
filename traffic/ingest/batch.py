"""Prices and identifies the rows of a batch and formats them for COPY, before the transaction begins."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

from traffic.ingest.copying import line
from traffic.ingest.parse_lock import parse_lock
from traffic.ingest.pricing import PricingContext, Staged, fill
from traffic.ingest.rows import RequestRow
from traffic.ingest.sql.rows import BATCH_BITS
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
    text = sum(len(row.prompt or "") + len(row.answer or "") for row in rows)
    with parse_lock(rows=len(rows), size=text), one_request():
        received, first = datetime.now(UTC).isoformat(), batch.number << BATCH_BITS
        for row in rows:
            item = pricing.stage(row)
            batch.sent.append(item.id)
            place = places.setdefault(item.id, len(staged))
            if place == len(staged):
                staged.append(item)
                lines.append(line(first + place, item, received))
            else:
                fill(staged[place], item)
                lines[place] = line(first + place, staged[place], received)
        batch.text = "".join(lines)
        batch.take(staged, first)
        batch.size = size_of([batch.text, *itertools.chain(*(texts for _number, *texts in batch.bodies))])
    return batch


def size_of(texts: Iterable[str | None]) -> int:
    """Bytes of texts as the database is sent them."""
    return sum(len(text) if text.isascii() else len(text.encode("utf-8", "replace")) for text in texts if text)
