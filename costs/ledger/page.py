"""The lines of the ledger that count in a month, by day: for what, from where known, and whether they may still change.

They add up to the month's spend exactly. Machines stand as hours that were used and hours that were idle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from operator import attrgetter
from typing import Any

from django.db.models import Count, Sum
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.allocation.lease_shares import lease_shares
from costs.allocation.queries import counted_charges, counts, leased, provisional_counts, share_of, usage_rows
from costs.finality import final_on, month_final_on
from costs.labels import category_name
from costs.ledger.closed_months import closed_on
from costs.models import Category, Charge, Provenance
from lib import formats
from lib.dates import DAY
from lib.formats import count, dollars, missing, usd
from lib.money import ZERO
from lib.paging import Sorts
from lib.periods import next_month
from providers.models import Lease, provider_name

ALIKE = (
    "day", "provider", "provenance", "category", "lease_id", "invoice_month", "model", "token_class", "resource",
    "currency", "rate_source", "application__name", "task",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One day's cost of one kind; `original` is in `currency`, `lines` says how many charges it adds up."""

    day: date
    provider: str
    provenance: str
    category: str
    amount: Decimal
    original: Decimal
    currency: str = "USD"
    rate_source: str = ""
    model: str = ""
    token_class: str = ""
    resource: str = ""
    application: str = ""
    task: str = ""
    lines: int = 1
    closed_on: date | None = None  # when the invoice of its provider and month did

    @property
    def provider_name(self) -> str:
        return provider_name(self.provider)

    @property
    def category_name(self) -> str:
        return category_name(self.category)

    @property
    def class_name(self) -> str:
        return self.token_class.replace("_", " ")

    def subject(self) -> str:
        """What was paid for: a model, a machine or an application."""
        return self.model or self.resource or self.application or missing("dash")

    def original_text(self) -> str:
        """The sum in the vendor's own currency, and where the rate is from; empty in USD."""
        if self.currency == "USD":
            return ""
        source = f" ({self.rate_source})" if self.rate_source else ""
        return f"{usd(self.original)} {self.currency}{source}"

    @property
    def final_on(self) -> date:
        """What people enter stays open with its whole month, the rest by the day; an invoice closes both."""
        if self.closed_on:
            return self.closed_on
        if self.provenance == Provenance.ENTERED:
            return month_final_on(self.provider, self.day)
        return final_on(self.provider, self.day + DAY)


# What the lines of a month can be sorted by: attributes of a row, and what was paid for.
SORTS: Sorts = {
    **{
        name: attrgetter(name) for name in ("day", "provider_name", "category_name", "amount", "provenance", "final_on")
    },
    "what": lambda row: row.model or row.resource or row.application,
}


def headline(month: date, lines: int, total: Decimal, still_open: Decimal) -> str:
    """How many lines make how much, and how much of it may still change."""
    if not lines:
        return format_html(_("No entries match in {month}."), month=formats.month(month))
    if still_open:
        text = ngettext(
            "<b>{total}</b> in {month}, of which <b>{open}</b> may still change.",
            "<b>{total}</b> in {month}, of which <b>{open}</b> may still change.",
            lines,
        )
    else:
        text = ngettext(
            "<b>{total}</b> in {month}, final (1 entry).",
            "<b>{total}</b> in {month}, final ({lines} entries).",
            lines,
        )
    return format_html(
        text,
        lines=count(lines),
        total=dollars(total),
        open=dollars(still_open),
        month=formats.month(month),
    )


def ledger_rows(month: date) -> list[LedgerRow]:
    """Newest day first."""
    until = next_month(month)
    counting, complete, invoiced = counted_charges(month, until)
    rows = [measured(row) for row in usage_rows(month, until, fine=False) if row["cost"]
            and provisional_counts(row["provider"], row["day"], complete, invoiced)]  # fmt: skip
    rows += [charged(row) for row in charges_of_no_lease(month, until) if counts(row, complete, invoiced)]
    rows += machines(leased(counting))
    if closed := closed_on(month):
        rows = [replace(row, closed_on=closed.get(row.provider)) for row in rows]
    return sorted(rows, key=lambda row: (-row.day.toordinal(), row.provider, row.category, row.model, row.token_class))


def measured(row: dict[str, Any]) -> LedgerRow:
    return LedgerRow(
        row["day"], row["provider"], Provenance.MEASURED, Category.TOKENS, row["cost"], row["cost"], model=row["model"],
        lines=row["requests"],
    )  # fmt: skip


def charges_of_no_lease(since: date, until: date) -> list[dict[str, Any]]:
    charges = Charge.objects.between(since, until).filter(lease=None).values(*ALIKE)
    return list(charges.annotate(total=Sum("amount"), original=Sum("original_amount"), lines=Count("pk")))


def charged(row: dict[str, Any]) -> LedgerRow:
    return LedgerRow(
        amount=row["total"],
        application=row["application__name"] or "",
        **{name: row[name] for name in ("day", "provider", "provenance", "category", "original", "currency")},
        **{name: row[name] for name in ("rate_source", "model", "token_class", "resource", "task", "lines")},
    )


def machines(counting: set[tuple[date, str, str]]) -> Iterator[LedgerRow]:
    """Leases by day, what was used and what was idle each by itself."""
    amounts: dict[tuple[date, str, str, str, int], Decimal] = defaultdict(lambda: ZERO)
    for row in lease_shares(counting):
        line = share_of(row)
        amounts[line.day, line.provider, line.provenance, line.category, line.lease_id] += line.amount
    names = dict(Lease.objects.filter(pk__in={key[-1] for key in amounts}).values_list("pk", "external_id"))
    for (day, provider, provenance, category, lease), amount in amounts.items():
        yield LedgerRow(day, provider, provenance, category, amount, amount, resource=names[lease])
