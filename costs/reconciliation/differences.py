"""How far the bills of a month are from our records, in words, for Spend, the Overview and Reconciliation. Pure.

A difference whose cause is on our side alone (our requests or machines, not on the bill) is named with the vendor: the
cause says where the money is, and not that the bill is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.reconciliation.reconcile import ProviderMonthBill
from lib.formats import dollars, figure, percent, sentences
from lib.money import ZERO


def bill_note(row: ProviderMonthBill, until: date) -> str:
    """How far a provider's bill goes; `until` is the first day after the month."""
    if row.closed_on:
        return _("closed on %(day)s") % {"day": date_format(row.closed_on, "j M Y")}
    if row.complete_until is None:
        return _("by an entered invoice") if row.invoiced else _("no bill feed")
    if row.complete_until < until:
        return _("bill complete before %(day)s") % {"day": date_format(row.complete_until, "j M")}
    return _("bill complete")


def differences(rows: Sequence[ProviderMonthBill], month: date | None = None) -> SafeString:
    """How far the bills are from our records, what is missing on them, what has no cause; "" without a bill.

    With the `month` that the rows are the whole of, the gap is marked for `manage.py audit --pages`.
    """
    rows = [row for row in rows if row.has_bill]
    if not rows:
        return SafeString("")
    unexplained = sum((abs(row.unexplained) for row in rows), ZERO)
    apart = any(round(row.gap, 2) for row in rows)
    return sentences(
        _apart(rows, month),
        _("Days that are not billed yet are left out.") if apart and any(row.pending for row in rows) else "",
        *(text for row in rows for text in missing_of(row)),
        format_html(_("{sum} of the difference is unexplained."), sum=dollars(unexplained)) if unexplained else "",
    )


def _apart(rows: Sequence[ProviderMonthBill], month: date | None) -> SafeString:
    below = round(-sum((row.gap for row in rows if row.gap < 0), ZERO), 2)
    above = round(sum((row.gap for row in rows if row.gap > 0), ZERO), 2)
    if below and above:
        text = _("Bills are <b>{below}</b> below our records ({short}) and <b>{above}</b> above them ({more}).")
        short, more = _names(row for row in rows if row.gap < 0), _names(row for row in rows if row.gap > 0)
        return format_html(text, below=dollars(below), above=dollars(above), short=short, more=more)
    if not below and not above:
        if any(row.pending for row in rows):
            return sentences(_("Bills match our records to the cent for the days billed so far."))
        return sentences(_("Bills match our records to the cent."))
    records = sum((row.billed - row.gap for row in rows), ZERO)  # ours, of the days that the bills hold
    if below:
        text = _("Bills are <b>{gap} ({share})</b> below our records.")
    elif records:
        text = _("Bills are <b>{gap} ({share})</b> above our records.")
    else:
        text = _("Bills are <b>{gap}</b>, and our records are empty.")
    gap = below or above
    text_of_gap = dollars(gap)
    if month:
        text_of_gap = figure(
            text_of_gap, "bill-gap", above - below, month, "+".join(sorted(row.provider for row in rows))
        )
    return format_html(text, gap=text_of_gap, share=percent(gap / records) if records else "")


def _names(rows: Iterable[ProviderMonthBill]) -> str:
    return ", ".join(sorted({row.name for row in rows}))


def missing_of(row: ProviderMonthBill) -> list[str]:
    """What of our records is not on a provider's bill."""
    texts = {
        "not_billed": _("%(sum)s of requests are missing from %(name)s’s bill."),
        "lease_not_billed": _("%(sum)s of GPU hours are missing from %(name)s’s bill."),
    }
    amounts: dict[str, Decimal] = {cause: -row.of(cause) for cause in texts}
    names = {cause: {"sum": dollars(amount), "name": row.name} for cause, amount in amounts.items()}
    return [text % names[cause] for cause, text in texts.items() if amounts[cause] > 0]
