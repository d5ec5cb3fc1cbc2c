"""Windows that come again: the same hours of a zone's own clock every day or week. Pure functions.

Both ends are times of the clock on the wall. Where clocks are put forward a window loses the hour that does not exist,
where they are put back it lasts through the hour that comes twice. A window of which nothing would be left is moved
instead: its times are read by the offset before the change, as RFC 5545 (3.3.5) reads a time that does not exist. So
of a daily 02:00 to 03:00 the one that is skipped lasts from 03:00 to 04:00: cron, too, does work of a skipped hour
later that night and does not leave it out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from lib.time_spans import Span

STEPS = {"day": timedelta(days=1), "week": timedelta(days=7)}


@dataclass(frozen=True, slots=True)
class RecurringWindow:
    """A first window and how it comes again: `repeats` is empty (never), `day` or `week`; `until` cuts whatever would
    be later, None is for good."""

    first: Span
    repeats: str = ""
    zone: str = "UTC"
    until: datetime | None = None

    def spans(self, since: datetime, until: datetime) -> Iterator[Span]:
        """The windows that touch the time between two moments, in their order."""
        step = STEPS.get(self.repeats)
        n = max((since - self.first.end) // step - 1, 0) if step else 0
        span = self._nth(n)
        while span.start < until and not self._is_over(span):
            if span.end > since:
                yield span
            if step is None:
                return
            n += 1
            span = self._nth(n)

    def at(self, moment: datetime) -> Span | None:
        """The window that a moment lies in."""
        return next((span for span in self.spans(moment, moment + timedelta(microseconds=1))), None)

    def ahead(self, moment: datetime) -> Span | None:
        """The window of a moment, else the next; None when all are over."""
        far = max(moment, self.first.start) + 2 * STEPS.get(self.repeats, STEPS["day"])
        return next(self.spans(moment, far), None)

    def _is_over(self, span: Span) -> bool:
        """Whether a window begins only when all have ended."""
        return self.until is not None and span.start >= self.until

    def _nth(self, n: int) -> Span:
        span = self.first
        if self.repeats and n:
            zone, step = ZoneInfo(self.zone), STEPS[self.repeats]
            begins = wall(self.first.start, zone)
            # By the clock; where the first lay in an hour that came twice and took none of it, by the hour.
            lasts = wall(self.first.end, zone) - begins
            if lasts <= timedelta(0):
                lasts = self.first.end - self.first.start
            span = first_span(begins + n * step, begins + n * step + min(lasts, step), zone)
        return span if self.until is None else Span(span.start, min(span.end, self.until))


def wall(at: datetime, zone: ZoneInfo) -> datetime:
    """What a clock in a zone shows, without the zone."""
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def first_span(start: datetime, end: datetime, zone: ZoneInfo) -> Span:
    """Between two times of a zone's clock, both without a zone; empty only where the end is not after the beginning."""
    span = Span(_begins(start, zone), _ends(end, zone))
    if start < end and is_skipped(start, zone) and (is_skipped(end, zone) or not span.seconds):
        moved = _utc(start, zone)  # nothing of it exists
        return Span(moved, moved + (end - start))
    return span


def is_skipped(clock: datetime, zone: ZoneInfo) -> bool:
    """Whether the zone's clock never shows this time, as it is put forward over it."""
    return wall(_utc(clock, zone), zone) != clock


def _begins(clock: datetime, zone: ZoneInfo) -> datetime:
    """The first moment at which the clock shows this time or, where it is skipped, a later one."""
    if not is_skipped(clock, zone):
        return _utc(clock, zone)
    # Read by the offsets before and after, a time that is skipped gives a moment on each side of the change.
    clock = clock.replace(microsecond=0)
    before, after = _utc(clock, zone, fold=1), _utc(clock, zone, fold=0)
    summer = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        before, after = (before, middle) if middle.astimezone(zone).utcoffset() == summer else (middle, after)
    return after


def _ends(clock: datetime, zone: ZoneInfo) -> datetime:
    """Of an hour that comes twice the second."""
    return max(_utc(clock, zone, fold) for fold in (0, 1))


def _utc(clock: datetime, zone: ZoneInfo, fold: int = 0) -> datetime:
    """The moment of a time of the clock; of one that does not exist (fold 0) by the offset before the change."""
    return clock.replace(tzinfo=zone, fold=fold).astimezone(UTC)
