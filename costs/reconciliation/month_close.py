"""Closing a month by its invoice, and what comes after: a correction, never an edit.

The closing keeps the comparison of that moment, and makes the ledger add up to the invoice: where the vendor's bill is
read, by lines of the month's last day for what only the invoice says (tax, credits, rounding); where none is, by the
invoice itself. From then on the month's lines stay, and what the vendor revises is a line of the day we learn of it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, Sum
from django.shortcuts import get_object_or_404

from costs.charges.exchange_rates import Converted
from costs.ledger.posting import BILLED, IN_MONTH
from costs.models import Category, Charge, Closing, Provenance, Receipt
from costs.querysets import ChargeQuerySet
from costs.reconciliation.causes import PENDING
from costs.reconciliation.lines import ReconciliationLine
from costs.reconciliation.reconcile import Reconciled
from lib.events import log_event
from lib.money import COST_STEP, ZERO
from lib.periods import next_month
from providers.models import Account

logger = logging.getLogger(__name__)

HALF_A_CENT = Decimal("0.005")
CATEGORIES = {"tax": Category.TAX, "credit": Category.CREDIT}


@dataclass(frozen=True)
class Settled:
    """What an invoice has beyond the bill or our own figures, in USD by cause."""

    amount: Decimal
    extras: Mapping[str, Decimal] = field(default_factory=dict)

    def unexplained(self, row: Reconciled) -> Decimal:
        """Of the whole month, once it is closed so."""
        return row.unexplained + self.extras.get("unexplained", ZERO)


def settle_invoice(row: Reconciled, amount: Decimal, named: Mapping[str, Decimal], lines: int) -> Settled:
    """Split the invoice's surplus over the bill, or over our own figures where no bill is read; USD."""
    extras: dict[str, Decimal] = {}
    for name, stated in named.items():
        # Tax or credit that the vendor's bill lists itself is in the comparison already.
        more = stated - row.of(name)
        if more:
            extras[name] = more
    # An invoice should be the bill of the complete days plus our own figures of the others: that is billed - pending.
    # Each line of an invoice is rounded to cents, so half a cent a line is rounding.
    rest = amount - row.billed + row.pending - sum(extras.values(), ZERO)
    if rest:
        extras["rounding" if abs(rest) <= HALF_A_CENT * max(1, lines) else "unexplained"] = rest
    return Settled(amount, extras)


def snapshot(row: Reconciled, settled: Settled) -> list[ReconciliationLine]:
    """Copy the month's lines and add the invoice to them, so that they add up to its amount."""
    lines_by_place = {(line.day, line.model): replace(line, causes=dict(line.causes)) for line in row.lines}
    month = lines_by_place.setdefault((None, ""), ReconciliationLine(None, ""))
    # No further bill is awaited after the closing, so what was pending is covered by the invoice.
    for line in lines_by_place.values():
        waiting = sum((line.causes.pop(name, ZERO) for name in PENDING), ZERO)
        if waiting:
            line.causes["on_invoice"] = line.causes.get("on_invoice", ZERO) + waiting
    month.billed += settled.amount - row.billed
    for name, amount in {**settled.extras, "on_invoice": -row.pending}.items():
        month.causes[name] = month.causes.get(name, ZERO) + amount
    return list(lines_by_place.values())


def closing_of(pk: int) -> Closing:
    """With its receipt; raises Http404."""
    return get_object_or_404(Closing.objects.select_related("receipt"), pk=pk)


@transaction.atomic
def close(
    *,
    row: Reconciled,
    month: date,
    settled: Settled,
    original_amount: Decimal,
    currency: str,
    converted: Converted,
    number: str = "",
    account: Account | None = None,
    receipt: Receipt | None = None,
    user: Any = None,
) -> Closing:
    """Close a provider's month as it stands in `row`. Raises IntegrityError where it is closed already."""
    closing = Closing.objects.create(
        provider=row.provider, month=month, account=account, number=number, amount=settled.amount,
        original_amount=original_amount, currency=currency, lines=row.billed if row.complete_until else ZERO,
        places=[asdict(line) for line in snapshot(row, settled)], receipt=receipt, closed_by=user,
    )  # fmt: skip
    stamped(closing).update(closing=closing)
    if row.complete_until:
        for name, amount in settled.extras.items():
            enter(closing, name, CATEGORIES.get(name, Category.ADJUSTMENT), amount)
    else:
        charge = enter(closing, "invoice", Category.INVOICE, settled.amount)
        charge.original_amount, charge.currency = original_amount, currency
        charge.rate, charge.rate_source = converted.rate, converted.source
        charge.save()
    log_event(
        logger, logging.INFO, "month_closed",
        closing=closing.pk, provider=closing.provider, month=f"{month:%Y-%m}", lines=len(closing.places),
    )  # fmt: skip
    return closing


def stamped(closing: Closing) -> ChargeQuerySet:
    """Return the charges that a closing freezes."""
    until = next_month(closing.month)
    # The vendor's own month goes before the day of a charge, as that is what its invoice adds up.
    billed = Q(provenance=Provenance.BILLED, invoice_month=f"{closing.month:%Y-%m}") | Q(
        provenance=Provenance.BILLED, invoice_month="", day__gte=closing.month, day__lt=until
    )
    entered = Q(provenance=Provenance.ENTERED, day__gte=closing.month, day__lt=until)
    return Charge.objects.filter(billed | entered, provider=closing.provider, closing=None)


def enter(closing: Closing, name: str, category: str, amount: Decimal) -> Charge:
    """Add a charge of the closed month that only its invoice has."""
    last = next_month(closing.month) - timedelta(days=1)
    # An invoice without a bill stands for all days, tax and rounding for none: these come at the end of the month.
    day = closing.month if category == Category.INVOICE else last
    return Charge.objects.create(
        key=f"{closing.prefix}{name}", description=closing.number, invoice_month=f"{closing.month:%Y-%m}",
        **line(closing, day, category, amount),
    )  # fmt: skip


def line(closing: Closing, day: date, category: str, amount: Decimal) -> dict[str, Any]:
    start = datetime.combine(day, time(), UTC)
    return {
        "provider": closing.provider, "account": closing.account, "day": day, "starts_at": start,
        "ends_at": start + timedelta(days=1), "category": category, "provenance": Provenance.ENTERED,
        "amount": amount, "original_amount": amount, "closing": closing, "receipt": closing.receipt,
        "entered_by": closing.closed_by,
    }  # fmt: skip


# What comes after.


def revise(today: date) -> int:
    """Enter what vendors changed of closed months as charges of today; returns how many."""
    made = 0
    for closing_id, now in current_lines().items():
        closing = Closing.objects.get(pk=closing_id)
        revisions = Charge.objects.filter(key__startswith=closing.revision_prefix)
        # Earlier revisions are subtracted, so that a repeated run enters nothing twice.
        change = now - closing.lines - (revisions.aggregate(sum=Sum("amount"))["sum"] or ZERO)
        if change:
            key = f"{closing.revision_prefix}{revisions.count() + 1}"
            Charge.objects.create(key=key, **line(closing, today, Category.ADJUSTMENT, change))
            made += 1
            log_event(logger, logging.WARNING, "closed_month_revised", closing=closing.pk, provider=closing.provider,
                      month=f"{closing.month:%Y-%m}")  # fmt: skip
    return made


def current_lines() -> dict[int, Decimal]:
    """Return by closing what the vendor's lines come to now, where the ledger says otherwise."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT k.id, coalesce(sum(made.amount), 0) FROM costs_closing AS k"
            f" LEFT JOIN ({BILLED}) AS made ON made.provider = k.provider AND {IN_MONTH} = to_char(k.month, 'YYYY-MM')"
            " WHERE EXISTS (SELECT FROM costs_charge AS c WHERE c.closing_id = k.id AND c.provenance = 'billed')"
            " GROUP BY k.id HAVING coalesce(sum(made.amount), 0) <> k.lines + coalesce((SELECT sum(c.amount)"
            " FROM costs_charge AS c WHERE c.key LIKE 'revision:' || k.provider || ':' || to_char(k.month, 'YYYY-MM')"
            " || ':%'), 0)"
        )
        return dict(cursor.fetchall())


def corrections(closing: Closing) -> ChargeQuerySet:
    """Return what was entered after a closing: the vendor's revisions and people's corrections."""
    return Charge.objects.filter(closing=closing, day__gte=next_month(closing.month)).order_by("day", "pk")


def amount_now(closing: Closing) -> Decimal:
    return sum((charge.amount for charge in corrections(closing)), Decimal(closing.amount))


def correct_closing(*, closing: Closing, right: Decimal, reason: str, user: Any, today: date) -> Charge:
    """Enter the difference to `right` USD as a charge of today."""
    change = (right - amount_now(closing)).quantize(COST_STEP)
    values = line(closing, today, Category.ADJUSTMENT, change) | {"entered_by": user, "description": reason}
    charge = Charge.objects.create(key=f"corrected-{closing.prefix}{corrections(closing).count() + 1}", **values)
    log_event(logger, logging.INFO, "closed_month_corrected", closing=closing.pk, charge=charge.pk)
    return charge


@transaction.atomic
def reopen(closing: Closing) -> None:
    """Undo a closing and delete the charges that it made."""
    Charge.objects.filter(key__startswith=closing.prefix).delete()
    Charge.objects.filter(closing=closing).update(closing=None)
    log_event(
        logger, logging.INFO, "month_reopened",
        closing=closing.pk, provider=closing.provider, month=f"{closing.month:%Y-%m}",
    )  # fmt: skip
    closing.delete()


def may_reopen(closing: Closing, today: date) -> bool:
    """Return whether a closing is of today and nothing was corrected since."""
    return closing.created_at.astimezone(UTC).date() == today and not corrections(closing).exists()
