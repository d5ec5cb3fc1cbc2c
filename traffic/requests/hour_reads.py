"""How a list reads the log without reading much of it: whole hours, chosen by the rollups, until a page is full or a
fixed number of rows has been read. Pure: times and counts in, spans of time out.

The rollups know for every hour how many requests each application, deployment, provider, model and task has, and how
many of them failed, have no price or no usage. So hours without a request that passes are not read, unless they hold
next to nothing, and before anything is read it is known how many rows that will be, however many are stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil

from lib.dates import HOUR

READ_MOST = 20_000  # rows for one page
SPANS_MOST = 64  # that one statement puts together
GAP_MOST = 1_000  # rows that are read along between two spans: a part of a statement takes as long to write and plan
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of the log: at most how many requests pass, maybe none, and how many rows are read to find them."""

    start: datetime
    passing: int
    rows: int


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the log, `end` exclusive; `gap` is how many rows lie between it and the span before, a later one."""

    start: datetime
    end: datetime
    passing: int
    rows: int
    gap: int = 0

    @property
    def days(self) -> tuple[date, date]:
        """The UTC days that it touches, the second exclusive."""
        return self.start.date(), (self.end - timedelta(microseconds=1)).date() + timedelta(days=1)


def spans(hours: Iterable[Hour]) -> Iterator[Span]:
    """Hours in which something passes as spans; one with more rows than may be read at once is cut into equal parts, to
    the minute."""
    gap = 0
    for hour in hours:
        if not hour.passing:
            gap += hour.rows
            continue
        parts = min(60, max(1, ceil(hour.rows / READ_MOST)))
        width = ceil(60 / parts) * MINUTE
        end = hour.start + HOUR
        while end > hour.start:
            start = max(hour.start, end - width)
            share = (end - start) / HOUR
            yield Span(start, end, ceil(hour.passing * share), ceil(hour.rows * share), gap)
            end, gap = start, 0


def portions(hour_spans: Iterable[Span], needed: int, *, exact: bool) -> Iterator[Sequence[Span]]:
    """Spans for one statement each, the newest first: those that hold `needed` requests where the rollups count
    `exact`ly those that pass, else as many rows as may be read, but no more than a statement takes.

    Spans with little between them are one, with what lies between them.
    """
    taken: list[Span] = []
    passing = rows = 0
    for span in hour_spans:
        if taken and span.gap <= GAP_MOST:
            last = taken.pop()
            both = last.rows + span.gap + span.rows
            rows += span.gap
            taken.append(Span(span.start, last.end, last.passing + span.passing, both, last.gap))
        else:
            taken.append(span)
        passing += span.passing
        rows += span.rows
        if (exact and passing >= needed) or rows >= READ_MOST or len(taken) >= SPANS_MOST:
            yield taken
            taken, passing, rows = [], 0, 0
    if taken:
        yield taken
