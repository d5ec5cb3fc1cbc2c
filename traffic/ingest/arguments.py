"""Arguments of ingest's statements: arrays, and the days that they may read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from traffic.ingest.batch import Batch


def array(values: Iterable[object]) -> str:
    """A Postgres array literal of values that need no quotes; several times faster than adapting a list."""
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def days_of(batches: Sequence[Batch]) -> set[date]:
    return {day for batch in batches for day in batch.days}


def bounds(batches: Sequence[Batch]) -> dict[str, date]:
    """The days that a duplicate may lie on, as arguments: every query on a partitioned table names its days."""
    days = days_of(batches)
    return {"low": min(days) - timedelta(days=1), "high": max(days) + timedelta(days=1)}
