"""A budget in one month, as the rules look at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal

from costs.models import Budget, BudgetScope
from costs.plan.budget_status import Allowance, BudgetStatus
from costs.plan.budgets import BudgetPosition
from costs.plan.verdict import plan_verdict
from costs.verdicts.verdict import Verdict


class MonthBudget:
    """A phase's or another budget in one month, USD. What lies ahead is worked out only when asked for.

    `kind` is phase or budget; with the slug and the month it is the alert's subject.
    """

    def __init__(
        self, kind: str, slug: str, name: str, allowance: Allowance, spent: Decimal, provenance: Mapping[str, Decimal],
        at_least: bool, ahead: Callable[[], BudgetStatus], budget: Budget | None = None,
    ) -> None:  # fmt: skip
        self.budget = budget  # None: the phase's
        self.kind, self.slug, self.name, self.month = kind, slug, name, allowance.first.replace(day=1)
        self.low, self.high = allowance.low, allowance.high
        self._is_whole = allowance.first == self.month  # else its plan began inside the month
        self.spent, self.provenance, self.at_least = spent, provenance, at_least
        self._ahead = ahead

    @property
    def subject(self) -> str:
        """With the month in it: a new month is a new budget, and the old one's alert ends with it."""
        return f"{self.kind}:{self.slug}:{self.month:%Y-%m}"

    @property
    def scope(self) -> str:
        """Of what its figures are, for `lib.formats.figure`; empty: of everything in the whole month."""
        return "" if self.budget is None and self._is_whole else self.slug

    @property
    def labels(self) -> dict[str, str]:
        """The application that it is of, where it is of one."""
        if self.budget is None or self.budget.scope != BudgetScope.APPLICATION:
            return {}
        return {"application": self.budget.subject}

    @property
    def forecast(self) -> tuple[Decimal, Decimal, Decimal] | None:
        """Low, median and high of the whole month."""
        forecast = self._ahead().forecast
        return (forecast.low, forecast.median, forecast.high) if forecast else None

    def verdict(self, today: date) -> Verdict:
        """Whether the month is on plan, as the pages have it; `today` is the running day."""
        status = self._ahead()
        return plan_verdict(status.month, status, today)

    @property
    def runs_out_on(self) -> date | None:
        return self._ahead().runs_out_on


def other_budget(standing: BudgetPosition) -> MonthBudget:
    budget, status = standing.budget, standing.status
    at_least = standing.month.unpriced_requests > 0
    allowance, spent = status.allowance, status.spent
    return MonthBudget(
        "budget", budget.slug, budget.title, allowance, spent, standing.provenance, at_least, lambda: status, budget
    )
