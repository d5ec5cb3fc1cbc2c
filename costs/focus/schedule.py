"""Scheduled exports: which months are due, and writing them; a month's files have the same names every time."""

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

REVISED = timedelta(days=35)  # how long an ended month is written again, because vendors revise it for 30 days
RETRY = timedelta(hours=1)


def is_due(target: ExportTarget, now: datetime) -> bool:
    """Whether a new day or month has begun since the last success; after a failure it waits an hour."""
    if not target.enabled or target.deleted_at is not None:
        return False
    if target.error and target.tried_at is not None and now - target.tried_at < RETRY:
        return False
    return target.succeeded_at is None or due_since(target) <= now


def due_since(target: ExportTarget) -> datetime:
    """When the first day or month without an export begins, perhaps in the future; a new target's creation time."""
    if target.succeeded_at is None:
        return target.created_at
    day = target.succeeded_at.astimezone(UTC).date()
    begun = day + timedelta(days=1) if target.every == ExportTarget.Every.DAY else next_month(day.replace(day=1))
    return datetime.combine(begun, time(), UTC)


def months(target: ExportTarget, today: date) -> list[date]:
    """The months of a run: those that were missed, those that may still be revised, and the current one if daily."""
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
    """Write all targets that are due; returns how many succeeded."""
    return sum(run(target, now) for target in ExportTarget.objects.there().filter(enabled=True) if is_due(target, now))


def run(target: ExportTarget, now: datetime, store: Callable[[ExportTarget], Store] = store_of) -> bool:
    """Write all due months of one target; False on failure. Months written before the failure stay recorded."""
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
        # The error's text is not logged, because a store's answer may repeat secrets that it was sent.
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
