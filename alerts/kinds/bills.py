"""Rules about bills that are not what we know."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Finding, RuleParams, Words
from alerts.wording import dollars, meaning
from costs.reconciliation.tolerances import ReconciliationGap

CAUSES_SHOWN = 4


def bill_gaps(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """One subject for each provider and month whose bill is farther from ours than its tolerance; over when it is
    within again, or two months later."""
    bills = {subject_of(bill): bill for bill in context.bills}
    for subject, bill in bills.items():
        yield of(subject, bill)
    for subject in live - bills.keys():
        yield Finding(
            subject=subject,
            title=_("No longer compared: %(what)s") % {"what": subject.partition(":")[2].replace(":", " ")},
            crossed=False,
            clear=True,
            words=Words(todo=_("No action needed. The page keeps the month.")),
        )


def subject_of(bill: ReconciliationGap) -> str:
    return f"bill-gap:{bill.provider}:{bill.month:%Y-%m}"


def of(subject: str, bill: ReconciliationGap) -> Finding:
    month = date_format(bill.month, "F Y")
    names = {"name": bill.name, "month": month, "gap": dollars(abs(bill.gap)), "allowed": dollars(bill.allowed)}
    gap = meaning("bill-gap", bill.gap, bill.month, bill.provider)
    apart = _("Bill difference: %(name)s, %(month)s, %(gap)s from our records")
    within = _("Bill within tolerance: %(name)s, %(month)s, %(gap)s from our records")
    return Finding(
        subject=subject,
        title=(apart if bill.over else within) % names,
        crossed=bill.over,
        clear=not bill.over,
        value=f"{bill.gap:.2f}",
        threshold=f"{bill.allowed:.2f}",
        words=Words(
            todo=_("Open the reconciliation: each cause leads to its requests or bill lines.")
            if bill.over
            else _("No action needed. The bill is within its tolerance."),
            detail=_("%(name)s’s bill for %(month)s may differ by %(allowed)s from what is measured and estimated.")
            % names,
            facts=[
                [_("Billed"), dollars(bill.billed), _("the vendor’s bill")],
                [_("Difference"), dollars(bill.gap), _("%(allowed)s are allowed") % names, *gap],
            ],
            drivers=[[cause.label, dollars(cause.amount), ""] for cause in bill.causes[:CAUSES_SHOWN]],
            driven=_("Causes of the difference"),
            page=f"{reverse('costs:reconciliation')}?month={bill.month:%Y-%m}&provider={bill.provider}",
            providers=[bill.provider],
        ),
    )
