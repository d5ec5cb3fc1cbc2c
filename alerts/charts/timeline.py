"""An alert's value and its line over time, for the chart of its page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

from alerts.kinds import KINDS
from alerts.lifecycle.states import Cause
from alerts.metrics.thresholds import BadThreshold
from alerts.metrics.units import CHART_UNITS, decimal_text, money, time
from alerts.metrics.watch import Watch
from alerts.models import Alert
from alerts.wording import moment, money_day

FEWEST = 2  # points that make a line


@dataclass(frozen=True, slots=True)
class Point:
    """A value and the line that held then, in the rule's unit; None where nothing was known."""

    at: datetime
    value: Decimal
    line: Decimal | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The points of an alert's value, oldest first, with the words around them."""

    alert: Alert
    points: list[Point]
    unit: str
    scale: Decimal
    days: bool = False  # its points are whole days of money or volume

    @property
    def since(self) -> str:
        return self._when(self.points[0].at)

    @property
    def until(self) -> str:
        return self._when(self.points[-1].at)

    def _when(self, at: datetime) -> str:
        return money_day(at) if self.days else moment(at)

    @property
    def sentence(self) -> str:
        """What the chart shows, in words."""
        last = self.points[-1]
        values = [point.value for point in self.points]
        words = {
            "since": self.since,
            "until": self.until,
            "least": self.say(min(values)),
            "most": self.say(max(values)),
            "line": self.say(last.line) if last.line is not None else _("unknown"),
        }
        if len(set(values)) == 1:
            return _("From %(since)s to %(until)s the value was %(most)s, limit %(line)s.") % words
        return _("From %(since)s to %(until)s the value was %(least)s to %(most)s, limit %(line)s.") % words

    def say(self, value: Decimal) -> str:
        """In the alert's unit."""
        return said_in(self.unit, value)

    @property
    def series(self) -> list[dict[str, Any]]:
        """Rows of the `lines` tag; the line as one of them, because a budget or a rule may have moved it."""
        rows = [self._row(_("Value"), [(point.at, point.value) for point in self.points], 1)]
        lines = [(point.at, point.line) for point in self.points if point.line is not None]
        return [*rows, self._row(_("Limit"), lines, 3)] if len(lines) >= FEWEST else rows

    def _row(self, name: str, points: list[tuple[datetime, Any]], style: int) -> dict[str, Any]:
        scaled = [(at, value * self.scale) for at, value in points]
        return {"name": name, "points": scaled, "style": style, "step": True}

    @property
    def shades(self) -> list[dict[str, Any]]:
        """While it was open."""
        if self.alert.opened_at is None:
            return []
        ends = self.alert.resolved_at or self.points[-1].at
        return [{"from": max(self.alert.opened_at, self.points[0].at), "to": ends, "name": _("open"), "label": ""}]


def said_in(unit: str, value: Decimal) -> str:
    """A value in the unit of a kind of rule: `$12.40`, `$100`, `90 %`, `3`."""
    if unit == "usd":
        return money(value)
    if unit == "ms":
        return time(value)
    units = {"percent": "\N{NO-BREAK SPACE}%", "s": " s"}
    return decimal_text(value) + units.get(unit, "")


def text_in(unit: str, stored: str) -> str:
    """A stored value or threshold in words; what is no number stays as it is."""
    number = decimal_of(stored)
    return stored if number is None else said_in(unit, number)


def timeline(alert: Alert) -> Timeline | None:
    """The chart of an alert's page; None where there are too few points for a line."""
    return drawn(alert, stored_points(alert))


def stored_points(alert: Alert, until: datetime | None = None) -> list[Point]:
    """The points of an alert from its samples and transitions, oldest first."""
    rows = [(row.at, row.value, row.threshold) for row in alert.samples.all()]
    seen = alert.transitions.exclude(cause__in=(Cause.RAISED, Cause.LOWERED)).exclude(value="")
    rows += [(row.at, row.value, alert.threshold) for row in seen]
    by_moment = {at: point_of(at, value, line) for at, value, line in sorted(rows) if until is None or at <= until}
    return [point for point in by_moment.values() if point]


def drawn(alert: Alert, points: list[Point], *, days: bool = False) -> Timeline | None:
    if len(points) < FEWEST:
        return None
    unit = unit_of(alert)
    return Timeline(alert, points, unit, Decimal("0.01") if unit == "percent" else Decimal(1), days)


def point_of(at: datetime, value: str, line: str) -> Point | None:
    amount = decimal_of(value)
    return None if amount is None else Point(at, amount, decimal_of(line))


def decimal_of(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def unit_of(alert: Alert) -> str:
    """The unit of an alert's values, by the name that charts use."""
    if alert.rule.kind != "figure":
        kind = KINDS.get(alert.rule.kind)
        return kind.unit if kind else "count"
    try:
        return CHART_UNITS.get(Watch.of(alert.rule.thresholds).metric.unit.label, "count")
    except BadThreshold:
        return "count"
