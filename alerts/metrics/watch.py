"""What one rule of kind `figure` looks for: a named figure of something, over or under a line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from alerts.lifecycle.states import Observation
from alerts.metrics import METRICS
from alerts.metrics.current import CurrentMetrics
from alerts.metrics.history import MetricHistory
from alerts.metrics.metric import Metric, Reading, Series
from alerts.metrics.scopes import DIMENSIONS, Names, Place, Scope
from alerts.metrics.thresholds import BadThreshold
from alerts.metrics.windows import Window

OVER: Final = "over"
UNDER: Final = "under"
MOST_REQUESTS = 1_000_000  # that a rule may wait for
SIDES = {OVER: gettext_noop("over"), UNDER: gettext_noop("under")}


@dataclass(frozen=True, slots=True)
class Watch:
    """As a rule's `thresholds` keep it: `{"figure", "window", "scope": {dimension: name}, "side", "line": "500"}`, and
    `"clear": "450"` where it is over only there (hysteresis); lines are decimal text in the figure's unit. A share of
    requests may have `"least": 20`, the requests below which it says nothing."""

    key: str
    window: Window
    scope: Scope
    side: str
    line: Decimal
    clear: Decimal | None = None  # None: the line itself
    least: int = 0  # requests of the window below which the figure counts as unknown; 0: any number

    @classmethod
    def of(cls, thresholds: Mapping[str, Any]) -> Watch:
        """Raises BadThreshold for what this version does not know."""
        key = str(thresholds.get("figure", ""))
        figure = METRICS.get(key)
        if figure is None:
            raise BadThreshold(_("There is no figure “%(name)s”. Choose another.") % {"name": key})
        side = str(thresholds.get("side", OVER))
        if side not in SIDES:
            raise BadThreshold(_("Choose over or under, not “%(name)s”.") % {"name": side})
        scope = Scope.of(thresholds.get("scope"))
        check_scope(figure, scope)
        line = line_of(thresholds.get("line"))
        clear = line_of(thresholds["clear"]) if thresholds.get("clear") not in (None, "") else None
        check_clear(side, line, clear)
        least = least_of(figure, thresholds.get("least") or 0)
        return cls(key, window_of(figure, str(thresholds.get("window", ""))), scope, side, line, clear, least)

    @property
    def json(self) -> dict[str, Any]:
        return {
            "figure": self.key,
            "window": self.window.value,
            "scope": dict(self.scope.names),
            "side": self.side,
            "line": f"{self.line:f}",
            **({} if self.clear is None else {"clear": f"{self.clear:f}"}),
            **({"least": self.least} if self.least else {}),
        }

    @property
    def metric(self) -> Metric:
        return METRICS[self.key]

    def read(self, current: CurrentMetrics, place: Place) -> Reading:
        """The value now; unknown while there are fewer requests than `least`."""
        if self.least and current.sums(self.window, place).requests < self.least:
            return Reading(None)
        return self.metric.current(current, self.window, place)

    def past(self, history: MetricHistory, place: Place) -> Series:
        """The last 90 days, unknown as in `read`. Only of a metric with a history."""
        assert self.metric.history is not None, "asked only where there is one"
        series = self.metric.history(history, self.window, place)
        if not self.least:
            return series
        few = {at for at, sums in history.sums(self.window, place) if sums.requests < self.least}
        return [(at, None if at in few else value) for at, value in series]

    def what(self, names: Names) -> str:
        """`spend of application Support bot this month`."""
        when = "" if self.window == Window.NOW else self.window.words
        return " ".join(filter(None, [_(self.metric.label), self.scope.words(names), when]))

    @property
    def subject(self) -> str:
        """The stable key of its alert: `spend/application:support-bot`; a silence of it leaves other figures alone."""
        return f"{self.key}/{self.scope.subject}"

    @property
    def against(self) -> str:
        """`over $500`."""
        text = f"{_(SIDES[self.side])} {self.metric.unit.say(self.line)}"
        if self.clear is None:
            return text
        return _("%(over)s, recovers at %(clear)s") % {"over": text, "clear": self.metric.unit.say(self.clear)}

    def observe(self, reading: Reading) -> Observation:
        """The side of the line on which a value lies. An unknown value crosses no line."""
        crossed = self.crossed(reading)
        return Observation(crossed, not crossed and self._cleared(reading))

    def _cleared(self, reading: Reading) -> bool:
        if reading.value is None or self.clear is None:
            return True
        return reading.value <= self.clear if self.side == OVER else reading.value >= self.clear or reading.at_least

    def crossed(self, reading: Reading) -> bool:
        """What is unknown crosses nothing, and a lower bound is under no line."""
        if reading.value is None:
            return False
        if self.side == OVER:
            return reading.value > self.line
        return reading.value < self.line and not reading.at_least


def check_clear(side: str, line: Decimal, clear: Decimal | None) -> None:
    """Raises BadThreshold for a clear line on the wrong side of the line."""
    if clear is None or (clear <= line if side == OVER else clear >= line):
        return
    if side == OVER:
        raise BadThreshold(_("Recovery must be at the threshold or below. Enter a lower value."))
    raise BadThreshold(_("Recovery must be at the threshold or above. Enter a higher value."))


def least_of(figure: Metric, entered: Any) -> int:
    """Raises BadThreshold for what is no number of requests; 0 for a figure that is no share of requests."""
    if not re.fullmatch(r"\d{1,7}", str(entered)):
        raise BadThreshold(_("“%(given)s” is no number of requests.") % {"given": entered})
    return int(entered) if figure.least else 0


def window_of(figure: Metric, name: str) -> Window:
    """Raises BadThreshold with the windows that there are."""
    if name in figure.windows:
        return Window(name)
    names = _(" or ").join(f"“{window.words}”" for window in figure.windows)
    raise BadThreshold(
        _("%(what)s is only available %(windows)s. Choose that.") % {"what": capital(_(figure.label)), "windows": names}
    )


def check_scope(figure: Metric, scope: Scope) -> None:
    """Raises BadThreshold for a dimension that the figure does not have."""
    if {"application", "owner"} <= {dimension for dimension, _name in scope.names}:
        raise BadThreshold(_("Choose an application or an owner, not both."))
    if figure.of_one and len(scope.names) > 1:
        raise BadThreshold(
            _("%(what)s is only available for a single item. Choose one.") % {"what": capital(_(figure.label))}
        )
    for dimension, _name in scope.names:
        if dimension in figure.scopes:
            continue
        values = {"what": capital(_(figure.label)), "dimension": _(DIMENSIONS[dimension])}
        values["others"] = _(" or ").join(_(DIMENSIONS[name]) for name in figure.scopes)
        if figure.scopes:
            raise BadThreshold(_("%(what)s is not available by %(dimension)s, only by %(others)s.") % values)
        raise BadThreshold(_("%(what)s is only available as a total, not by %(dimension)s.") % values)


def line_of(value: Any) -> Decimal:
    try:
        line = Decimal(str(value))
    except InvalidOperation:
        raise BadThreshold(_("The threshold “%(given)s” is not a number.") % {"given": value}) from None
    if not line.is_finite():
        raise BadThreshold(_("The threshold “%(given)s” is not a number.") % {"given": value})
    return line


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
