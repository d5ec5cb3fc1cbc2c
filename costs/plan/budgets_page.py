"""How the Plan page shows budgets, from plain figures. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.models import BudgetScope
from costs.plan.budget_status import Allowance
from costs.plan.budgets import BudgetPosition
from lib.formats import dollars

MARKS = {"over": "bad", "will_pass": "warn", "inside": "ok", "early": "unknown"}


@dataclass(frozen=True, slots=True)
class BudgetRow:
    position: BudgetPosition

    @property
    def mark(self) -> str:
        return MARKS[self.position.state]

    @property
    def word(self) -> str:
        return {
            "over": _("over"),
            "will_pass": _("will go over"),
            "inside": _("inside"),
            "early": _("too early to tell"),
        }[self.position.state]

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
            return _("No budget is held beside the phases’")
        bad = [row.position.budget.name for row in self.rows if row.position.state in ("over", "will_pass")]
        if not bad:
            text = ngettext("The one other budget lasts", "All %(n)s other budgets last", len(self.rows))
            return text % {"n": len(self.rows)}
        text = ngettext("%(bad)s does not last", "%(bad)s do not last", len(bad))
        return text % {"bad": _(", ").join(bad)}

    def over_note(self) -> str:
        """How many of them are over, for pages that show only the plan; "" where none is."""
        over = [row.position.budget for row in self.rows if row.position.state == "over"]
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
            return _("No budget is held against it")
        text = ngettext("%(n)s budget holds it this month", "%(n)s budgets hold it this month", len(self.rows))
        return text % {"n": len(self.rows)}


def rows(positions: Sequence[BudgetPosition]) -> Budgets:
    return Budgets([BudgetRow(position) for position in positions])


def arithmetic(allowance: Allowance) -> str:
    """`$400.00 × 12 of 30 days + $37.20 left by last month`; empty where it is one whole month's budget."""
    if allowance.plain:
        return ""
    terms = [dollars(part.term.high) if part.whole else part.arithmetic for part in allowance.parts]
    if allowance.carried:
        terms.append(_("%(sum)s left by last month") % {"sum": dollars(allowance.carried)})
    return " + ".join(terms)
