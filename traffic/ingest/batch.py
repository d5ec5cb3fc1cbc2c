"""A batch on its way in: its rows judged, and written out for COPY before the transaction begins."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from traffic.ingest.copying import line
from traffic.ingest.rows import RequestRow
from traffic.ingest.sql.rows import BATCH_BITS
from traffic.ingest.staging import Installation, Staged, fill
from traffic.ingest.turn import in_turn


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
    """Rows of one key, and what they have added once they are committed."""

    number: int
    key_id: int | None
    ids: list[str]  # of the rows as they were sent
    staged: list[Staged]  # one for each id, numbered in the stage from `first` on
    text: str  # the same in the format of COPY
    added: Added = NOTHING

    def __len__(self) -> int:
        return len(self.staged)

    @property
    def first(self) -> int:
        return self.number << BATCH_BITS


MOST_AT_ONCE = 1 << 16
_numbers = itertools.count()


def batch_of(rows: Sequence[RequestRow], installation: Installation) -> Batch:
    """Each row is judged and written out while it is at hand; twins become one, the first filled from the others."""
    batch = Batch(next(_numbers) % MOST_AT_ONCE, rows[0].key_id if rows else None, [], [], "")
    lines: list[str] = []
    places: dict[str, int] = {}
    with in_turn(rows=len(rows)):
        received, first, staged = datetime.now(UTC).isoformat(), batch.first, batch.staged
        for row in rows:
            item = installation.stage(row)
            batch.ids.append(item.id)
            place = places.setdefault(item.id, len(staged))
            if place == len(staged):
                staged.append(item)
                lines.append(line(first + place, item, received))
            else:
                fill(staged[place], item)
                lines[place] = line(first + place, staged[place], received)
        batch.text = "".join(lines)
    return batch
