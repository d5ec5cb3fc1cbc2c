"""Where each budget stands this month: what it may cost, what it has cost, what it will cost."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import User

from costs.allocation.queries import spend, usage_rows
from costs.dates import month_of
from costs.models import Budget, BudgetScope
from costs.plan.budget_status import BudgetStatus
from costs.plan.month import Month
from costs.plan.queries import Days, Plan, days_of, only, status_against, this_month, usage_by_provider
from costs.plan.verdict import plan_verdict
from costs.verdicts.verdict import Verdict
from lib import sql
from lib.events import log_event
from lib.money import ZERO
from traffic.models import Application, BudgetState
from traffic.usage.filters import Filters

logger = logging.getLogger(__name__)

COARSE = frozenset({BudgetScope.EVERYTHING, BudgetScope.PROVIDER})  # what the days of a provider say by themselves


BUDGET, APPLICATION, OWNER = sql.Table(Budget, "budget"), sql.Table(Application, "app"), sql.Table(User, "owner")
# Those of `BudgetQuerySet.reaching` with what they are for.
REACHING = f"""
SELECT {BUDGET}, {APPLICATION}, {OWNER} FROM costs_budget AS budget
LEFT JOIN traffic_application AS app ON app.id = budget.application_id
LEFT JOIN auth_user AS owner ON owner.id = budget.owner_id
WHERE (budget.ends_on IS NULL OR budget.ends_on > %s) AND budget.starts_on <= %s
ORDER BY budget.scope, budget.provider, app.slug, owner.username, budget.task, budget.starts_on
"""


@dataclass(frozen=True)
class BudgetPosition:
    """A budget and the month held against it."""

    budget: Budget
    status: BudgetStatus
    provenance: dict[str, Decimal]
    today: date  # the running day, UTC

    @property
    def month(self) -> Month:
        return self.status.month

    @property
    def committed(self) -> Decimal:
        """What the month costs whatever the traffic, as far as it is known; without a forecast, so far."""
        return self.month.forecast.committed if self.month.forecast else self.month.committed

    @property
    def is_over(self) -> bool:
        """Whether more is spent already than the month may cost."""
        return self.status.left < 0

    @property
    def verdict(self) -> Verdict:
        """Whether the budget lasts, by the same rule as the plan's; marked with its month and its slug."""
        verdict = plan_verdict(self.month, self.status, self.today)
        return replace(verdict, period=f"{self.month.first:%Y-%m}", scope=self.budget.slug)


def budget_positions(
    now: datetime, budgets: Sequence[Budget] | None = None, beside: Plan | Days | None = None
) -> list[BudgetPosition]:
    """Every budget that has a day in this month, in the order of its scope; the days are read once for all.

    Two months of days: last month's for what is carried and for the forecast's weekdays and growth. What of them was
    read already (`beside`) is not read again.
    """
    today = now.astimezone(UTC).date()
    first, last = month_of(today)
    running = budgets_reaching(first, last) if budgets is None else budgets
    if not running:
        return []
    since = (first - timedelta(1)).replace(day=1)
    days = _days(since, today, any(budget.scope not in COARSE for budget in running), beside)
    owned = applications_of_owners(running)
    positions = (_position(budget, now, only(days, today, filters_of(budget, owned))) for budget in running)
    order = list(BudgetScope.values)
    return sorted(
        filter(None, positions), key=lambda position: (order.index(position.budget.scope), position.budget.name)
    )


def budgets_reaching(first: date, last: date) -> list[Budget]:
    """Budgets with a day from `first` to `last`."""
    return sql.joined(REACHING, BUDGET, (first, last), application=APPLICATION, owner=OWNER)


def _days(since: date, today: date, fine: bool, beside: Plan | Days | None) -> Days:
    usage = usage_rows(since, today + timedelta(1)) if fine else usage_by_provider(since, today + timedelta(1))
    counting, committed = (beside.counting, beside.committed) if beside else (None, None)
    return days_of(since, today, usage, fine, counting, committed)


def _position(budget: Budget, now: datetime, days: Days) -> BudgetPosition | None:
    month = this_month(now, days)
    status = status_against([budget.term], month, days)
    if status is None:
        return None
    provenance: dict[str, Decimal] = {}
    for line in days.lines:
        if status.allowance.holds(line.day):
            provenance[line.provenance] = provenance.get(line.provenance, ZERO) + line.amount
    return BudgetPosition(budget, status, provenance, now.astimezone(UTC).date())


def applications_of_owners(budgets: Iterable[Budget]) -> dict[int, list[int]]:
    """Read the ids of the applications of each owner that one of the budgets is for."""
    owners = {budget.owner_id for budget in budgets if budget.owner_id is not None}
    owned: dict[int, list[int]] = {owner: [] for owner in owners}
    if owners:
        for application, owner in Application.objects.filter(owner__in=owners).values_list("pk", "owner_id"):
            owned[owner].append(application)
    return owned


def filters_of(budget: Budget, owned: Mapping[int, list[int]]) -> Filters:
    """Return filters that pass what a budget covers; the budget of an owner without applications passes nothing."""
    if budget.owner_id is not None:
        return Filters(application=owned[budget.owner_id] or [-1])
    if budget.application_id is not None:
        return Filters(application=[budget.application_id])
    return Filters(provider=[budget.provider] if budget.provider else [], task=[budget.task] if budget.task else [])


def spent_in(budget: Budget, month: date) -> Decimal:
    """What the month of this first day came to, of the days that the budget has in it."""
    end = month_of(month)[1] + timedelta(1)
    since, until = max(month, budget.starts_on), min(end, budget.ends_on or end)
    if since >= until:
        return ZERO
    return spend(since, until, "provider", filters_of(budget, applications_of_owners([budget]))).total


def update_budget_states(now: datetime) -> None:
    """Write to each application whether it is within its budget, which routes read; only changes are written."""
    today = now.astimezone(UTC).date()
    budgets = list(Budget.objects.reaching(today, today + timedelta(1)).filter(scope=BudgetScope.APPLICATION))
    states = {
        position.budget.application_id: BudgetState.OVER if position.is_over else BudgetState.WITHIN
        for position in budget_positions(now, budgets)
    }
    for application in Application.objects.only("pk", "budget_state"):
        state = states.get(application.pk, BudgetState.UNKNOWN)
        if application.budget_state != state:
            Application.objects.filter(pk=application.pk).update(budget_state=state)
            level = logging.WARNING if state == BudgetState.OVER else logging.INFO
            before = application.budget_state
            log_event(logger, level, "budget_state_changed", application=application.slug, before=before, state=state)
