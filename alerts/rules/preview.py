"""What a rule would have done in the last 90 days: its figure's past run through the same states as the evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.lifecycle import states
from alerts.lifecycle.states import Observation, Policy, State, Status
from alerts.metrics.history import DAYS, MetricHistory
from alerts.metrics.metric import Reading, Series
from alerts.metrics.scopes import Names
from alerts.metrics.units import CHART_UNITS
from alerts.metrics.watch import Watch, capital
from alerts.wording import span

MOST_POINTS = 360  # of the chart; hours are thinned to what a line can show, the firing itself is not


class Observer(Protocol):
    """What says of a value whether it is over its limit, and whether it has recovered."""

    def observe(self, reading: Reading) -> Observation: ...


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert that would have been open; `ended_at` is None where it still would be."""

    opened_at: datetime
    ended_at: datetime | None

    def lasted(self, now: datetime) -> timedelta:
        return (self.ended_at or now) - self.opened_at


@dataclass(frozen=True, slots=True)
class Preview:
    """Oldest first; `why_not` says why there is no past to look at."""

    watch: Watch
    what: str  # the figure and what it is of, in words
    now: datetime
    series: Series
    firings: list[Firing]
    why_not: str = ""

    @property
    def has_values(self) -> bool:
        return any(value is not None for _at, value in self.series)

    def headline(self) -> str:
        if self.why_not or not self.has_values:
            return _("No history to test it on")
        n = len(self.firings)
        return ngettext("1 alert in the last 90 days", "%(n)s alerts in the last 90 days", n) % {"n": n}

    @property
    def sentence(self) -> str:
        """When it would have fired, how often, for how long."""
        if self.why_not:
            return _("It is unknown how often it would have fired. %(why)s") % {"why": self.why_not}
        if not self.has_values:
            return _("This figure has no data in the last %(days)s days, so the rule would not have fired.") % {
                "days": DAYS
            }
        if not self.firings:
            return _("In the last %(days)s days it would not have fired. The %(most)s value was %(value)s.") % {
                "days": DAYS,
                "most": _("highest") if self.watch.side == "over" else _("lowest"),
                "value": self.watch.metric.unit.say(self.extreme),
            }
        n, lengths = len(self.firings), [firing.lasted(self.now) for firing in self.firings]
        values = {
            "n": n,
            "days": DAYS,
            "total": span(sum(lengths, timedelta(0))),
            "longest": span(max(lengths)),
            "last": f"{self.firings[-1].opened_at:%-d %b}",
        }
        text = ngettext(
            "In the last %(days)s days it would have fired once, on %(last)s, for %(total)s.",
            "In the last %(days)s days it would have fired %(n)s times, last on %(last)s. Total "
            "%(total)s, the longest %(longest)s.",
            n,
        )
        return (text % values) + (_(" It would be open now.") if self.firings[-1].ended_at is None else "")

    @property
    def extreme(self) -> Decimal:
        """The value that came nearest to the line, or went furthest past it."""
        values = [value for _at, value in self.series if value is not None]
        return max(values) if self.watch.side == "over" else min(values)

    @property
    def chart(self) -> dict[str, Any]:
        """For the `lines` tag: the figure, the line, and the times when it would have been open."""
        unit = CHART_UNITS.get(self.watch.metric.unit.label, "count")
        scale = Decimal("0.01") if unit == "percent" else Decimal(1)
        thinned = self.series[:: max(1, len(self.series) // MOST_POINTS)]
        points = [(at, None if value is None else value * scale) for at, value in thinned]
        shades = [
            {
                "from": firing.opened_at,
                "to": firing.ended_at or self.now,
                "name": _("would have been open"),
                "label": "",
            }
            for firing in self.firings
        ]
        return {
            "series": [{"name": self.what, "points": points, "style": 1, "step": len(thinned) < 120}],
            "limits": [{"y": self.watch.line * scale, "label": self.watch.against, "name": _("the rule’s limit")}],
            "shades": shades,
            "unit": unit,
        }

    @property
    def latest(self) -> list[tuple[Firing, str]]:
        """The last ten with how long each lasted, newest first."""
        return [(firing, self._lasted(firing)) for firing in reversed(self.firings[-10:])]

    def _lasted(self, firing: Firing) -> str:
        text = _("for %(lasted)s") if firing.ended_at else _("for %(lasted)s, and it would be open now")
        return text % {"lasted": span(firing.lasted(self.now))}


def preview(watch: Watch, policy: Policy, now: datetime) -> Preview:
    """Raises Missing where what the rule is about is gone."""
    names, figure = Names(), watch.metric
    place, what = names.place(watch.scope), capital(watch.what(names))
    if figure.history is None:
        return Preview(watch, what, now, [], [], _(figure.why_no_history))
    series = watch.past(MetricHistory(now), place)
    return Preview(watch, what, now, series, list(fired(watch, policy, series, now)))


def fired(watch: Observer, policy: Policy, series: Series, now: datetime) -> Iterator[Firing]:
    """The series through the state machine: each value holds until the next, and patience may end between two."""
    status: Status | None = None
    opened: datetime | None = None
    for at, value in moments(series, policy, now):
        step = states.step(status, watch.observe(Reading(value)), policy, at)
        status = step.status
        if status is None or status.state == State.PENDING:
            continue
        if status.state == State.RESOLVED:
            if opened is not None:
                yield Firing(opened, at)
            status, opened = None, None
        elif opened is None:
            opened = at
    if opened is not None:
        yield Firing(opened, None)


def moments(
    series: Sequence[tuple[datetime, Decimal | None]], policy: Policy, now: datetime
) -> Iterable[tuple[datetime, Decimal | None]]:
    """Each value at its moment, and again when a rule that has waited since then would act."""
    for place, (at, value) in enumerate(series):
        until = series[place + 1][0] if place + 1 < len(series) else now
        later = {at + policy.open_after, at + policy.clear_after}
        yield at, value
        yield from ((moment, value) for moment in sorted(later) if at < moment < until)
