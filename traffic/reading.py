"""How a list reads the log without reading much of it: whole hours, chosen by the rollups, until a page is full or a
fixed number of rows has been read. Pure, but for nothing: times and counts in, spans of time out.

The rollups know for every hour how many requests each application, deployment, provider, model and task has, and how
many of them failed, have no price or no usage. So an hour without a request that passes is not read at all, and before
anything is read it is known how many rows that will be, however many are stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import ceil

READ_MOST = 20_000  # rows for one page
SPANS_MOST = 64  # that one statement puts together
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of the log: at most how many requests pass, and how many rows are read to find them."""

    start: datetime
    passing: int
    rows: int

    @staticmethod
    def start_of(day: date) -> datetime:
        return datetime.combine(day, time.min, UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the log, `end` exclusive."""

    start: datetime
    end: datetime
    passing: int
    rows: int

    @property
    def days(self) -> tuple[date, date]:
        """The UTC days that it touches, the second exclusive."""
        return self.start.date(), (self.end - timedelta(microseconds=1)).date() + timedelta(days=1)


def spans(hours: Iterable[Hour]) -> Iterator[Span]:
    """Hours as spans; one with more rows than may be read at once is cut into equal parts, to the minute."""
    for hour in hours:
        parts = min(60, max(1, ceil(hour.rows / READ_MOST)))
        width = ceil(60 / parts) * MINUTE
        end = hour.start + HOUR
        while end > hour.start:
            start = max(hour.start, end - width)
            share = (end - start) / HOUR
            yield Span(start, end, ceil(hour.passing * share), ceil(hour.rows * share))
            end = start


def joined(given: Iterable[Span]) -> list[Span]:
    """Spans of which each begins where the next one ends, the newest first, put together."""
    found: list[Span] = []
    for span in given:
        if found and found[-1].start == span.end:
            last = found.pop()
            span = Span(span.start, last.end, last.passing + span.passing, last.rows + span.rows)
        found.append(span)
    return found


def portions(given: Iterable[Span], needed: int, *, exact: bool) -> Iterator[Sequence[Span]]:
    """Spans for one statement each: those that hold `needed` requests where the rollups count `exact`ly those that
    pass, else as many rows as may be read, but no more than a statement takes."""
    taken: list[Span] = []
    for span in given:
        taken.append(span)
        enough = exact and sum(one.passing for one in taken) >= needed
        if enough or sum(one.rows for one in taken) >= READ_MOST or len(joined(taken)) >= SPANS_MOST:
            yield joined(taken)
            taken = []
    if taken:
        yield joined(taken)
