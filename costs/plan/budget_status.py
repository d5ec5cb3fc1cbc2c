"""What one month may cost: budgets a month, prorated by days, with what last month left. Pure.

A budget that begins or ends inside a month has that month's share of days; two phases that meet inside a month give it
their two shares together. What is carried is last month's rest of its own budget and lapses after a month, so that
nothing piles up; overspending is not carried, its alert has said it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from costs.dates import month_of
from costs.models.terms import Term
from costs.plan.forecast import Forecast
from lib.formats import dollars
from lib.money import CENT, ZERO

if TYPE_CHECKING:
    from costs.plan.month import Month


@dataclass(frozen=True, slots=True)
class TermPart:
    """The share of a month that one term gives: `days` of the month's `of`."""

    term: Term
    days: int
    of: int

    @property
    def low(self) -> Decimal:
        return (self.term.low * self.days / self.of).quantize(CENT)

    @property
    def high(self) -> Decimal:
        return (self.term.high * self.days / self.of).quantize(CENT)

    @property
    def whole(self) -> bool:
        return self.days == self.of

    @property
    def arithmetic(self) -> str:
        words = {"whole": dollars(self.term.high), "days": self.days, "of": self.of}
        return _("%(whole)s × %(days)s of %(of)s days") % words


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the days from `first` to the day before `end`, all of one month, may cost."""

    first: date
    end: date
    parts: tuple[TermPart, ...]
    carried: Decimal = ZERO

    @property
    def low(self) -> Decimal:
        return sum((part.low for part in self.parts), ZERO)

    @property
    def own(self) -> Decimal:
        """The high end without what was carried."""
        return sum((part.high for part in self.parts), ZERO)

    @property
    def high(self) -> Decimal:
        return self.own + self.carried

    @property
    def plain(self) -> bool:
        """Whether it is one whole month's budget, so that there is no arithmetic to show."""
        return len(self.parts) == 1 and self.parts[0].whole and not self.carried

    def holds(self, day: date) -> bool:
        return self.first <= day < self.end

    def spent(self, days: Mapping[date, Decimal]) -> Decimal:
        return sum((amount for day, amount in days.items() if self.holds(day)), ZERO)


def allowance(terms: Iterable[Term], month: date, days: Mapping[date, Decimal] | None = None) -> Allowance | None:
    """What the month of this first day may cost; None where no term has a day in it.

    `days`: spend of last month's days, for what is carried.
    """
    settled = close_open_ends(terms)
    own = _own(settled, month)
    if own is None or days is None or not own.parts[-1].term.carries:
        return own
    before = _own(settled, month_of(_day_before(month))[0])
    return replace(own, carried=max(before.high - before.spent(days), ZERO) if before else ZERO)


def close_open_ends(terms: Iterable[Term]) -> list[Term]:
    """Sort terms by time and end each one where the next begins."""
    ordered = sorted(terms, key=lambda term: term.starts_on)
    ends = [min(term.ends_on or date.max, later.starts_on) for term, later in pairwise(ordered)]
    return [replace(term, ends_on=end) for term, end in zip(ordered, ends, strict=False)] + ordered[-1:]


def _own(terms: Iterable[Term], month: date) -> Allowance | None:
    last = month_of(month)[1]
    of = (last - month).days + 1
    parts, bounds = [], []
    for term in terms:
        first = max(term.starts_on, month)
        end = min(term.ends_on or date.max, date.fromordinal(last.toordinal() + 1))
        if first < end:
            parts.append(TermPart(term, (end - first).days, of))
            bounds += [first, end]
    return Allowance(min(bounds), max(bounds), tuple(parts)) if parts else None


def _day_before(day: date) -> date:
    return date.fromordinal(day.toordinal() - 1)


@dataclass(frozen=True)
class BudgetStatus:
    """A month held against what it may cost; every figure is of the allowance's days alone, USD."""

    allowance: Allowance
    month: Month

    @property
    def spent(self) -> Decimal:
        return self.allowance.spent(self.month.days)

    @property
    def left(self) -> Decimal:
        return self.allowance.high - self.spent

    @property
    def share(self) -> Decimal | None:
        """Share of the high end that is spent; None where nothing may be spent."""
        return self.spent / self.allowance.high if self.allowance.high else None

    @property
    def forecast(self) -> Forecast | None:
        """The month's forecast, less what lies outside the allowance's days."""
        outlook = self.month.forecast
        if outlook is None:
            return None
        outside = [*self.month.days.items(), *self.month.ahead()]
        other = sum((amount for day, amount in outside if not self.allowance.holds(day)), ZERO)
        if not other:
            return outlook
        low, median, high = (
            max(end - other, self.spent).quantize(CENT) for end in (outlook.low, outlook.median, outlook.high)
        )
        return replace(outlook, low=low, median=median, high=high)

    @property
    def runs_out_on(self) -> date | None:
        """The day on which the spend passes the high end, at the forecast's middle; None: not this month."""
        total = ZERO
        for day, amount in [*sorted(self.month.days.items()), *self.month.ahead()]:
            total += amount if self.allowance.holds(day) else ZERO
            if total > self.allowance.high:
                return day
        return None
