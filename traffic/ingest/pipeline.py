"""From converted rows to the store: names bounded, rows worked out, and those set apart that the database refuses."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import DataError

from lib.repeated_events import log_repeated
from traffic.authentication.keys import Caller
from traffic.ingest import store_status
from traffic.ingest.batch import Batch, batch_of
from traffic.ingest.context import AWAY, pricing_context, raw_connection
from traffic.ingest.parse_lock import SMALL_ROWS
from traffic.ingest.rows import RequestRow
from traffic.ingest.statement_timeout import extend_timeout
from traffic.ingest.store import Also, IngestResult, take_in
from traffic.ratings import waiting as waiting_ratings
from traffic.ratings.named_requests import Name

logger = logging.getLogger(__name__)


def early_batch(rows: Sequence[RequestRow], caller: Caller) -> Batch | None:
    """The rows worked out for the store under the lock that they were parsed under; None where that must wait.

    To lock twice for one batch lets another thread parse in between, which costs a tenth of the spans a second.
    """
    pricing = pricing_context.fresh()
    if pricing is None or len(rows) > SMALL_ROWS or pricing.names.unseen(rows):
        return None  # the database must be asked first, and nobody waits for it under the lock
    return batch_of(count_for(rows, caller), pricing)


def batch_for(rows: Sequence[RequestRow], caller: Caller | None) -> Batch:
    """The rows worked out for the store, to be counted for the caller's key. It may ask the database about new names,
    so no lock is held around it."""
    pricing = pricing_context.get()
    with recording_failures():
        pricing.names.bound(rows, pricing.book, raw_connection)
    return batch_of(count_for(rows, caller), pricing)


def count_for(rows: Sequence[RequestRow], caller: Caller | None) -> Sequence[RequestRow]:
    """The rows with the key that they are counted for."""
    if caller is not None:
        for row in rows:
            row.key_id = caller.key_id
    return rows


@contextmanager
def recording_failures() -> Iterator[None]:
    """Within, a database that is away or full is remembered for what is said to others."""
    try:
        yield
    except AWAY as error:
        store_status.failed(error)
        raise


def store(
    rows: Sequence[RequestRow], also: Also | None = None, caller: Caller | None = None, batch: Batch | None = None
) -> IngestResult:
    """Write a batch; committed when this returns, with what `also` writes, and counted for the caller's key. `batch`
    is what `early_batch` made of the rows.

    Ratings that wait for a request get it.
    """
    if batch is None:
        batch = batch_for(rows, caller)
    with recording_failures(), extend_timeout(len(rows)), raw_connection() as conn:
        result = take_in(conn, batch, also)
    store_status.stored()
    if waiting_ratings.any_waits():
        waiting_ratings.attach_arrived(names_of(rows, result))
    return result


REFUSED = "Holds what the database cannot store."
MOST_AT_ONCE = 10_000  # rows of one transaction: what is made of them to write them takes as much memory as they do
MOST_TRIES = 256  # of one batch in parts; beyond it a part is refused as it is


@dataclass
class Stored:
    """What became of a batch, with the places of the rows that the database refused for what they hold."""

    accepted: int = 0
    duplicates: int = 0
    refused: list[int] = field(default_factory=list)


def store_apart(rows: Sequence[RequestRow], caller: Caller | None = None, batch: Batch | None = None) -> Stored:
    """Write a batch, a large one in parts; rows that the database refuses cost no other row. `batch` is what
    `early_batch` made of the rows.

    Halves are tried apart until the rows at fault stand alone. What is repeated changes nothing: not a half, nor the
    first parts of a batch that is sent again because a later one failed.
    """
    stored, tries = Stored(), 0
    ends = [*range(MOST_AT_ONCE, len(rows), MOST_AT_ONCE), len(rows)]
    waiting = list(zip([0, *ends], ends, strict=False))[::-1]
    while waiting:
        first, last = waiting.pop()
        try:
            result = store(rows[first:last], caller=caller, batch=batch)
            stored.accepted += result.accepted
            stored.duplicates += result.duplicates
        except DataError as error:
            batch = None  # its rows are worked out anew, in parts
            tries += 1
            middle = (first + last) // 2
            if last - first == 1 or tries >= MOST_TRIES:
                state = getattr(error.__cause__, "sqlstate", None)
                details = {"rows": last - first, "batch_rows": len(rows)}
                log_repeated(logger, logging.WARNING, "rows_refused", sqlstate=state, details=details)
                stored.refused += range(first, last)
            else:
                waiting += (middle, last), (first, middle)
    return stored


def names_of(rows: Sequence[RequestRow], result: IngestResult) -> Iterator[Name]:
    """Every id by which a rating may have named a request of the batch, of the row's own application."""
    for row, identifier in zip(rows, result.ids, strict=True):
        for name in (row.external_id, str(identifier), row.response_id):
            if name:
                yield Name(name, row.application_id)
