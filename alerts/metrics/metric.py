"""What a metric is: a named figure that a rule may watch. And the reads that make one from sums of the rollups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.urls import reverse
from django.utils.http import urlencode

from alerts.metrics.current import CurrentMetrics, Sums
from alerts.metrics.history import MetricHistory
from alerts.metrics.scopes import Place, Scope
from alerts.metrics.units import Unit
from alerts.metrics.windows import Window

COLUMNS = ("application", "provider", "model", "deployment", "task", "owner")
LINKED = ("application", "provider", "model", "deployment", "task")


@dataclass(frozen=True, slots=True)
class Reading:
    """A value in the figure's unit; None is unknown. `at_least`: a part of it is not known, so it is a lower bound."""

    value: Decimal | None
    at_least: bool = False


Series = list[tuple[datetime, Decimal | None]]  # each value holds from its moment until the next


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that a rule may watch. `current` reads it at the evaluation's moment, `history` reads its last 90 days;
    `history` is None where nothing keeps them."""

    label: str
    unit: Unit
    windows: tuple[Window, ...]
    current: Callable[[CurrentMetrics, Window, Place], Reading]
    history: Callable[[MetricHistory, Window, Place], Series] | None
    scopes: tuple[str, ...] = COLUMNS
    page: str = "costs:spend"  # where the evidence stands
    why_no_history: str = ""
    least: int = 0  # requests from which a new rule trusts it, of a share or mean of requests; 0: of nothing else
    of_one: bool = False  # of one thing or everything, never of two things at once

    def path(self, scope: Scope) -> str:
        """Its page, with the scope as the page's filters."""
        query = [(dimension, name) for dimension, name in scope.names if dimension in LINKED]
        return reverse(self.page) + (f"?{urlencode(query)}" if query else "")


Of = Callable[[Sums], Reading]


def of_sums(
    of: Of,
) -> tuple[Callable[[CurrentMetrics, Window, Place], Reading], Callable[[MetricHistory, Window, Place], Series]]:
    """Both reads of a metric that is computed from sums of requests, whatever the window."""

    def read_current(current: CurrentMetrics, window: Window, place: Place) -> Reading:
        return of(current.sums(window, place))

    def read_history(history: MetricHistory, window: Window, place: Place) -> Series:
        return [(at, of(sums).value) for at, sums in history.sums(window, place)]

    return read_current, read_history


def share(part: int, whole: int) -> Decimal | None:
    """Per cent; None of nothing."""
    return Decimal(part) * 100 / whole if whole else None
