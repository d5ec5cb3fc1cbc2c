"""What a vendor tells of an account besides leases and offers: its bill by workspace, key and tier, and payments.

Everything here is the vendor's own word, which it may still revise; but for what a key cost: bills name workspaces, so
that what is billed to one is divided among its keys by the list price of their tokens. Money is USD.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Max, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lib.money import COST_STEP
from lib.tokens import TOKEN_CLASSES
from providers.models import Account, VendorCost, VendorName, VendorPayment, VendorUsage
from providers.pricing.book import Book

PERIODS = (7, 30, 90, 365)  # days back
USUAL = 30  # as long as vendors revise
PAYMENTS_SHOWN = 12
UNNAMED_SHOWN = 20
TIER_WORDS: dict[str, str | Promise] = {
    "standard": gettext_lazy("standard"),
    "batch": gettext_lazy("batch"),
    "priority": gettext_lazy("priority"),
    "priority_on_demand": gettext_lazy("priority, above the commitment"),
    "flex": gettext_lazy("flex"),
    "flex_discount": gettext_lazy("flex, discounted"),
    "web_search": gettext_lazy("web searches"),
    "code_execution": gettext_lazy("code execution"),
    "session": gettext_lazy("agent sessions"),
}


@dataclass
class BillPart:
    """One workspace, key or tier. `cost` is USD; None where the bill has no line of it."""

    id: str
    name: str
    state: str = ""
    hint: str = ""
    tokens: int = 0
    requests: int | None = None  # None: the report does not count them
    cost: Decimal | None = None
    weight: Decimal | None = Decimal(0)  # of its tokens at list price; None: the price of some is not known
    keys: list[BillPart] = field(default_factory=list)

    def add(self, row: Mapping[str, Any]) -> None:
        self.tokens += sum(row[f"{name}_sum"] for name in TOKEN_CLASSES)
        if row["count"] is not None:
            self.requests = (self.requests or 0) + row["count"]

    def share_out(self) -> None:
        """Divide what a workspace was billed among its keys, exactly."""
        all_priced = all(key.weight is not None for key in self.keys)
        weights = [(key.weight or Decimal(0)) if all_priced else Decimal(key.tokens) for key in self.keys]
        if self.cost is not None and sum(weights) > 0:
            for key, share in zip(self.keys, shares(self.cost, weights), strict=True):
                key.cost = share


def shares(amount: Decimal, weights: Sequence[Decimal]) -> Iterator[Decimal]:
    """Parts of `amount` at the stored precision that add up to it."""
    whole, seen, divided = sum(weights, Decimal(0)), Decimal(0), Decimal(0)
    for weight in weights:
        seen += weight
        until = (amount * seen / whole).quantize(COST_STEP)
        yield until - divided
        divided = until


@dataclass(frozen=True, slots=True)
class VendorReport:
    """What an account's vendor told of the last `days`, of one workspace or all, and the newest payments."""

    since: datetime
    days: int
    workspace: str | None = None
    choices: Sequence[tuple[str, str]] = ()  # workspaces by id and name
    workspaces: Sequence[BillPart] = ()
    tiers: Sequence[BillPart] = ()
    payments: Sequence[VendorPayment] = ()
    unnamed: Sequence[tuple[str, Decimal]] = ()  # what is billed as nothing that we know: the vendor's words, USD

    def unnamed_headline(self) -> str:
        n = len(self.unnamed)
        return ngettext("1 kind of charge without a category", "%(n)s kinds of charges without a category", n) % {
            "n": n
        }

    @property
    def unbilled(self) -> Sequence[BillPart]:
        """Claude's priority tier, which its older reports leave out of the bill."""
        return [tier for tier in self.tiers if tier.id.startswith("priority") and tier.tokens and tier.cost is None]

    @property
    def keys(self) -> int:
        return sum(bool(key.id) for part in self.workspaces for key in part.keys)

    def headline(self) -> str:
        n = len(self.workspaces)
        text = ngettext("One workspace used it", "%(n)s workspaces used it", n) % {"n": n}
        if not self.keys:
            return text
        return f"{text}, {ngettext('with one key', 'with %(n)s keys', self.keys) % {'n': self.keys}}"

    @property
    def paid_in(self) -> Decimal:
        return sum((row.amount for row in self.payments if row.amount > 0), Decimal(0))


def reported(account: Account, now: datetime, days: int = USUAL, workspace: str | None = None) -> VendorReport:
    """A few statements, each over some days of one account. `workspace` is an id, "" the default one, None all."""
    since = (now - timedelta(days=days)).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    payments = list(VendorPayment.objects.filter(account=account).order_by("-at")[:PAYMENTS_SHOWN])
    usage = VendorUsage.objects.filter(account=account, starts_at__gte=since, starts_at__lt=now).order_by()
    costs = VendorCost.objects.filter(account=account, starts_at__gte=since, starts_at__lt=now).order_by()
    others = costs.filter(category="other").values_list("description").annotate(amount=Sum("amount"))
    unnamed = list(others.order_by("-amount", "description")[:UNNAMED_SHOWN])
    if not usage.exists() and not costs.exclude(workspace="").exists():
        return VendorReport(
            since, days, payments=payments, unnamed=unnamed
        )  # a vendor of machines: its leases are its parts
    names = {name.external_id: name for name in VendorName.objects.filter(account=account)}
    ids = {*usage.values_list("workspace", flat=True).distinct(), *costs.values_list("workspace", flat=True)}
    choices = sorted(((id_, part_of(id_, names, _("default workspace")).name) for id_ in ids), key=lambda pair: pair[1])
    if workspace is not None:
        usage, costs = usage.filter(workspace=workspace), costs.filter(workspace=workspace)
    billed = dict(costs.values_list("workspace").annotate(Sum("amount")))
    used = list(usage.values("workspace", "api_key", "model", "service_tier").annotate(**SUMS, newest=Max("starts_at")))
    by_tier = costs.values_list("service_tier", "category").annotate(Sum("amount"))
    spaces = workspaces(used, billed, names, account.kind)
    return VendorReport(since, days, workspace, choices, spaces, tiers(used, by_tier), payments, unnamed)


def workspaces(
    used: Sequence[Mapping[str, Any]], billed: Mapping[str, Decimal], names: Mapping[str, VendorName], provider: str
) -> list[BillPart]:
    """Workspaces with their keys, what cost most first."""
    parts: dict[str, BillPart] = {}
    book = price_book() if used else None
    for id_, cost in billed.items():
        parts[id_] = part_of(id_, names, _("default workspace"))
        parts[id_].cost = cost
    for row in used:
        space = parts.setdefault(row["workspace"], part_of(row["workspace"], names, _("default workspace")))
        key = next((part for part in space.keys if part.id == row["api_key"]), None)
        if key is None:
            key = part_of(row["api_key"], names, _("no key: the console, or a person's login"))
            space.keys.append(key)
        for part in (space, key):
            part.add(row)
        price = list_price(row, book, provider) if book else None
        key.weight = None if price is None or key.weight is None else key.weight + price
    for space in parts.values():
        space.share_out()
        space.keys.sort(key=lambda key: (-(key.cost or 0), -key.tokens, key.name))
    return sorted(parts.values(), key=lambda part: (-(part.cost or 0), -part.tokens, part.name))


def price_book() -> Book:
    connection.ensure_connection()
    return Book.load(connection.connection)


def list_price(row: Mapping[str, Any], book: Book, provider: str) -> Decimal | None:
    """Of a row's tokens by the newest price in its time. Tiers other than batch cost what the list says: this divides a
    bill and is none."""
    tokens = tuple(row[f"{name}_sum"] for name in TOKEN_CLASSES)
    batch = row["service_tier"] == "batch"
    return book.cost(provider=provider, model=row["model"], when=row["newest"], tokens=tokens, batch=batch).cost


def part_of(id_: str, names: Mapping[str, VendorName], unnamed: str) -> BillPart:
    vendor_name = names.get(id_)
    return (
        BillPart(id_, vendor_name.name, vendor_name.state, vendor_name.hint)
        if vendor_name
        else BillPart(id_, id_ or unnamed)
    )


def tiers(used: Iterable[Mapping[str, Any]], billed: Iterable[tuple[str, str, Decimal]]) -> list[BillPart]:
    """Service tiers, and what is billed beside tokens."""
    parts: dict[str, BillPart] = {}

    def part(id_: str) -> BillPart:
        return parts.setdefault(id_, BillPart(id_, str(TIER_WORDS.get(id_, id_) or _("not reported"))))

    for row in used:
        part(row["service_tier"]).add(row)
    for tier, category, amount in billed:
        entry = part(category if category in TIER_WORDS else tier)
        entry.cost = (entry.cost or Decimal(0)) + amount
    return sorted(parts.values(), key=lambda entry: (-(entry.cost or 0), -entry.tokens, entry.name))


SUMS = {"count": Sum("requests"), **{f"{name}_sum": Sum(name) for name in TOKEN_CLASSES}}
