"""How the Plan page shows budgets, from plain figures. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.models import BudgetScope
from costs.plan.budget_status import Allowance
from costs.plan.budgets import BudgetPosition
from costs.plan.verdict import without_early_forecast
from costs.verdicts.on_plan import in_short
from costs.verdicts.verdict import State, Verdict
from lib.formats import count, dollars, when


@dataclass(frozen=True, slots=True)
class BudgetRow:
    position: BudgetPosition

    @property
    def verdict(self) -> Verdict:
        return self.position.verdict

    @property
    def word(self) -> str:
        return in_short(self.verdict, self.position.status.spent)

    @property
    def runs_out(self) -> str:
        """The day on which the money runs out, where the verdict goes so far."""
        day = self.position.status.runs_out_on
        if self.verdict.state == State.NOT_MET and day is not None:
            return when(day)
        words = {State.MET: _("not this month"), State.TOO_CLOSE: _("too close to call")}
        return words.get(self.verdict.state, _("not enough data"))

    @property
    def arithmetic(self) -> str:
        return arithmetic(self.position.status.allowance)

    @property
    def meter(self) -> Mapping[str, Decimal] | None:
        """The forecast as the bar takes it."""
        forecast = self.position.status.forecast
        return {"low": forecast.low, "median": forecast.median, "high": forecast.high} if forecast else None


@dataclass(frozen=True, slots=True)
class Budgets:
    rows: list[BudgetRow]

    @property
    def title(self) -> str:
        if not self.rows:
            return _("No budgets besides those of the phases")
        for state in (State.NOT_MET, State.TOO_CLOSE, State.NOT_ENOUGH):
            names = [row.position.budget.title for row in self.rows if row.verdict.state == state]
            if names:
                short = count(len(names)) if len(names) > 2 else _(", ").join(names)
                return _title_of(state, len(names)) % {"names": short}
        text = ngettext(
            "The other budget is within its limit", "All %(n)s other budgets are within their limits", len(self.rows)
        )
        return text % {"n": len(self.rows)}

    def over_note(self) -> str:
        """How many of them are over, for pages that show only the plan; "" where none is."""
        over = [row.position.budget for row in self.rows if row.position.is_over]
        if not over:
            return ""
        if all(budget.scope == BudgetScope.APPLICATION for budget in over):
            text = ngettext("%(n)s application budget is over", "%(n)s application budgets are over", len(over))
        else:
            text = ngettext("%(n)s other budget is over", "%(n)s other budgets are over", len(over))
        return text % {"n": len(over)}

    def application_title(self) -> str:
        """The heading on an application's own page."""
        if not self.rows:
            return _("No budget for this application")
        text = ngettext("%(n)s budget this month", "%(n)s budgets this month", len(self.rows))
        return text % {"n": len(self.rows)}


def rows(positions: Sequence[BudgetPosition]) -> Budgets:
    """Rows as the page shows them: in the first days of a month without a forecast, as the plan is shown."""
    return Budgets([BudgetRow(_shown(position)) for position in positions])


def _shown(position: BudgetPosition) -> BudgetPosition:
    month = without_early_forecast(position.month, position.today)
    return replace(position, status=replace(position.status, month=month))


def _title_of(state: State, n: int) -> str:
    return {
        State.NOT_MET: ngettext("Budget exceeded: %(names)s", "Budgets exceeded: %(names)s", n),
        State.TOO_CLOSE: ngettext("%(names)s is close to its budget", "%(names)s are close to their budgets", n),
        State.NOT_ENOUGH: ngettext(
            "Not enough data for this budget: %(names)s", "Budgets without enough data: %(names)s", n
        ),
    }[state]


def arithmetic(allowance: Allowance) -> str:
    """`$400.00 × 12 of 30 days + $37.20 left by last month`; empty where it is one whole month's budget."""
    if allowance.plain:
        return ""
    terms = [dollars(part.term.high) if part.whole else part.arithmetic for part in allowance.parts]
    if allowance.carried:
        terms.append(_("%(sum)s left by last month") % {"sum": dollars(allowance.carried)})
    return " + ".join(terms)
