"""The rows that the FOCUS tables are made from: all that counts in a month by the rules of `costs.allocation.queries`,
with the ledger's other facts. Takes a dozen statements at any volume; the database adds bills and leases up by day.

Costs are attributed as in the ledger: an API bill is divided by the measured cost of the same provider, day and model,
a machine by its use. The parts add up to their line exactly, so that no total changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import F, Max, Min, Sum
from django.db.models.functions import TruncDate

from costs.allocation.complete_days import bill_days
from costs.allocation.lease_shares import lease_shares, shared_by
from costs.allocation.queries import (
    UNATTRIBUTED,
    Attribution,
    Names,
    counts,
    invoices_reaching,
    leased,
    measured_weights,
    provisional_counts,
    usage_rows,
)
from costs.models import Category, Charge, Phase, Provenance, Sharing
from costs.models.ledger import IDLE
from lib.allocation import divide
from lib.dates import DAY, midnight
from lib.periods import next_month
from lib.tokens import TOKEN_CLASSES
from providers.models import Account, Balance, Lease, VendorCost, provider_name
from traffic.models import Application

ON_A_BILL = (Provenance.BILLED, Provenance.ENTERED)
ALIKE = (
    "day", "provider", "account_id", "provenance", "category", "lease_id", "invoice_month", "model", "token_class",
    "currency", "rate", "rate_source",
)  # fmt: skip
SAID = (
    "description", "application_id", "task", "corrects_id", "corrects__day", "corrects__category", "closing__month",
)  # fmt: skip
Weights = Sequence[tuple[Attribution, Decimal]]


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a line corrects: the closed month, and whether that is about charges that a person entered."""

    month: date
    entered: bool = False
    invoice: int | None = None  # the charge that stands for a whole invoice


@dataclass(frozen=True, slots=True)
class Item:
    """One line: USD of a provider and category for a span of time, with its provenance and attribution."""

    starts_at: datetime
    ends_at: datetime
    provider: str
    provenance: str
    category: str
    amount: Decimal
    list_amount: Decimal
    created_at: datetime
    updated_at: datetime
    account_id: int | None = None
    lease_id: int | None = None
    charge_id: int | None = None  # only of a charge that a person entered; other lines are sums of several
    model: str = ""
    token_class: str = ""
    invoice_month: str = ""
    description: str = ""
    application_id: int = 0
    deployment_id: int = 0
    task: str = ""
    tokens: int | None = None
    original: Decimal = Decimal(0)  # the same amount in `currency`
    currency: str = "USD"
    rate: Decimal | None = None  # USD for one unit of `currency`
    rate_source: str = ""
    shared_by: str = ""  # by what a bill or a machine was divided; empty if the line names its application itself
    corrects: Corrected | None = None

    @property
    def kind(self) -> str:
        """Its category; machine hours without requests have the category of their own `IDLE`."""
        return IDLE if self.shared_by == "idle" and self.category == Category.GPU else self.category

    @property
    def on_a_bill(self) -> bool:
        return self.provenance in ON_A_BILL

    @property
    def billed(self) -> Decimal:
        """USD that a bill asks for; 0 for a cost that is only measured or estimated."""
        return self.amount if self.on_a_bill else Decimal(0)


@dataclass(frozen=True)
class FocusMonth:
    """The items of a month ordered by time, and facts about their issuers."""

    first: date
    now: datetime
    items: list[Item]
    complete: dict[str, date]  # the first day that is not complete in the bill, by provider whose bill is read

    @property
    def until(self) -> date:
        return next_month(self.first)

    def is_closed(self, provider: str) -> bool:
        """Whether the month is over and its bill, if one is read, has all days; vendors may still revise it."""
        whole = self.complete.get(provider, self.until) >= self.until
        return whole and self.now >= midnight(self.until)

    @cached_property
    def applications(self) -> dict[int, tuple[str, str]]:
        """Slug and owner's user name of each, by its id."""
        rows = Application.objects.values_list("pk", "slug", "owner__username")
        return {pk: (slug, owner or "") for pk, slug, owner in rows}

    @cached_property
    def deployments(self) -> dict[int, str]:
        return Names().deployments

    @cached_property
    def accounts(self) -> dict[int, Account]:
        return {account.pk: account for account in Account.objects.defer("secret")}

    @cached_property
    def prepaid(self) -> set[int]:
        """Accounts that are paid in advance."""
        return set(Balance.objects.values_list("account_id", flat=True))

    @cached_property
    def leases(self) -> dict[int, Lease]:
        wanted = {item.lease_id for item in self.items if item.lease_id is not None}
        return {lease.pk: lease for lease in Lease.objects.filter(pk__in=wanted)}

    @cached_property
    def phases(self) -> list[Phase]:
        return list(Phase.objects.exclude(starts_on=None).order_by("-starts_on"))

    def account(self, item: Item) -> Account | None:
        """The account that is billed: the item's own, else the only one at the provider, else None."""
        if item.account_id is not None:
            return self.accounts[item.account_id]
        there = [account for account in self.accounts.values() if account.kind == item.provider]
        return there[0] if len(there) == 1 else None

    def billing_account(self, item: Item) -> str:
        account = self.account(item)
        return account.slug if account else item.provider

    def phase(self, item: Item) -> str:
        """The slug of the phase that is planned for the item's first day, else empty."""
        day = item.starts_at.astimezone(UTC).date()
        for phase in self.phases:
            if phase.starts_on and phase.starts_on <= day and (phase.ends_on is None or day < phase.ends_on):
                return phase.slug
        return ""

    def invoice_id(self, item: Item) -> str:
        """An invoice number of our own, because no vendor's report contains one; entered charges get other numbers."""
        if not item.on_a_bill:
            return ""
        paper = item.charge_id if item.category == Category.INVOICE else None
        return self.number(item, self.first, entered=item.provenance == Provenance.ENTERED, paper=paper)

    def number(self, item: Item, month: date, *, entered: bool, paper: int | None) -> str:
        parts = [item.provider, self.billing_account(item), f"{month:%Y-%m}"]
        return "/".join(parts + ["entered"] * entered + ([str(paper)] if paper else []))

    def reference_id(self, item: Item) -> str:
        """The invoice that a correction is about; for any other line its own invoice."""
        if item.corrects is None:
            return self.invoice_id(item)
        return self.number(item, item.corrects.month, entered=item.corrects.entered, paper=item.corrects.invoice)

    def detail_id(self, item: Item) -> str:
        """The line of the invoice: one for each category, currency and corrected invoice."""
        if not item.on_a_bill:
            return ""
        parts = [self.invoice_id(item), item.category]
        if item.currency != "USD":
            parts.append(item.currency)
        if item.corrects is not None:
            parts.append(f"corrects:{self.reference_id(item)}")
        return "/".join(parts)


def issuer(item: Item) -> str:
    return provider_name(item.provider)


def read(first: date, now: datetime) -> FocusMonth:
    """Everything that counts in the month that begins on `first`."""
    until = next_month(first)
    complete, invoiced = bill_days(), invoices_reaching(first, until)
    made, entered = made_rows(first, until), entered_rows(first, until)
    lists, usage = list_extras(first, until), usage_rows(first, until)
    made = [row for row in made if counts(row, complete, invoiced)]
    users = Users(made, usage)
    items = [part for row in made for part in users.parts(row, made_item(row, lists))]
    items += [entered_item(row) for row in entered]
    items += [
        measured_item(row, now)
        for row in usage
        if row["cost"] and provisional_counts(row["provider"], row["day"], complete, invoiced)
    ]
    items.sort(key=lambda item: (item.starts_at, item.provider, item.provenance, item.category, item.model))
    return FocusMonth(first, now, items, complete)


class Users:
    """The measured use by which bills and machines are divided."""

    def __init__(self, made: list[dict[str, Any]], usage: list[dict[str, Any]]) -> None:
        self.measured = measured_weights(usage)
        self.machines: dict[tuple[Any, ...], list[tuple[Attribution, Decimal]]] = {}
        machines = leased(made)
        self.spans = Sharing.objects.spans() if machines else []
        for row in lease_shares(machines):
            who = Attribution(row["application_id"], row["deployment_id"], row["model"], row["task"])
            self.machines.setdefault(machine_key(row), []).append((who, row["amount"]))

    def parts(self, row: dict[str, Any], item: Item) -> list[Item]:
        """The line divided by use; the undivided line if there was no use."""
        if item.lease_id is not None:
            return parted(item, self.machines.get(machine_key(row), ()), shared_by(row["day"], self.spans))
        if item.provenance == Provenance.BILLED:
            return parted(item, self.measured.get((item.provider, row["day"], item.model), ()), "measured cost")
        return [item]


def machine_key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("day", "provider", "provenance", "category", "lease_id"))


def parted(item: Item, weights: Weights, way: str) -> list[Item]:
    amounts, lists, originals = (
        dict(divide(amount, weights)) for amount in (item.amount, item.list_amount, item.original)
    )
    return [
        replace(
            item,
            amount=amount,
            list_amount=lists[who],
            original=originals[who],
            application_id=who.application_id,
            deployment_id=who.deployment_id,
            task=who.task,
            model=item.model or who.model,
            shared_by="idle" if who == UNATTRIBUTED else way,
        )
        for who, amount in amounts.items()
        if amount or lists[who]
    ] or [item]


def made_rows(since: date, until: date) -> list[dict[str, Any]]:
    """Billed and estimated charges; equal ones of a day are added up."""
    charges = Charge.objects.between(since, until).exclude(provenance=Provenance.ENTERED).values(*ALIKE)
    sums = {"total": Sum("amount"), "original": Sum("original_amount")}
    return list(charges.annotate(**sums, created=Min("created_at"), updated=Max("updated_at")))


def entered_rows(since: date, until: date) -> list[dict[str, Any]]:
    """Charges that people entered, one row each."""
    columns = ("id", "amount", "original_amount", "created_at", "updated_at", *SAID, *ALIKE)
    return list(Charge.objects.between(since, until).filter(provenance=Provenance.ENTERED).values(*columns))


def list_extras(since: date, until: date) -> dict[tuple[Any, ...], Decimal]:
    """USD that a day's lines would have cost more at list price, for vendors that report both prices."""
    costs = VendorCost.objects.filter(starts_at__gte=midnight(since), starts_at__lt=midnight(until))
    rows: Any = (
        costs.exclude(list_amount=None)
        .annotate(day=TruncDate("starts_at", tzinfo=UTC))
        .values_list("day", "account_id", "category", "resource", "invoice_month", "model", "token_class")
        .annotate(extra=Sum(F("list_amount") - F("amount")))
    )
    lease_ids = dict(lease_keys()) if rows else {}
    extras: dict[tuple[Any, ...], Decimal] = {}
    for day, account, category, resource, month, model, token_class, extra in rows:
        key = (day, account, category, lease_ids.get((account, resource)), month, model, token_class)
        extras[key] = extras.get(key, Decimal(0)) + extra
    return extras


def lease_keys() -> Iterator[tuple[tuple[int, str], int]]:
    for pk, account, external in Lease.objects.values_list("pk", "account_id", "external_id"):
        yield (account, external), pk


def made_item(row: dict[str, Any], lists: dict[tuple[Any, ...], Decimal]) -> Item:
    extra = Decimal(0)
    if row["provenance"] == Provenance.BILLED:
        names = ("day", "account_id", "category", "lease_id", "invoice_month", "model", "token_class")
        extra = lists.get(tuple(row[name] for name in names), Decimal(0))
    return Item(
        starts_at=midnight(row["day"]),
        ends_at=midnight(row["day"] + DAY),
        amount=row["total"],
        list_amount=row["total"] + extra,
        created_at=row["created"],
        updated_at=row["updated"],
        original=row["original"],
        **{name: row[name] for name in ALIKE if name != "day"},
    )


def entered_item(row: dict[str, Any]) -> Item:
    """The item of an entered charge; one for a whole month spans that month, on whatever day it counts."""
    starts_at, ends_at = midnight(row["day"]), midnight(row["day"] + DAY)
    if row["invoice_month"] and (row["category"] == Category.INVOICE or row["day"].day == 1):
        first = date.fromisoformat(f"{row['invoice_month']}-01")
        starts_at, ends_at = midnight(first), midnight(next_month(first))
    return Item(
        starts_at=starts_at,
        ends_at=ends_at,
        charge_id=row["id"],
        list_amount=row["amount"],
        original=row["original_amount"],
        application_id=row["application_id"] or 0,
        corrects=corrected(row),
        **{name: row[name] for name in ("amount", "created_at", "updated_at", "description", "task")},
        **{name: row[name] for name in ALIKE if name != "day"},
    )


def corrected(row: dict[str, Any]) -> Corrected | None:
    """What an entered line corrects: another charge of a final month, or a month that its invoice closed."""
    if row["corrects_id"] is not None:
        invoice = row["corrects_id"] if row["corrects__category"] == Category.INVOICE else None
        return Corrected(row["corrects__day"].replace(day=1), entered=True, invoice=invoice)
    month = row["closing__month"]
    return Corrected(month) if month is not None and row["day"] >= next_month(month) else None


def measured_item(row: dict[str, Any], now: datetime) -> Item:
    starts_at, ends_at = midnight(row["day"]), midnight(row["day"] + DAY)
    return Item(
        starts_at=starts_at,
        ends_at=ends_at,
        provider=row["provider"],
        provenance=Provenance.MEASURED,
        category=Category.TOKENS,
        amount=row["cost"],
        list_amount=row["cost"],
        original=row["cost"],
        created_at=starts_at,
        updated_at=max(starts_at, min(now, ends_at)),
        model=row["model"],
        application_id=row["application_id"],
        deployment_id=row["deployment_id"],
        task=row["task"],
        tokens=sum(row[name] for name in TOKEN_CLASSES),
    )
