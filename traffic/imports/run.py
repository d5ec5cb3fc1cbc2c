"""An import at work, slice by slice: read on from the last committed batch, or take back what was brought.

A batch of rows and how far it brings the import are one transaction. A worker that is killed leaves either both or
neither, and whoever goes on finds where. Two that work on one import by mistake cannot both commit the same batch.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import DataError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from lib.disk import disk_of
from lib.events import log_event
from lib.partitions import existing_days
from traffic.imports import FORMATS, reports
from traffic.imports.base import Options
from traffic.imports.files import drop_file, path_of
from traffic.imports.pace import Pace
from traffic.imports.readers import Dialect, FileRecord, Reader, Unreadable, reader
from traffic.imports.translate import RecordResult, Translator
from traffic.ingest.context import lookup_tables, raw_connection
from traffic.ingest.pipeline import REFUSED, store, store_apart
from traffic.ingest.rows import RequestRow
from traffic.ingest.sql.removals import TAKE_BACK
from traffic.models import Import, SealedDay, SetAside
from traffic.models.imports import ImportState
from traffic.usage.rebuild import Rollup, bounds, repeated

logger = logging.getLogger(__name__)

BATCH = 2_000
SLICE_S = 20.0
CLAIM = timedelta(minutes=2)
ERRORS_KEPT = 100_000  # of one file

CHECKPOINT = """
UPDATE traffic_import SET
    "offset" = %(offset)s, line = %(line)s, position = %(position)s,
    accepted = accepted + %(accepted)s, duplicates = duplicates + %(duplicates)s, rejected = rejected + %(rejected)s,
    skipped = skipped + %(skipped)s, first_day = least(first_day, %(first_day)s),
    last_day = greatest(last_day, %(last_day)s), claimed_until = %(until)s
WHERE id = %(pk)s AND state = 'running' AND "offset" = %(before)s
"""
SET_ASIDE = """
INSERT INTO traffic_setaside (imported_id, line, words)
SELECT %(pk)s, line, words FROM unnest(%(lines)s::bigint[], %(words)s::text[]) AS given (line, words)
"""
NEXT = """
SELECT id FROM traffic_request WHERE day = %(day)s AND import_id = %(import_id)s ORDER BY id LIMIT %(limit)s FOR UPDATE
"""


class Stopped(Exception):
    """The import was cancelled, or another worker has gone further."""


def work(pk: int, *, clock: Callable[[], float] = time.monotonic, seconds: float = SLICE_S) -> bool:
    """One slice of an import that is due; whether there is more to do."""
    now = timezone.now()
    imported = Import.objects.claim(pk, now, now + CLAIM)
    if imported is None:
        return False
    disk = disk_of(Path(settings.DATA_DIR))
    if disk is not None and disk.low and imported.state == ImportState.RUNNING:
        return fail(pk, "The disk is nearly full: make room, then go on.")
    ends = clock() + seconds
    try:
        if imported.state == ImportState.UNDOING:
            more = take_back_some(imported, lambda: clock() >= ends)
        else:
            more = read_some(imported, lambda: clock() >= ends, Pace(clock, imported.position.get("pace")))
    except Stopped:
        return False
    except (OperationalError, InterfaceError, psycopg.OperationalError):
        raise  # the database is away; the claim runs out and somebody goes on
    except Unreadable as error:
        return fail(pk, str(error))
    except OSError as error:
        return fail(pk, f"The file cannot be read any more: {error.strerror}.")
    except Exception:
        log_event(logger, logging.ERROR, "import_crashed", exc_info=True, import_id=pk)
        return fail(pk, "An error of Breakeven stopped it. The log has the details.")
    Import.objects.filter(pk=pk, claimed_until=imported.claimed_until).update(claimed_until=None)
    return more


def fail(pk: int, problem: str) -> bool:
    at_work = Import.objects.filter(pk=pk, state__in=(ImportState.RUNNING, ImportState.UNDOING))
    at_work.update(state=ImportState.FAILED, problem=problem, finished_at=timezone.now(), claimed_until=None)
    log_event(logger, logging.WARNING, "import_failed", import_id=pk)  # the problem may quote the file
    return False


# --- reading ---


@dataclass
class Batch:
    """What a stretch of the file came to."""

    rows: list[RequestRow] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)  # of the rows
    skipped: int = 0
    rejected: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)  # line and sentence
    broken: Unreadable | None = None  # why the file cannot be read from here on

    def add(self, became: RecordResult) -> None:
        if became.problem:
            self.reject(became.line, became.problem)
        elif became.request is not None:
            self.rows.append(became.request)
            self.lines.append(became.line)
        elif not became.reported:
            self.skipped += 1

    def reject(self, line: int, problem: str) -> None:
        self.rejected += 1
        if len(self.errors) < ERRORS_KEPT:
            self.errors.append((line, problem.replace("\0", "")[:300]))

    def refuse(self, places: list[int]) -> None:
        """Rows that the database refused, by their places, become errors of their lines."""
        for place in places:
            self.reject(self.lines[place], REFUSED)
        refused = set(places)
        self.rows = [row for place, row in enumerate(self.rows) if place not in refused]
        self.lines = []
        self.errors.sort()


def dialect_of(imported: Import) -> Dialect:
    stored = imported.position["dialect"]
    return Dialect(**{**stored, "header": tuple(stored["header"])})


def translator_of(imported: Import, now: datetime) -> Translator:
    translator = Translator(
        FORMATS[imported.format], Options.of(imported.options), lookup_tables.get(), now, import_id=imported.pk
    )
    translator.last, translator.repeats = imported.position.get("last", ""), imported.position.get("repeats", 0)
    return translator


def read_some(imported: Import, late: Callable[[], bool], pace: Pace) -> bool:
    """Read on until it is late or the file ends; whether there is more. Raises Stopped, Unreadable, OSError."""
    dialect, now = dialect_of(imported), timezone.now()
    translator = translator_of(imported, now)
    with path_of(imported.pk).open("rb") as file:
        begun = imported.offset > 0
        records = reader(file, dialect, *((imported.offset, imported.line) if begun else ()))
        if FORMATS[imported.format].sums:
            return read_sums(imported, records, translator)
        stream = iter(records)
        while batch := next_batch(stream, translator):
            before = imported.offset
            commit(imported, batch, records, translator, pace)
            pace.add(imported.offset - before, len(batch.rows) + batch.skipped + batch.rejected)
            if batch.broken is not None:
                raise batch.broken
            if late():
                return True
    finish(imported)
    return False


def next_batch(stream: Iterator[FileRecord], translator: Translator) -> Batch | None:
    """The next records; None at the file's end. What came before a place that cannot be read is not lost."""
    batch, read = Batch(), 0
    try:
        for read, record in enumerate(islice(stream, BATCH), 1):  # noqa: B007 -- only whether there was any
            batch.add(translator(record))
    except Unreadable as error:
        batch.broken = error
    return batch if read or batch.broken else None


def commit(imported: Import, batch: Batch, records: Reader, translator: Translator, pace: Pace) -> None:
    """The batch and where the next one begins, in one transaction; rows that the database refuses become errors.

    Raises Stopped.
    """
    try:
        commit_whole(imported, batch, records, translator, pace)
    except DataError:
        # The good rows are stored apart; told again with the place where the next batch begins they change nothing.
        stored = store_apart(batch.rows)
        batch.refuse(stored.refused)
        commit_whole(imported, batch, records, translator, pace, already=stored.accepted)


def commit_whole(
    imported: Import, batch: Batch, records: Reader, translator: Translator, pace: Pace, already: int = 0
) -> None:
    """`already`: how many of the rows are new though they are stored. Raises Stopped, DataError."""
    imported_until = timezone.now() + CLAIM
    position = {
        "dialect": asdict(records.dialect), "last": translator.last, "repeats": translator.repeats, "pace": pace.known
    }  # fmt: skip
    days = [row.started_at.astimezone(UTC).date() for row in batch.rows]
    errors_shown = batch.errors[: max(0, ERRORS_KEPT - imported.rejected)]
    arguments = {
        "pk": imported.pk, "before": imported.offset, "offset": records.offset, "line": records.line,
        "position": json.dumps(position), "rejected": batch.rejected,
        "skipped": batch.skipped, "first_day": min(days, default=None), "last_day": max(days, default=None),
        "until": imported_until,
    }  # fmt: skip

    def checkpoint(conn: psycopg.Connection, accepted: int) -> None:
        counts = {"accepted": accepted + already, "duplicates": len(batch.rows) - accepted - already}
        if conn.execute(CHECKPOINT, {**arguments, **counts}).rowcount != 1:
            raise Stopped
        if errors_shown:
            lines, words = zip(*errors_shown, strict=True)
            conn.execute(SET_ASIDE, {"pk": imported.pk, "lines": list(lines), "words": list(words)})

    store(batch.rows, checkpoint)
    imported.offset, imported.line = records.offset, records.line
    imported.rejected += batch.rejected
    imported.claimed_until = imported_until


def read_sums(imported: Import, records: Reader, translator: Translator) -> bool:
    """A file of sums is small: all of it in one transaction, so that a crash leaves nothing of it."""
    batch, sums = Batch(), reports.Sums()
    for record in records:
        became = translator(record)
        batch.add(became)
        for row in became.reported:
            sums.add(row)
    with transaction.atomic():
        taken, reported = reports.write(
            imported, translator.format.provider, translator.options.account, list(sums.rows.values())
        )
        days = [row.starts_at.astimezone(UTC).date() for row in sums.rows.values()]
        done = Import.objects.filter(pk=imported.pk, state=ImportState.RUNNING, offset=0).update(
            offset=records.offset, line=records.line, accepted=taken, duplicates=reported, rejected=batch.rejected,
            skipped=batch.skipped, first_day=min(days, default=None),
            last_day=max(days, default=None),
        )  # fmt: skip
        if done != 1:
            raise Stopped
        SetAside.objects.bulk_create(
            SetAside(imported=imported, line=line, words=words) for line, words in batch.errors
        )
    imported.offset = records.offset
    finish(imported)
    return False


def finish(imported: Import) -> None:
    """Mark an import as done and delete its file. Raises Stopped."""
    done = Import.objects.filter(pk=imported.pk, state=ImportState.RUNNING, offset=imported.offset).update(
        state=ImportState.DONE, finished_at=timezone.now(), claimed_until=None, problem=""
    )
    if done != 1:
        raise Stopped
    log_event(logger, logging.INFO, "import_finished", import_id=imported.pk, format=imported.format,
              bytes=imported.offset, rejected=imported.rejected)  # fmt: skip
    drop_file(imported.pk)


# --- taking back ---


def take_back_some(imported: Import, late: Callable[[], bool]) -> bool:
    """Remove the rows that the file brought, day by day; whether there is more. Raises Stopped."""
    with raw_connection() as conn:
        for day in days_of(conn, imported):
            while repeated(lambda day=day: take_back_batch(conn, imported, day)) == BATCH:  # type: ignore[misc]
                if late():
                    return True
            for rollup in Rollup.all():
                arguments = bounds(rollup.period, day)
                repeated(lambda rollup=rollup, limits=arguments: sweep(conn, rollup, limits))  # type: ignore[misc]
    with transaction.atomic():
        gone = reports.take_back(imported)
        Import.objects.filter(pk=imported.pk, state=ImportState.UNDOING).update(
            state=ImportState.UNDONE, finished_at=timezone.now(), claimed_until=None, removed=imported.removed + gone
        )
    log_event(logger, logging.INFO, "import_taken_back", import_id=imported.pk, removed=imported.removed + gone)
    drop_file(imported.pk)
    return False


def days_of(conn: psycopg.Connection, imported: Import) -> list[Any]:
    """Days that may hold its rows; a sealed one keeps its totals, its requests are gone."""
    if imported.first_day is None or imported.last_day is None:
        return []
    sealed = set(SealedDay.objects.values_list("day", flat=True))
    there = existing_days(conn, "traffic_request") - sealed
    return sorted(day for day in there if imported.first_day <= day <= imported.last_day)


def take_back_batch(conn: psycopg.Connection, imported: Import, day: Any) -> int:
    """Some rows of a day with what they are in the rollups; returns how many went."""
    until = timezone.now() + CLAIM
    with conn.transaction():
        conn.execute("SET LOCAL enable_seqscan = off")
        arguments = {"day": day, "import_id": imported.pk, "limit": BATCH}
        ids = [identifier for (identifier,) in conn.execute(NEXT, arguments).fetchall()]
        (gone,) = conn.execute(TAKE_BACK, {**arguments, "ids": ids}).fetchone() or (0,)
        counted = conn.execute(
            "UPDATE traffic_import SET removed = removed + %s, claimed_until = %s WHERE id = %s AND state = 'undoing'",
            [gone, until, imported.pk],
        )
        if counted.rowcount != 1:
            raise Stopped
    imported.removed += gone
    imported.claimed_until = until
    return int(gone)


def sweep(conn: psycopg.Connection, rollup: Rollup, arguments: dict[str, Any]) -> int:
    return conn.execute(rollup.sweep, arguments).rowcount
