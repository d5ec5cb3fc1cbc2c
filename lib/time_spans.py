"""Stretches of time, from a start inclusive to an end exclusive, and what is left of them. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From `start` inclusive to `end` exclusive."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return max((self.end - self.start).total_seconds(), 0.0)

    def within(self, other: Span) -> Span:
        """The part of this span that lies in the other; empty where they do not meet."""
        start = max(self.start, other.start)
        return Span(start, max(start, min(self.end, other.end)))


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time as spans that neither meet nor overlap, in order; empty ones are left out."""
    result: list[Span] = []
    for span in sorted(span for span in spans if span.end > span.start):
        if result and span.start <= result[-1].end:
            result[-1] = Span(result[-1].start, max(result[-1].end, span.end))
        else:
            result.append(span)
    return result


def without(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """The time of the spans that lies in none of the holes."""
    result = merged(spans)
    for hole in merged(holes):
        left = [Span(span.start, min(span.end, hole.start)) for span in result]
        right = [Span(max(span.start, hole.end), span.end) for span in result]
        result = merged([*left, *right])
    return result


def overlap_s(spans: Iterable[Span], other: Span) -> float:
    """Seconds of the spans that lie in the other one; the spans must not overlap."""
    return sum(span.within(other).seconds for span in spans)
