"""What a named figure is, and the reads that make one from sums of the rollups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.urls import reverse
from django.utils.http import urlencode

from alerts.metrics.current import Present, Sums
from alerts.metrics.history import Past
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
class NamedFigure:
    """A figure that a rule may watch. `now` gives it at the evaluation's moment; `past` its last 90 days, None where
    nothing keeps them."""

    label: str
    unit: Unit
    windows: tuple[Window, ...]
    now: Callable[[Present, Window, Place], Reading]
    past: Callable[[Past, Window, Place], Series] | None
    scopes: tuple[str, ...] = COLUMNS
    page: str = "costs:spend"  # where the evidence stands
    why_no_past: str = ""
    of_one: bool = False  # of one thing or everything, never of two things at once

    def path(self, scope: Scope) -> str:
        """Its page, with the scope as the page's filters."""
        asked = [(dimension, name) for dimension, name in scope.names if dimension in LINKED]
        return reverse(self.page) + (f"?{urlencode(asked)}" if asked else "")


Of = Callable[[Sums], Reading]


def of_sums(of: Of) -> tuple[Callable[[Present, Window, Place], Reading], Callable[[Past, Window, Place], Series]]:
    """A figure that follows from the requests added up, whatever the window."""

    def now(present: Present, window: Window, place: Place) -> Reading:
        return of(present.sums(window, place))

    def past(past: Past, window: Window, place: Place) -> Series:
        return [(at, of(sums).value) for at, sums in past.sums(window, place)]

    return now, past


def share(part: int, whole: int) -> Decimal | None:
    """Per cent; None of nothing."""
    return Decimal(part) * 100 / whole if whole else None
