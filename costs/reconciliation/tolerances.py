"""How far bills may be from ours before someone must know, and where they are farther."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext as _

from costs.models import Tolerance
from costs.reconciliation import bill_status
from costs.reconciliation.reconcile import Cause, ComparedAmounts, ProviderMonthBill
from lib.formats import dollars, percent
from lib.money import ZERO
from providers.models import provider_name

# The share of a bill up to which the amount alone lets a difference pass unnamed. The amount is there for rounding and
# for a day that a vendor counts to another month; a fifth of a bill is six days of a month.
UNNAMED_SHARE = Decimal("0.2")


@dataclass(frozen=True, slots=True)
class Allowed:
    """A share of the bill (0 to 1) or an amount in USD a month; the larger counts."""

    share: Decimal = Tolerance.SHARE
    amount: Decimal = Tolerance.AMOUNT

    def of(self, row: ComparedAmounts) -> Decimal:
        return max(self.amount, self.share * abs(row.billed))

    def unnamed(self, row: ComparedAmounts) -> Decimal:
        """The difference in USD up to which a bill is as our records have it, whatever the amount allows."""
        return max(self.share, UNNAMED_SHARE) * abs(row.billed)


@dataclass(frozen=True, slots=True)
class ReconciliationGap:
    """One provider's month against its tolerance: `gap` is the difference without days that no bill holds yet."""

    provider: str
    month: date
    gap: Decimal
    billed: Decimal
    allowed: Decimal
    causes: tuple[Cause, ...]  # largest first
    closed: bool = False  # by its invoice
    unnamed: Decimal = ZERO  # see Allowed.unnamed

    @property
    def name(self) -> str:
        return provider_name(self.provider)

    @property
    def over(self) -> bool:
        return abs(self.gap) > self.allowed

    @property
    def small(self) -> bool:
        """Whether only the amount allows the difference, which is a large part of a small bill."""
        return not self.over and round(abs(self.gap), 2) > self.unnamed

    def state(self) -> tuple[str, str]:
        """The mark and the word of this bill. A cause of the gap does not set the tolerance aside."""
        unexplained = any(cause.cause == "unexplained" for cause in self.causes)
        if self.over:
            return "bad" if unexplained else "warn", _("over tolerance")
        if unexplained:
            return "bad", _("unexplained")
        if self.small:
            return "warn", _("small difference")
        return "ok", _("closed") if self.closed else _("within tolerance")


def tolerances() -> dict[str, Allowed]:
    """By provider, where somebody said one."""
    return {row.provider: Allowed(row.share, row.amount) for row in Tolerance.objects.all()}


def reconciliation_gap(row: ProviderMonthBill, month: date, allowed: Allowed) -> ReconciliationGap:
    causes = sorted(row.causes, key=lambda cause: -abs(cause.amount))
    closed, unnamed = row.closed_on is not None, allowed.unnamed(row)
    return ReconciliationGap(row.provider, month, row.gap, row.billed, allowed.of(row), tuple(causes), closed, unnamed)


def gaps_of(rows: Iterable[ProviderMonthBill], month: date) -> list[ReconciliationGap]:
    """A month's bills against their tolerances; a provider without a bill has none."""
    allowed = tolerances()
    return [reconciliation_gap(row, month, allowed.get(row.provider, Allowed())) for row in rows if row.has_bill]


def reconciliation_gaps(now: datetime) -> list[ReconciliationGap]:
    """This month and the last, of every provider that has a bill."""
    running = now.astimezone(UTC).date().replace(day=1)
    months = ((running - timedelta(days=1)).replace(day=1), running)
    return [gap for month in months for gap in gaps_of(bill_status.current(month, now).rows, month)]


def tolerance_of(provider: str) -> Tolerance | None:
    """What a person said of a provider's bills; None where nobody did."""
    return Tolerance.objects.filter(provider=provider).first()


def set_tolerance(*, provider: str, share: Decimal, amount: Decimal, user: Any) -> Tolerance:
    tolerance, _made = Tolerance.objects.update_or_create(
        provider=provider, defaults={"share": share, "amount": amount, "set_by": user}
    )
    return tolerance


def words_of(tolerance: Tolerance | None, name: str) -> str:
    """How far the bill of the provider `name` may be from ours."""
    if tolerance is None:
        text = _("The bill of {name} has the default tolerance of 5 % or $5.")
        return format_html(text, name=name)
    return format_html(
        _("The bill of {name} may differ by <b>{share}</b> or <b>{amount}</b> a month, whichever is more."),
        name=name,
        share=percent(tolerance.share),
        amount=dollars(tolerance.amount),
    )
