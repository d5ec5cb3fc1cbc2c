"""Are we on plan? The month against the budget of the phase planned for today. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from costs.allocation.queries import ZERO, Line
from costs.models import Phase
from costs.plan.budget_status import Allowance, BudgetStatus
from costs.plan.forecast import Forecast
from costs.plan.month import Month
from costs.plan.queries import Days, by_day, hold
from dashboard.overview.reads import Facts, midnight

# How the verdict is shown: kind of mark. `early`: too few days for a forecast; `none`: nothing planned for today.
MARKS = {"over": "bad", "will_pass": "warn", "tight": "warn", "inside": "ok", "early": "unknown", "none": "unknown"}


@dataclass(frozen=True)
class Money:
    """The month so far, USD. `pace` is what a budget used evenly would have spent by now."""

    month: Month
    phase: Phase | None
    phase_month: int | None  # how many months of the phase have begun
    phase_months: int | None  # how many it has; None: no end
    provenance: Mapping[str, Decimal]
    before: Decimal | None  # the same days of the month before; None: nothing is known of them
    before_ends: date
    pace: Decimal | None
    runs_out_on: date | None
    now: datetime
    status: BudgetStatus | None  # the month against the phases' shares of it

    @property
    def limit(self) -> Decimal | None:
        """What this month may cost; None: nothing is planned for today."""
        return self.status.allowance.high if self.status else None

    @property
    def low(self) -> Decimal | None:
        return self.status.allowance.low if self.status else None

    @property
    def verdict(self) -> str:
        if self.status is None or self.limit is None:
            return "none"
        if self.status.spent > self.limit:
            return "over"
        forecast = self.status.forecast
        if forecast is None:
            return "early"
        if forecast.median > self.limit:
            return "will_pass"
        return "tight" if forecast.high > self.limit else "inside"

    @property
    def mark(self) -> str:
        return MARKS[self.verdict]

    @property
    def forecast(self) -> Forecast | None:
        return self.month.forecast

    @property
    def at_least(self) -> bool:
        return self.month.unpriced_requests > 0

    @property
    def ahead(self) -> Decimal | None:
        """How much more is spent than an even pace to the budget's high end would have."""
        return None if self.pace is None or self.status is None else self.status.spent - self.pace

    @property
    def share(self) -> Decimal | None:
        """Of the budget's high end."""
        return self.status.share if self.status else None

    @property
    def to_spare(self) -> Decimal | None:
        """What the forecast leaves of the budget's high end; negative where it passes it."""
        forecast = self.status.forecast if self.status else None
        return self.limit - forecast.median if self.limit is not None and forecast else None

    @property
    def largest_source(self) -> tuple[str, Decimal] | None:
        """The provenance of the largest part, and its share."""
        kind, amount = max(self.provenance.items(), key=lambda item: item[1], default=("", ZERO))
        total = sum(self.provenance.values(), ZERO)
        return (kind, amount / total) if total > 0 else None

    @property
    def meter(self) -> Mapping[str, Decimal] | None:
        """The forecast as the plan bar takes it."""
        forecast = self.month.forecast
        return {"low": forecast.low, "median": forecast.median, "high": forecast.high} if forecast else None


def money(facts: Facts) -> Money:
    month, phase = facts.month, facts.phase
    status = hold(facts.phases, month, facts.days) if phase else None
    before, ends = same_days_before(facts.days, month.first, facts.today)
    return Money(
        month=month,
        phase=phase,
        phase_month=months_between(phase.starts_on, facts.today) + 1 if phase and phase.starts_on else None,
        phase_months=months_between(phase.starts_on, phase.ends_on - timedelta(days=1)) + 1
        if phase and phase.starts_on and phase.ends_on
        else None,
        provenance=by_provenance(line for line in facts.days.lines if line.day >= month.first),
        before=before,
        before_ends=ends,
        pace=status.allowance.high * elapsed(status.allowance, facts.now) if status else None,
        runs_out_on=status.runs_out_on if status else None,
        now=facts.now,
        status=status,
    )


def by_provenance(lines: Iterable[Line]) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for line in lines:
        totals[line.provenance] = totals.get(line.provenance, ZERO) + line.amount
    return totals


def same_days_before(days: Days, first: date, today: date) -> tuple[Decimal | None, date]:
    """Spend of the month before up to the same day of the month, and that day; None where nothing was known then."""
    last = first - timedelta(days=1)
    start = last.replace(day=1)
    ends = min(last, start + (today - first))
    amounts = by_day(line for line in days.lines if start <= line.day <= ends)
    return (sum(amounts.values(), ZERO) if amounts else None), ends


def elapsed(budget: Allowance, now: datetime) -> Decimal:
    """The share of a budget's days in this month that is over."""
    whole = midnight(budget.end) - midnight(budget.first)
    gone = min(max(now.astimezone(UTC) - midnight(budget.first), timedelta()), whole)
    return Decimal(int(gone.total_seconds())) / int(whole.total_seconds())


def months_between(first: date, last: date) -> int:
    """Calendar months from one day's to another's."""
    return (last.year - first.year) * 12 + last.month - first.month
