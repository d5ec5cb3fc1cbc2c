"""Which API model stands for which task on the Break-even page, and how far that decides the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.breakeven.backtest import Backtest
from costs.breakeven.inputs import Inputs, TaskCost
from costs.breakeven.saving import Saving
from lib.formats import count, day_text, dollars, percent, sentences
from traffic.models import Task


@dataclass(frozen=True, slots=True)
class TaskModelRow:
    """A task with the model that stands for it."""

    cost: TaskCost

    def label(self) -> str:
        return str(dict(Task.choices).get(self.cost.task, self.cost.task))

    def model(self) -> str:
        return self.cost.model or _("none")

    def why(self) -> str:
        """Why it is this model."""
        cost = self.cost
        if cost.because == "person":
            return _("chosen by %(name)s") % {"name": cost.chosen_by} if cost.chosen_by else _("chosen by a person")
        if cost.because == "none":
            return _("never on the API, so nothing is compared")
        if not cost.ours:
            return _("the API serves it now")
        if cost.until is None:
            return _("last served it")
        return _("last served it until %(day)s") % {"day": day_text(cost.until)}

    def note(self) -> str:
        """What is left out of the task, and why; empty if all of it is compared."""
        if not self.cost.left_out:
            return ""
        words = {"n": count(self.cost.left_out), "model": self.cost.unpriced}
        if self.cost.unpriced:
            return _("%(n)s requests left out: %(model)s has no price") % words
        return _("%(n)s requests left out") % words

    @property
    def per_1000(self) -> Decimal | None:
        """USD of 1,000 requests at the task’s own tokens."""
        return None if self.cost.cost_per_request is None else self.cost.cost_per_request * 1000


@dataclass(frozen=True)
class Counterfactual:
    """The section of the page; `excluded`: requests of applications that only test."""

    inputs: Inputs
    saving: Saving | None
    backtest: Backtest | None
    excluded: int
    ledger: Decimal | None = None  # USD of the last 30 days by the ledger, all of it

    @cached_property
    def rows(self) -> Sequence[TaskModelRow]:
        return [TaskModelRow(row) for row in self.inputs.tasks]

    def headline(self) -> str:
        models = {row.cost.model for row in self.rows if row.cost.routable and row.cost.model}
        if not models:
            return _("No API model is known for the self-hosted requests")
        return _("Without self-hosting: %(models)s") % {"models": ", ".join(sorted(models))}

    @property
    def contradicted(self) -> bool:
        """Whether the ledger names the other side as the cheaper one."""
        return bool(self.saving and self.backtest and self.backtest.disagrees(self.saving.amount))

    def first(self) -> SafeString:
        """What stands before the claim: the ledger, where it disagrees; else that the answer is too close to call."""
        parts = []
        if self.contradicted and self.backtest:
            parts += [format_html("<b>{}</b>", _("The ledger shows the opposite.")), self.backtest.sentence()]
        if self.saving and self.saving.turns:
            parts.append(self._both(self.saving))
        return sentences(*parts)

    def _both(self, saving: Saving) -> SafeString:
        others = ", ".join(sorted({row.other for row in self.inputs.tasks if row.other and row.ours}))
        text = _(
            "<b>Too close to call:</b> with the models that served the tasks last, self-hosting would {first}. With the"
            " next plausible ones ({models}) it would {other}."
        )
        return format_html(text, first=_saves(saving.amount), other=_saves(saving.other or Decimal(0)), models=others)

    def ledger_note(self) -> SafeString:
        """The backtest where it does not disagree, or why there is none."""
        if self.contradicted:
            return sentences()
        if self.backtest is None:
            return sentences(_("The ledger does not hold enough days of this work on either side to compare."))
        return self.backtest.sentence()

    def left_out(self) -> SafeString:
        """What is not compared, with its share of the requests."""
        compared = sum(row.requests for row in self.inputs.tasks)
        parts = []
        if self.inputs.left_out:
            words = {
                "n": count(self.inputs.left_out),
                "share": percent(Decimal(self.inputs.left_out) / (compared + self.inputs.left_out)),
            }
            parts.append(_("%(n)s requests (%(share)s) have no price on the API and are not compared.") % words)
        if self.excluded:
            words = {"n": count(self.excluded)}
            parts.append(_("%(n)s requests are of applications that only test and do not count.") % words)
        return sentences(*parts)

    def spent_note(self, selfhost_cost: Decimal) -> str:
        """Why the total of the model is not what was spent; empty if that is not known, or nothing was requested."""
        if self.ledger is None or not self.inputs.requests_per_month:
            return ""
        text = _(
            "Spend shows %(spent)s for the last 30 days, and this total is %(total)s. It counts all hours of a month at"
            " today’s prices, and only the leases that serve models. %(routed)s of the requests are self-hosted."
        )
        words = {
            "spent": dollars(self.ledger, 0),
            "total": dollars(selfhost_cost, 0),
            "routed": percent(self.inputs.routable_share),
        }
        return text % words


def _saves(amount: Decimal) -> str:
    """A saving of a month in words."""
    text = _("save %(amount)s a month") if amount >= 0 else _("cost %(amount)s a month more")
    return text % {"amount": dollars(abs(amount), 0)}
