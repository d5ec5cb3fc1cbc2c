"""What the comparison of bills reads of a month: the ledger, our usage days, the vendors' usage, prices.

A dozen statements at most, whatever the volume; every row is added up by day in the database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from django.db.models import Count, F, Func, IntegerField, Max, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from costs.list_prices import ListPrices
from costs.models import Category, Charge, Closing, KeyOwner, Provenance
from lib.dates import midnight
from lib.model_names import canonical_name
from lib.periods import next_month
from lib.tokens import TOKEN_CLASSES
from providers.models import Feed, LeaseSpan, VendorUsage
from providers.prepared import prepared
from traffic.models import UsageDay
from traffic.usage.filters import Filters

Row = dict[str, Any]
DAY = timedelta(days=1)
COUNTS = ("requests", "batched", "unpriced", "unknown_usage")
CHARGED_BY = (
    "day",
    "provider",
    "provenance",
    "category",
    "model",
    "token_class",
    "lease_id",
    "invoice_month",
    "closing_id",
    "bill_import_id",
)


@dataclass
class BillingMonthData:
    """Charges, usage, vendor reports and closings of every provider in one month."""

    month: date
    until: date
    today: date
    complete: dict[str, date]  # by provider whose bill we read, the first day that is not whole in it
    charges: list[Row]
    usage: list[Row]
    vendor: list[Row]
    prices: ListPrices
    models: frozenset[str]  # the only ones that are asked for; empty: all
    steps: dict[str, Fraction]  # by provider, the smallest step of its bill
    watched: dict[tuple[int, date], Fraction]  # hours by lease and day
    closings: dict[str, Closing]  # by provider whose month is closed
    owners: dict[tuple[int, str], int | None]  # by account and its key: an application, or None for another tool
    awaited: frozenset[str] = frozenset()  # providers whose usage report is asked for and was never read so far

    def providers(self) -> set[str]:
        own = (row for row in self.charges if self.cause_of(row) or not entered(row))
        charged = {row["provider"] for row in own if entered(row) or self.inside(row) or self.on_this_bill(row)}
        charged |= set() if self.models else set(self.closings)
        return charged | {row["provider"] for row in self.usage if row["cost"] and self.inside(row)}

    def inside(self, row: Mapping[str, Any]) -> bool:
        return bool(self.month <= row["day"] < self.until)

    def beside(self, day: date) -> bool:
        """Whether a day is the last before the month or the first after it."""
        return day in (self.month - DAY, self.until)

    def is_other(self, row: Mapping[str, Any]) -> bool:
        """Whether a report's row has a key that a person assigned to another tool."""
        return self.owners.get((row["account_id"], row["api_key"]), 0) is None

    def has_invoice(self, provider: str) -> bool:
        return any(row["provider"] == provider and is_invoice(row) and entered(row) for row in self.charges)

    def cause_of(self, row: Mapping[str, Any]) -> str | None:
        """The cause that an entered charge of a bill belongs to; None for other entered charges."""
        if is_invoice(row):
            return "on_invoice" if row["invoice_month"] == f"{self.month:%Y-%m}" else None
        closed = row["closing_id"] if self.inside(row) else None
        # A closed month is told as it was then: what belongs to this month's own closing is in that.
        ours = {closing.pk for closing in self.closings.values()}
        return "late_revision" if closed is not None and closed not in ours else None

    def on_this_bill(self, row: Mapping[str, Any]) -> bool:
        """Whether the vendor itself puts a billed charge into this month."""
        return bool((row["invoice_month"] or f"{row['day']:%Y-%m}") == f"{self.month:%Y-%m}")

    def whole(self, provider: str, day: date) -> bool:
        return day < self.complete.get(provider, date.min)

    def only(self, filters: Filters) -> BillingMonthData:
        """Keep what is of these providers and models; a bill knows no application or task."""
        models = frozenset(canonical_name(model) for model in filters.model)

        def filtered(rows: list[Row]) -> list[Row]:
            ours = (row for row in rows if not filters.provider or row["provider"] in filters.provider)
            return [row for row in ours if not models or canonical_name(row["model"]) in models]

        closings = {
            slug: closing for slug, closing in self.closings.items() if not filters.provider or slug in filters.provider
        }
        return replace(
            self,
            models=models,
            closings=closings,
            charges=filtered(self.charges),
            usage=filtered(self.usage),
            vendor=filtered(self.vendor),
        )


def read(month: date, now: datetime, prices: ListPrices | None = None) -> BillingMonthData:
    """Read the month that begins on `month`; `prices` are used where they cover its models."""
    until = next_month(month)
    usage, vendor = usage_rows(month - DAY, until + DAY), vendor_rows(month - DAY, until + DAY)
    charges = charge_rows(month - DAY, until + DAY, month)
    models = frozenset(row["model"] for row in vendor)
    if prices is None or not models <= prices.models:
        prices = ListPrices.of(models)
    return BillingMonthData(
        month=month,
        until=until,
        today=now.astimezone(UTC).date(),
        complete=complete_days(),
        charges=charges,
        usage=usage,
        vendor=vendor,
        prices=prices,
        models=frozenset(),
        steps=smallest_steps(month, until),
        watched=watched_hours(month, until),
        closings={closing.provider: closing for closing in closings_of(month)},
        owners=key_owners(),
        awaited=awaited_reports({row["provider"] for row in charges} - {row["provider"] for row in vendor}),
    )


def entered(row: Mapping[str, Any]) -> bool:
    return bool(row["provenance"] == Provenance.ENTERED)


def is_invoice(row: Mapping[str, Any]) -> bool:
    """Return whether a charge is a bill itself: an invoice's amount, or a line of a bill that came as a file."""
    return row["category"] == Category.INVOICE or row["bill_import_id"] is not None


def complete_days() -> dict[str, date]:
    """Return by provider the first day without a complete bill or usage report; of several accounts the earliest."""
    days: dict[str, date] = {}
    # A usage report without a watermark is whole as far as its bill is.
    for provider, until in watermarks():
        assert until is not None, "telling() leaves out feeds without a watermark"
        days[provider] = min(until.astimezone(UTC).date(), days.get(provider, date.max))
    return days


def awaited_reports(silent: set[str]) -> frozenset[str]:
    """Return providers whose usage report was never read, where reading it has not failed."""
    never = Feed.objects.filter(kind="usage", last_success_at=None, last_error="", disabled_reason="")
    feeds = never.filter(account__enabled=True, account__kind__in=silent)
    return frozenset(feeds.values_list("account__kind", flat=True)) if silent else frozenset()


@prepared
def watermarks() -> QuerySet[Any]:
    feeds = Feed.objects.telling().filter(kind__in=("costs", "usage"))
    return feeds.values_list("account__kind", "complete_until")


@prepared
def closings_of(month: date) -> QuerySet[Closing]:
    return Closing.objects.filter(month=month)


USED = ("model", "day", "provider", "application_id", "cost", *COUNTS, *TOKEN_CLASSES)


def usage_rows(since: date, until: date) -> list[Row]:
    """A row for each day, provider, model, application, deployment and task."""
    names: dict[str, str] = {}  # a month has few models on many rows
    rows = []
    for row in used_days(since, until):
        model = names.get(row[0]) or names.setdefault(row[0], canonical_name(row[0]))
        rows.append(dict(zip(USED, (model, *row[1:]), strict=True)))
    return rows


@prepared
def used_days(since: date, until: date) -> QuerySet[Any]:
    return UsageDay.objects.filter(day__gte=since, day__lt=until).values_list(*USED)


def vendor_rows(since: date, until: date) -> list[Row]:
    """The vendors' own usage by day, model, tier, workspace and key."""
    return [
        {**row, "model": canonical_name(row["model"]), "tokens": {name: row[f"{name}_sum"] for name in TOKEN_CLASSES}}
        for row in reported(midnight(since), midnight(until))
    ]


@prepared
def reported(since: datetime, until: datetime) -> Any:
    reports: Any = VendorUsage.objects.filter(starts_at__gte=since, starts_at__lt=until)
    return (
        reports.annotate(day=TruncDate("starts_at", tzinfo=UTC), provider=F("account__kind"))
        .annotate(batch=Q(service_tier="batch"))
        .values("day", "provider", "account_id", "model", "workspace", "api_key", "batch")
        .annotate(count=Sum("requests"), **{f"{name}_sum": Sum(name) for name in TOKEN_CLASSES})
    )


def charge_rows(since: date, until: date, month: date) -> list[Row]:
    """The ledger's lines of these days and of the month's invoices, added up."""
    return charged(since, until, f"{month:%Y-%m}")


@prepared
def charged(since: date, until: date, month: str) -> Any:
    wanted = Q(day__gte=since, day__lt=until) | Q(invoice_month=month)
    return Charge.objects.filter(wanted).values(*CHARGED_BY).annotate(total=Sum("amount"), lines=Count("pk"))


def smallest_steps(since: date, until: date) -> dict[str, Fraction]:
    """Return by provider the smallest decimal step of its bill: amounts are rounded by up to half of it."""
    return {provider: Fraction(1, 10 ** max(2, scale)) for provider, scale in billed_scales(since, until)}


@prepared
def billed_scales(since: date, until: date) -> QuerySet[Any]:
    lines = Charge.objects.filter(provenance=Provenance.BILLED, day__gte=since, day__lt=until)
    trimmed = Func(F("amount"), function="trim_scale")
    scale = Max(Func(trimmed, function="scale", output_field=IntegerField()))
    return lines.values("provider").annotate(scale=scale).values_list("provider", "scale")


def watched_hours(since: date, until: date) -> dict[tuple[int, date], Fraction]:
    """Return the hours of each lease and day in which polls saw it."""
    hours: dict[tuple[int, date], Fraction] = defaultdict(Fraction)
    start, end = midnight(since), midnight(until)
    for lease, first, last in spans_touching(start, end):
        at, last = max(first, start), min(last, end)
        while at < last:
            step = min(last, midnight(at.astimezone(UTC).date() + timedelta(days=1)))
            hours[lease, at.astimezone(UTC).date()] += Fraction((step - at) // timedelta(microseconds=1), 3_600_000_000)
            at = step
    return hours


@prepared
def spans_touching(start: datetime, end: datetime) -> QuerySet[Any]:
    spans = LeaseSpan.objects.filter(starts_at__lt=end, ends_at__gt=start)
    return spans.values_list("lease_id", "starts_at", "ends_at")


def key_owners() -> dict[tuple[int, str], int | None]:
    """Whose the keys are that people said something of."""
    return {(account, key): application for account, key, application in owned_keys()}


@prepared
def owned_keys() -> QuerySet[Any]:
    return KeyOwner.objects.values_list("account_id", "api_key", "application_id")
