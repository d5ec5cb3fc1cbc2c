"""The running month: what was spent, what is committed, and what it will come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from costs.plan.forecast import Forecast
from lib.formats import dollars, percent
from lib.formats import month as month_name
from lib.money import ZERO


@dataclass(frozen=True)
class Month:
    """The month so far and what it will come to. `forecast` is None with a reason when there is too little data."""

    first: date
    last: date
    spent: Decimal
    requests: int
    unpriced_requests: int
    forecast: Forecast | None
    reason: str
    days: dict[date, Decimal]  # spend of each day so far, today included

    history: dict[date, Decimal]  # variable spend of every known day before today, earlier months included
    committed: Decimal = ZERO  # of what is spent: leases and entered charges
    to_come: Decimal = ZERO  # what is committed of the rest of the month: running leases and charges that come again
    coming: Mapping[date, Decimal] = field(default_factory=dict)  # of that, the charges that come again, on their days

    def ahead(self) -> list[tuple[date, Decimal]]:
        """What the rest of today and each day after it should add, at the forecast's middle; leases run on evenly."""
        if self.forecast is None:
            return []
        total = sum(self.days.values(), ZERO)
        today = max(self.days, default=self.first)
        later = [today + timedelta(n) for n in range(1, (self.last - today).days + 1)]
        path = dict(self.forecast.path)
        rest = max(path.get(today, ZERO) - self.days.get(today, ZERO), ZERO)
        path |= {day: path.get(day, ZERO) + self.coming.get(day, ZERO) for day in later}
        expected = rest + sum((path[day] for day in later), ZERO)
        steady = (self.forecast.median - total - expected) / len(later) if later else ZERO
        return [*([(today, rest)] if rest else []), *((day, path[day] + steady) for day in later)]


@dataclass(frozen=True, slots=True)
class Sides:
    """The month in two parts: committed, and dependent on traffic; None where there is no forecast."""

    first: date  # of the month
    committed: Decimal  # so far
    committed_to_come: Decimal
    variable: Decimal  # so far
    variable_to_come: Decimal | None

    @property
    def committed_month(self) -> Decimal:
        return self.committed + self.committed_to_come

    @property
    def variable_month(self) -> Decimal | None:
        return None if self.variable_to_come is None else self.variable + self.variable_to_come

    @property
    def month(self) -> Decimal | None:
        return None if self.variable_month is None else self.committed_month + self.variable_month

    @property
    def share(self) -> Decimal | None:
        """Share of the month that is committed."""
        return self.committed_month / self.month if self.month else None

    def headline(self) -> str:
        words = {"fixed": dollars(self.committed_month), "month": month_name(self.first)}
        if self.share is None:
            return _("Committed in %(month)s: %(fixed)s") % words
        text = _("Committed in %(month)s: %(fixed)s, %(share)s of the forecast")
        return text % {**words, "share": percent(self.share)}


def sides(month: Month) -> Sides:
    variable = month.spent - month.committed
    to_come = None
    if month.forecast is not None:
        to_come = month.forecast.median - month.committed - month.to_come - variable
    return Sides(month.first, month.committed, month.to_come, variable, to_come)
