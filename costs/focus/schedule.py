"""Exports by themselves: which months are due, and writing them, each month's files under the same names every time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from time import perf_counter

from costs import focus
from costs.focus.stores import Store, StoreError, store_of
from costs.models import ExportTarget
from lib.events import log_event, ms_since
from lib.periods import next_month

logger = logging.getLogger(__name__)

REVISED = timedelta(days=35)  # a month that is over is written again this long: vendors revise for 30 days
RETRY = timedelta(hours=1)


def is_due(target: ExportTarget, now: datetime) -> bool:
    """Whether its day or month has begun since it last succeeded; after a failure an hour is waited."""
    if not target.enabled or target.deleted_at is not None:
        return False
    if target.error and target.tried_at is not None and now - target.tried_at < RETRY:
        return False
    return target.succeeded_at is None or due_since(target) <= now


def due_since(target: ExportTarget) -> datetime:
    """The beginning of the first day or month that it has not taken, which may be ahead; of a new one its own."""
    if target.succeeded_at is None:
        return target.created_at
    day = target.succeeded_at.astimezone(UTC).date()
    begun = day + timedelta(days=1) if target.every == ExportTarget.Every.DAY else next_month(day.replace(day=1))
    return datetime.combine(begun, time(), UTC)


def months(target: ExportTarget, today: date) -> list[date]:
    """What a run writes: every month that it missed, those that may still be revised, and if daily the current one."""
    first = target.since if target.written_until is None else next_month(target.written_until)
    due_months, month = [], target.since
    while month <= today:
        end = next_month(month)
        missed_or_revised = month >= first or end + REVISED >= today
        if missed_or_revised if end <= today else target.every == ExportTarget.Every.DAY:
            due_months.append(month)
        month = end
    return due_months


def run_due(now: datetime) -> int:
    """Write what is due; how many targets took it."""
    return sum(run(target, now) for target in ExportTarget.objects.there().filter(enabled=True) if is_due(target, now))


def run(target: ExportTarget, now: datetime, store: Callable[[ExportTarget], Store] = store_of) -> bool:
    """Write everything of one target. What it wrote stays noted when a later month fails."""
    started, files, error = perf_counter(), 0, ""
    try:
        place = store(target)
        for month in months(target, now.astimezone(UTC).date()):
            files += write(place, target, month, now)
    except (StoreError, focus.NotInstalled) as problem:
        error = str(problem)
    values = {"tried_at": now, "error": error, "written_until": target.written_until}
    if not error:
        values |= {"succeeded_at": now, "files": files}
    ExportTarget.objects.filter(pk=target.pk).update(**values)
    if error:
        # Without the error's text: a store's answer may repeat what it was sent.
        log_event(logger, logging.WARNING, "export_failed", export=target.pk, files=files, ms=ms_since(started))
    else:
        log_event(logger, logging.INFO, "export_written", export=target.pk, files=files, ms=ms_since(started))
    return not error


def write(place: Store, target: ExportTarget, first: date, now: datetime) -> int:
    month = focus.read(first, now)
    for dataset in focus.DATASETS:
        place.put(focus.file_name(dataset, first, target.format), focus.as_file(dataset, month, target.format))
    if month.until <= now.astimezone(UTC).date():
        target.written_until = max(first, target.written_until or first)
    return len(focus.DATASETS)
