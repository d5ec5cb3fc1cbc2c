"""Invoice detail, whose lines add up to BilledCost of cost and usage, and the billing periods of all issuers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from costs.focus.categories import service
from costs.focus.cells import FocusRow, moment, number, pairs, text
from costs.focus.cost_and_usage import period
from costs.focus.ledger import FocusMonth, Item, issuer
from costs.models import Category
from lib.dates import midnight

DETAIL_COLUMNS = (
    "BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory",
    "InvoiceDetailCreated", "InvoiceDetailDescription", "InvoiceDetailGrain", "InvoiceDetailId",
    "InvoiceDetailLastUpdated", "InvoiceId", "InvoiceIssueDate", "InvoiceIssueStatus", "InvoiceIssuerName",
    "PaymentCurrency", "PaymentCurrencyBilledCost", "PaymentDueDate",
    "PaymentTerms", "ReferenceInvoiceId", "x_Category", "x_CostSource",
)  # fmt: skip
PERIOD_COLUMNS = (
    "BillingPeriodCreated", "BillingPeriodEnd", "BillingPeriodLastUpdated", "BillingPeriodStart", "BillingPeriodStatus",
    "InvoiceIssuerName",
)  # fmt: skip
PREPAID, NOT_SAID = "Prepaid", "Not stated by the vendor"


def detail_rows(month: FocusMonth) -> Iterator[FocusRow]:
    """A line for each invoice and category; costs that are on no bill are left out."""
    lines: dict[str, list[Item]] = {}
    for item in month.items:
        if item.on_a_bill:
            lines.setdefault(month.detail_id(item), []).append(item)
    for detail_id, items in lines.items():
        yield detail(month, detail_id, items)


def detail(month: FocusMonth, detail_id: str, items: list[Item]) -> FocusRow:
    first = items[0]
    invoice_id, kind = month.invoice_id(first), service(first.category)
    issued = first.category == Category.INVOICE or month.is_closed(first.provider)
    return {
        **period(month),
        "BilledCost": number(sum((item.billed for item in items), Decimal(0))),
        "BillingAccountId": text(month.billing_account(first)),
        "ChargeCategory": kind.charge,
        "InvoiceDetailCreated": moment(min(item.created_at for item in items)),
        "InvoiceDetailLastUpdated": moment(max(item.updated_at for item in items)),
        "InvoiceDetailDescription": text(f"{issuer(first)} {kind.name}"),
        "InvoiceDetailGrain": pairs({"x_Category": first.category}),
        "InvoiceDetailId": detail_id,
        "InvoiceId": invoice_id,
        "InvoiceIssueStatus": "Issued" if issued else "Open",
        "InvoiceIssuerName": text(issuer(first)),
        "PaymentCurrency": first.currency,
        "PaymentCurrencyBilledCost": number(sum((item.original for item in items), Decimal(0))),
        "PaymentTerms": terms(month, first),
        "ReferenceInvoiceId": month.reference_id(first),
        "x_Category": first.category,
        "x_CostSource": first.provenance,
    }


def terms(month: FocusMonth, item: Item) -> str:
    account = month.account(item)
    return PREPAID if account is not None and account.pk in month.prepaid else NOT_SAID


def period_rows(month: FocusMonth) -> Iterator[FocusRow]:
    """One row for each issuer; providers with the same display name are one issuer."""
    issuers: dict[str, list[Item]] = {}
    for item in month.items:
        issuers.setdefault(issuer(item), []).append(item)
    first = midnight(month.first)
    for name, items in sorted(issuers.items()):
        closed = all(month.is_closed(provider) for provider in {item.provider for item in items})
        yield {
            "BillingPeriodStart": moment(first),
            "BillingPeriodEnd": moment(midnight(month.until)),
            "BillingPeriodCreated": moment(first),
            "BillingPeriodLastUpdated": moment(latest(first, items)),
            "BillingPeriodStatus": "Closed" if closed else "Open",
            "InvoiceIssuerName": text(name),
        }


def latest(first: datetime, items: list[Item]) -> datetime:
    return max(first, *(item.updated_at for item in items))
