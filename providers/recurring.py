"""Windows that come again: the same hours of a zone's own clock every day or week. Pure functions.

Both ends are times of the clock on the wall. Where clocks are put forward a window loses the hour that does not exist,
where they are put back it lasts through the hour that comes twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from providers.checks import Span

STEPS = {"day": timedelta(days=1), "week": timedelta(days=7)}


@dataclass(frozen=True, slots=True)
class Course:
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
        while span.start < until and span.seconds:
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

    def _nth(self, n: int) -> Span:
        if self.repeats:
            zone, later = ZoneInfo(self.zone), STEPS[self.repeats] * n
            start = _begins(wall(self.first.start, zone) + later, zone)
            end = _ends(wall(self.first.end, zone) + later, zone)
        else:
            start, end = self.first.start, self.first.end
        return Span(start, end if self.until is None else min(end, self.until))


def wall(at: datetime, zone: ZoneInfo) -> datetime:
    """What a clock in a zone shows, without the zone."""
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def first_span(start: datetime, end: datetime, zone: ZoneInfo) -> Span:
    """Between two times of a zone's clock, both without a zone."""
    return Span(_begins(start, zone), _ends(end, zone))


def _begins(clock: datetime, zone: ZoneInfo) -> datetime:
    return clock.replace(tzinfo=zone).astimezone(UTC)


def _ends(clock: datetime, zone: ZoneInfo) -> datetime:
    """Of an hour that comes twice the second."""
    return max(clock.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
