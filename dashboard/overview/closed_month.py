"""The month that closed, in the first days of the next one: that is when a manager looks at it. Without queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.models import Alert
from costs.dates import CLOSED_DAYS
from costs.finality import month_final_on
from costs.plan.budget_status import Allowance, allowance
from costs.plan.queries import by_day, terms_of
from costs.reconciliation.bill_status import MonthBills
from costs.reconciliation.differences import differences
from costs.verdicts.on_plan import in_short, on_plan
from costs.verdicts.verdict import Verdict
from dashboard.overview.reads import Facts
from lib.dates import DAY
from lib.formats import at_least_dollars, dollars, figure, sentences, state, when
from lib.formats import month as month_name
from lib.money import ZERO


@dataclass(frozen=True)
class ClosedMonth:
    """Last month's money, USD: what it cost, what it might cost, its bills, and its alerts that nobody acknowledged."""

    month: date
    spent: Decimal
    budget: Allowance | None  # None: nothing was planned
    final_on: date | None  # when no vendor revises a day of it any more; None: nothing was spent
    today: date
    bills: MonthBills | None  # None: they are being compared
    alerts: Sequence[Alert]
    unpriced: int = 0  # its requests without a known cost, so that `spent` is a lower bound

    @property
    def limit(self) -> Decimal | None:
        return self.budget.high if self.budget else None

    @property
    def verdict(self) -> Verdict:
        """Whether the month stayed within its budget, as far as its cost is known."""
        return on_plan(
            self.month, spent=self.spent, limit=self.limit, forecast=None, median=None, days=0, is_over=True,
            unpriced=self.unpriced,
        )  # fmt: skip

    def state_mark(self) -> SafeString:
        if self.limit is None:
            return state("unknown", _("No budget"))
        return replace(self.verdict, period=f"{self.month:%Y-%m}").state_mark(in_short(self.verdict, self.spent))

    def headline(self) -> str:
        """The month's part of the page's heading."""
        spent = at_least_dollars(self.spent, self.unpriced, 0)
        words = {"month": month_name(self.month), "spent": spent, "limit": dollars(self.limit, 0)}
        if self.limit is None:
            return format_html(_("{month} closed at <b>{spent}</b>"), **words)
        return format_html(_("{month} closed at <b>{spent}</b> of {limit}"), **words)

    def answer(self) -> SafeString:
        """What the month cost against its budget, and until when its bills may still change."""
        words = {
            "month": month_name(self.month),
            "spent": figure(at_least_dollars(self.spent, self.unpriced), "spend", self.spent, self.month),
            "limit": figure(dollars(self.limit, 0), "budget", self.limit, self.month),
        }
        text = _("{month}: <b>{spent}</b> of {limit}.") if self.limit is not None else _("{month}: <b>{spent}</b>.")
        return sentences(format_html(text, **words), self.verdict.because, self._final(), self._bills())

    def _final(self) -> str:
        if self.final_on is None:
            return ""
        final = self.final_on <= self.today
        text = _("All costs are final since {day}.") if final else _("All costs are final on {day}.")
        return format_html(text, day=when(self.final_on))

    def _bills(self) -> str:
        if self.bills is None:
            return _("Its bills are being compared with our records.")
        return differences(self.bills.rows, self.month) or _("No bill has arrived yet.")

    def alerts_headline(self) -> str:
        text = ngettext(
            "%(n)s alert of %(month)s was not acknowledged",
            "%(n)s alerts of %(month)s were not acknowledged",
            len(self.alerts),
        )
        return text % {"n": len(self.alerts), "month": month_name(self.month)}


def closed_month(facts: Facts) -> ClosedMonth | None:
    """Last month in the first days of this one; None later, and where nothing was spent in it."""
    if facts.today.day > CLOSED_DAYS:
        return None
    first = facts.today.replace(day=1)
    month = (first - DAY).replace(day=1)
    lines = [line for line in facts.days.lines if month <= line.day < first]
    if not lines:
        return None
    # As the month's statement has it: what an invoice closed is final from that day.
    closed = {row.provider: row.closed_on for row in facts.closed_bills.rows} if facts.closed_bills else {}
    finals = [closed.get(line.provider) or month_final_on(line.provider, month) for line in lines]
    return ClosedMonth(
        month=month,
        spent=sum((line.amount for line in lines), ZERO),
        budget=allowance(terms_of(facts.phases), month, by_day(facts.days.lines)),
        final_on=max(finals, default=None),
        today=facts.today,
        bills=facts.closed_bills,
        alerts=facts.closed_alerts,
        unpriced=sum(row["unpriced"] for row in facts.days.usage if month <= row["day"] < first),
    )
