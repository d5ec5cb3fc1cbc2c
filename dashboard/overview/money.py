"""Are we on plan? Compares the month with the budget of the phase planned for today, without queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _

from costs.allocation.queries import Line
from costs.dates import days_of, from_first
from costs.models import Phase, Provenance
from costs.plan.budget_status import Allowance, BudgetStatus
from costs.plan.forecast import Forecast
from costs.plan.month import Month
from costs.plan.queries import Days, by_day, hold
from costs.plan.verdict import plan_verdict, without_early_forecast
from costs.verdicts.verdict import State, Verdict
from dashboard.overview.reads import Facts
from lib import formats
from lib.dates import midnight
from lib.formats import at_least_dollars, dollars, figure, sentences
from lib.money import ZERO


@dataclass(frozen=True)
class Money:
    """The month so far, USD. `pace` is what would be spent by now with an even use of the budget."""

    month: Month
    phase: Phase | None
    phase_month: int | None  # how many months of the phase have begun
    phase_months: int | None  # how many it has; None: no end
    provenance: Mapping[str, Decimal]
    before: Decimal | None  # spend of the same days of the month before; None: unknown
    before_ends: date
    pace: Decimal | None
    runs_out_on: date | None
    now: datetime
    status: BudgetStatus | None  # the month compared with the phases' shares of it
    paced: Decimal | None = None  # spent, with entered charges spread evenly over the month; None: too early to compare

    @property
    def limit(self) -> Decimal | None:
        """USD that this month may cost; None if no phase is planned for today."""
        return self.status.allowance.high if self.status else None

    @property
    def low(self) -> Decimal | None:
        return self.status.allowance.low if self.status else None

    @cached_property
    def verdict(self) -> Verdict:
        return plan_verdict(self.month, self.status, self.now.astimezone(UTC).date())

    @property
    def forecast(self) -> Forecast | None:
        return self.month.forecast

    @property
    def at_least(self) -> bool:
        return self.month.unpriced_requests > 0

    @property
    def before_words(self) -> str:
        return from_first(self.before_ends)

    @property
    def ahead(self) -> Decimal | None:
        """USD by which the spend exceeds an even use of the budget's high end."""
        return None if self.pace is None or self.paced is None else self.paced - self.pace

    @property
    def to_spare(self) -> Decimal | None:
        """USD that the forecast leaves of the budget's high end; negative if it exceeds it."""
        forecast = self.status.forecast if self.status else None
        return self.limit - forecast.median if self.limit is not None and forecast else None

    @property
    def largest_source(self) -> tuple[str, Decimal] | None:
        """The provenance of the largest part of the spend, and its share (0 to 1)."""
        kind, amount = max(self.provenance.items(), key=lambda item: item[1], default=("", ZERO))
        total = sum(self.provenance.values(), ZERO)
        return (kind, amount / total) if total > 0 else None

    @property
    def meter(self) -> Mapping[str, Decimal] | None:
        """The forecast in the shape that the plan bar takes."""
        forecast = self.month.forecast
        return {"low": forecast.low, "median": forecast.median, "high": forecast.high} if forecast else None

    def headline(self) -> str:
        """The month's part of the page's heading."""
        if self.status is None:
            return self._with_figures(_("{month} <b>{spent}</b> without a budget"))
        if self.status.spent > (self.limit or ZERO):
            return self._with_figures(_("{month} <b>over budget</b> ({spent} of {limit})"))
        texts = {
            State.MET: _("{month} <b>within budget</b> ({middle} of {limit})"),
            State.NOT_MET: _("{month} <b>heading over {limit}</b> (forecast {middle})"),
            State.TOO_CLOSE: _("{month} <b>close to {limit}</b> (forecast {middle})"),
            State.NOT_ENOUGH: _("{month} <b>{spent}</b> of {limit} so far"),
        }
        return self._with_figures(texts[self.verdict.state])

    def answer(self) -> str:
        """What is spent, compared with an even use of the budget, and the forecast of the month."""
        spent = _("<b>{exact}</b> is spent in {month}")
        if self.at_least:
            spent = _("At least <b>{exact}</b> is spent in {month}")
        pace = ""
        if self.phase and self.ahead and self.ahead > 0:
            pace = _(", <b>{ahead}</b> ahead of an even pace")
        elif self.phase and self.paced is not None:
            pace = _(". An even pace would be <b>{pace}</b>")
        return sentences(self._with_figures(f"{spent}{pace}."), self._outlook())

    def _outlook(self) -> str:
        unknown = self.verdict.because
        if self.verdict.state == State.NOT_ENOUGH and self.phase is not None and not unknown:
            return sentences(_("It is too early to forecast the month."), self.verdict.needed)
        if self.forecast is None:
            return self.month.reason
        if self.phase is None:
            return self._with_figures(_("Forecast: <b>{middle}</b>."))
        end = self._with_figures(_("Forecast: <b>{middle}</b>, limit <b>{limit}</b>."))
        lasts = self.runs_out_on is not None and self.status is not None and self.status.left > 0
        until = self._with_figures(_("The budget lasts until <b>{runs_out_on}</b>.")) if lasts else ""
        return sentences(end, until, unknown, self.verdict.needed if unknown else "")

    def phase_sentence(self) -> str:
        """The phase planned for today with its budget, and how many of its months have begun."""
        if self.phase is None:
            return _("No phase is planned for today.")
        text, come = _("Phase {phase}, budget {low} to {limit} a month"), ""
        if self.phase_months:
            come = _(", month {phase_month} of {phase_months}")
        elif self.phase_month:
            come = _(", month {phase_month}")
        return self._with_figures(f"{text}{come}.")

    def pace_headline(self) -> str:
        """What the chart of the month shows: the forecast, and when the limit is passed."""
        if self.forecast is None:
            return self._with_figures(_("{month} has cost {spent} so far"))
        if self.phase is None:
            return self._with_figures(_("{month} forecast: {middle}, no budget planned"))
        if self.verdict.because:
            return self._with_figures(_("{month} forecast: at least {middle} of {limit}"))
        if self.to_spare is not None and self.to_spare >= 0:
            return self._with_figures(_("{month} forecast: {middle}, {spare} under the limit"))
        return self._with_figures(_("{month} forecast: {middle}, over {limit} on {runs_out_on}"))

    def _with_figures(self, text: str) -> str:
        """`text` with the placeholders replaced by the month's figures."""
        median, spent = self.forecast.median if self.forecast else None, self.month.spent
        return format_html(
            text,
            month=formats.month(self.month.first),
            exact=figure(dollars(spent), "spend", spent, self.month.first),
            spent=figure(at_least_dollars(spent, self.at_least), "spend", spent, self.month.first),
            low=dollars(self.low, 0),
            limit=figure(dollars(self.limit, 0), "budget", self.limit, self.month.first),
            middle=figure(dollars(median, 0), "forecast", median, self.month.first),
            spare=dollars(self.to_spare, 0),
            pace=dollars(self.pace, 0),
            ahead=dollars(self.ahead, 0),
            runs_out_on=formats.when(self.runs_out_on),
            phase=self.phase.name if self.phase else "",
            phase_month=self.phase_month,
            phase_months=self.phase_months,
        )


def money(facts: Facts) -> Money:
    month, phase = without_early_forecast(facts.month, facts.today), facts.phase
    status = hold(facts.phases, month, facts.days) if phase else None
    before, ends = same_days_before(facts.days, month.first, facts.today)
    recorded = min((line.day for line in facts.days.lines), default=None)
    is_early = days_of(month.first, facts.today, recorded).is_early
    return Money(
        month=month,
        phase=phase,
        phase_month=months_between(phase.starts_on, facts.today) + 1 if phase and phase.starts_on else None,
        phase_months=months_between(phase.starts_on, phase.ends_on - timedelta(days=1)) + 1
        if phase and phase.starts_on and phase.ends_on
        else None,
        provenance=by_provenance(line for line in facts.days.lines if line.day >= month.first),
        before=None if is_early else before,
        before_ends=ends,
        pace=status.allowance.high * elapsed(status.allowance, facts.now) if status else None,
        runs_out_on=status.runs_out_on if status else None,
        now=facts.now,
        status=status,
        paced=None if is_early or status is None else paced(facts.days, status, facts.now),
    )


def paced(days: Days, status: BudgetStatus, now: datetime) -> Decimal:
    """USD spent, with the month's entered charges counted by the share of the month that has passed.

    A charge for the whole month is entered on one day; as it stands it would look like a pace.
    """
    first = status.allowance.first
    entered = sum(
        (line.amount for line in days.lines if line.day >= first and line.provenance == Provenance.ENTERED), ZERO
    )
    coming = sum((line.amount for line in days.coming if line.provenance == Provenance.ENTERED), ZERO)
    return status.spent - entered + (entered + coming) * elapsed(status.allowance, now)


def by_provenance(lines: Iterable[Line]) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for line in lines:
        totals[line.provenance] = totals.get(line.provenance, ZERO) + line.amount
    return totals


def same_days_before(days: Days, first: date, today: date) -> tuple[Decimal | None, date]:
    """USD of the days of the month before that Spend compares with too (None: unknown), and the last of them."""
    compared = days_of(first, today)
    amounts = by_day(line for line in days.lines if compared.before <= line.day < compared.before_until)
    return (sum(amounts.values(), ZERO) if amounts else None), compared.before_last


def elapsed(budget: Allowance, now: datetime) -> Decimal:
    """The share (0 to 1) of a budget's days in this month that has passed."""
    whole = midnight(budget.end) - midnight(budget.first)
    gone = min(max(now.astimezone(UTC) - midnight(budget.first), timedelta()), whole)
    return Decimal(int(gone.total_seconds())) / int(whole.total_seconds())


def months_between(first: date, last: date) -> int:
    """Calendar months from the month of `first` to that of `last`."""
    return (last.year - first.year) * 12 + last.month - first.month
