"""Cost and usage: every line that counts in the month. EffectiveCost adds up to the month's spend and its provenance.

The billing period is the month of the ledger. If the vendor counts a line to another month (Google's begins eight hours
late), x_InvoiceMonth has that one. The billing currency is USD, as in the ledger; an amount that was asked for in
another currency is given as the pricing currency, with the exchange rate of its day.
"""

from __future__ import annotations

from collections.abc import Iterator

from costs.focus.categories import service
from costs.focus.cells import FocusRow, moment, number, pairs, text
from costs.focus.ledger import FocusMonth, Item, issuer
from lib.dates import midnight
from providers.models import OfferKind, provider_name

COLUMNS = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart",
    "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "EffectiveCost", "HostProviderName", "InvoiceDetailId",
    "InvoiceId", "InvoiceIssuerName", "ListCost", "PricingCategory", "PricingCurrency", "PricingCurrencyEffectiveCost",
    "PricingQuantity", "PricingUnit", "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType",
    "ServiceCategory", "ServiceName", "ServiceProviderName", "ServiceSubcategory", "Tags", "x_Application",
    "x_BudgetPhase", "x_Category", "x_CorrectsInvoiceId", "x_CostSource", "x_Deployment", "x_ExchangeRate",
    "x_ExchangeRateSource", "x_GpuType", "x_InvoiceMonth", "x_Model", "x_SharedBy", "x_Task", "x_TokenClass",
)  # fmt: skip
PRICED_AS: dict[str, str] = {
    OfferKind.SPOT: "Dynamic", OfferKind.COMMITTED_1Y: "Committed", OfferKind.COMMITTED_3Y: "Committed",
}  # fmt: skip
UNLEASED = {"Usage": "Standard", "Purchase": "Other"}  # taxes, credits and adjustments have no price


def rows(month: FocusMonth) -> Iterator[FocusRow]:
    for item in month.items:
        yield {
            **period(month),
            **costs(item),
            **who_bills(month, item),
            **what(item),
            **machine(month, item),
            **ours(month, item),
        }


def period(month: FocusMonth) -> FocusRow:
    return {
        "BillingCurrency": "USD",
        "BillingPeriodStart": moment(midnight(month.first)),
        "BillingPeriodEnd": moment(midnight(month.until)),
    }


def costs(item: Item) -> FocusRow:
    """The cost columns. Contracted and effective cost are equal, because a bill states the agreed price."""
    return {
        "BilledCost": number(item.billed),
        "EffectiveCost": number(item.amount),
        "ContractedCost": number(item.amount),
        "ListCost": number(item.list_amount),
        "PricingCurrency": item.currency,
        "PricingCurrencyEffectiveCost": number(item.original),
    }


def who_bills(month: FocusMonth, item: Item) -> FocusRow:
    account = month.account(item)
    return {
        "BillingAccountId": text(month.billing_account(item)),
        "BillingAccountName": text(account.name) if account else "",
        "InvoiceIssuerName": text(issuer(item)),
        "ServiceProviderName": text(provider_name(item.provider)),
        "HostProviderName": text(provider_name(item.provider)),
        "InvoiceId": month.invoice_id(item),
        "InvoiceDetailId": month.detail_id(item),
    }


def what(item: Item) -> FocusRow:
    kind = service(item.category)
    counted = kind.charge == "Usage" and item.tokens is not None
    return {
        "ChargeCategory": kind.charge,
        "ChargeClass": "Correction" if item.corrects else "",
        "ChargeFrequency": kind.frequency,
        "ChargeDescription": text(item.description or described(item)),
        "ChargePeriodStart": moment(item.starts_at),
        "ChargePeriodEnd": moment(item.ends_at),
        "ConsumedQuantity": number(item.tokens) if counted else "",
        "ConsumedUnit": "Tokens" if counted else "",
        "ServiceCategory": kind.category,
        "ServiceSubcategory": kind.subcategory,
        "ServiceName": text(f"{provider_name(item.provider)} {kind.name}"),
    }


def described(item: Item) -> str:
    """The description of a line without one."""
    words = [item.model, item.token_class.replace("_", " "), service(item.category).name]
    return " ".join(word for word in words if word)


def machine(month: FocusMonth, item: Item) -> FocusRow:
    lease = month.leases.get(item.lease_id) if item.lease_id is not None else None
    if lease is None:
        return {"PricingCategory": UNLEASED.get(service(item.category).charge, "")}
    return {
        "PricingCategory": PRICED_AS.get(lease.kind, "Standard"),
        "RegionId": text(lease.region),
        "RegionName": text(lease.region),
        "ResourceId": text(lease.external_id),
        "ResourceName": text(lease.name),
        "ResourceType": "GPU machine",
        "x_GpuType": text(lease.gpu),
    }


def ours(month: FocusMonth, item: Item) -> FocusRow:
    """Application, owner, task and phase, and our own columns for what FOCUS has none for, which come last."""
    phase = month.phase(item)
    application, owner = map(text, month.applications.get(item.application_id, ("", "")))
    return {
        "Tags": pairs({"application": application, "owner": owner, "task": text(item.task), "phase": phase}),
        "x_Application": application,
        "x_BudgetPhase": phase,
        "x_Category": item.kind,
        "x_CorrectsInvoiceId": month.reference_id(item) if item.corrects else "",
        "x_CostSource": item.provenance,
        "x_Deployment": text(month.deployments.get(item.deployment_id, "")),
        "x_ExchangeRate": number(item.rate),
        "x_ExchangeRateSource": text(item.rate_source),
        "x_InvoiceMonth": item.invoice_month,
        "x_Model": text(item.model),
        "x_SharedBy": item.shared_by,
        "x_Task": text(item.task),
        "x_TokenClass": item.token_class,
    }
