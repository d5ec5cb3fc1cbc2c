"""Whether a month is on plan, from what the plan knows about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from django.utils.translation import gettext as _

from costs.plan.budget_status import BudgetStatus
from costs.plan.month import Month
from costs.plan.queries import Plan
from costs.verdicts.on_plan import FEWEST_DAYS, on_plan
from costs.verdicts.verdict import Verdict
from lib.confidence_intervals import Interval
from lib.dates import DAY
from lib.formats import day_text
from lib.formats import month as month_name


def plan_verdict(month: Month, status: BudgetStatus | None, today: date) -> Verdict:
    """Compare the month with what its phases or a budget allow; `status` is None where nothing is planned.

    `today` is the running day, UTC; past the end of the budget's days in the month only what they cost counts.
    """
    if status is None:
        unpriced = month.unpriced_requests
        return on_plan(
            month.first, spent=month.spent, limit=None, forecast=None, median=None, days=0, unpriced=unpriced
        )
    forecast = status.forecast
    return on_plan(
        status.allowance.first,
        spent=status.spent,
        limit=status.allowance.high,
        forecast=Interval(forecast.low, forecast.high) if forecast else None,
        median=forecast.median if forecast else None,
        days=(today - status.allowance.first).days,
        is_over=today >= status.allowance.end,
        unpriced=status.month.unpriced_requests,
    )


def without_early_forecast(month: Month, today: date) -> Month:
    """The month as pages show it: under three days it has no forecast to draw, as it is too early for a verdict."""
    if month.forecast is None or (today - month.first).days >= FEWEST_DAYS:
        return month
    text = _("The forecast of %(month)s is shown from %(day)s on.")
    first = month.first + FEWEST_DAYS * DAY
    return replace(month, forecast=None, reason=text % {"month": month_name(month.first), "day": day_text(first)})


def shown_plan(plan: Plan, today: date) -> Plan:
    """The plan as its page shows it; see `without_early_forecast`."""
    month = without_early_forecast(plan.month, today)
    if month is plan.month:
        return plan
    status = replace(plan.status, month=month) if plan.status else None
    phases = [replace(state, forecast=None, runs_out_on=None) for state in plan.phases]
    return replace(plan, month=month, status=status, phases=phases)
