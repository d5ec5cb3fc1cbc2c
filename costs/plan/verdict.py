"""Whether a month is on plan, from what the plan knows about it."""

from __future__ import annotations

from datetime import date

from costs.dates import month_of
from costs.plan.budget_status import BudgetStatus
from costs.plan.month import Month
from costs.verdicts.on_plan import on_plan
from costs.verdicts.verdict import Verdict
from lib.confidence_intervals import Interval


def plan_verdict(month: Month, status: BudgetStatus | None, today: date) -> Verdict:
    """Compare the month with what its phases or a budget allow; `status` is None where nothing is planned.

    `today` is the running day, UTC; past the month's end only what it cost counts.
    """
    if status is None:
        return on_plan(month.first, spent=month.spent, limit=None, forecast=None, median=None, days=0)
    forecast = status.forecast
    return on_plan(
        status.allowance.first,
        spent=status.spent,
        limit=status.allowance.high,
        forecast=Interval(forecast.low, forecast.high) if forecast else None,
        median=forecast.median if forecast else None,
        days=(today - status.allowance.first).days,
        is_over=today > month_of(month.first)[1],
    )
