"""What the comparison of bills reads of a month: the ledger, our usage days, the vendors' usage, prices. Ten statements
at most, whatever the volume; every row is added up by day in the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from django.db.models import Count, F, Func, IntegerField, Max, Q, Sum
from django.db.models.functions import TruncDate

from costs.list_prices import ListPrices, plain
from costs.models import Category, Charge, Provenance
from costs.token_gaps import CLASSES
from providers.models import Feed, LeaseSpan, VendorUsage
from providers.rest.periods import next_month
from traffic.filters import Filters
from traffic.models import UsageDay

Row = dict[str, Any]
COUNTS = ("requests", "batched", "unpriced", "unknown_usage")
CHARGED_BY = ("day", "provider", "provenance", "category", "model", "token_class", "lease_id", "invoice_month")


@dataclass
class Facts:
    """A month's rows of every provider."""

    month: date
    until: date
    today: date
    complete: dict[str, date]  # by provider whose bill we read, the first day that is not whole in it
    charges: list[Row]
    usage: list[Row]
    vendor: list[Row]
    prices: ListPrices
    steps: dict[str, Fraction]  # by provider, the smallest step of its bill
    watched: dict[tuple[int, date], Fraction]  # hours by lease and day

    def providers(self) -> set[str]:
        charged = {row["provider"] for row in self.charges if row["category"] == Category.INVOICE or not entered(row)}
        return charged | {row["provider"] for row in self.usage if row["cost"]}

    def inside(self, row: Mapping[str, Any]) -> bool:
        return bool(self.month <= row["day"] < self.until)

    def on_this_bill(self, row: Mapping[str, Any]) -> bool:
        """Whether a billed line belongs to this month by the vendor's own reckoning."""
        return bool((row["invoice_month"] or f"{row['day']:%Y-%m}") == f"{self.month:%Y-%m}")

    def whole(self, provider: str, day: date) -> bool:
        return day < self.complete.get(provider, date.min)

    def only(self, filters: Filters) -> Facts:
        """What is of these providers and models; who asked and for what, a bill does not say."""
        models = {plain(model) for model in filters.model}

        def kept(rows: list[Row]) -> list[Row]:
            ours = (row for row in rows if not filters.provider or row["provider"] in filters.provider)
            return [row for row in ours if not models or plain(row["model"]) in models]

        return replace(self, charges=kept(self.charges), usage=kept(self.usage), vendor=kept(self.vendor))


def read(month: date, now: datetime) -> Facts:
    """Everything of the month that begins on `month`."""
    until = next_month(month)
    usage, vendor = usage_rows(month, until), vendor_rows(month, until)
    return Facts(
        month=month,
        until=until,
        today=now.astimezone(UTC).date(),
        complete=complete_days(),
        charges=charge_rows(month, until),
        usage=usage,
        vendor=vendor,
        prices=ListPrices.of({row["model"] for row in vendor}),
        steps=smallest_steps(month, until),
        watched=watched_hours(month, until),
    )


def entered(row: Mapping[str, Any]) -> bool:
    return bool(row["provenance"] == Provenance.ENTERED)


def complete_days() -> dict[str, date]:
    """By provider, the first day for which bill or usage report is not whole; with several accounts the slowest's."""
    found: dict[str, date] = {}
    feeds = Feed.objects.telling().filter(kind__in=("costs", "usage"))
    # A usage report without a watermark is whole as far as its bill is.
    for provider, until in feeds.values_list("account__kind", "complete_until"):
        assert until is not None, "telling() leaves out feeds without a watermark"
        found[provider] = min(until.astimezone(UTC).date(), found.get(provider, date.max))
    return found


def usage_rows(since: date, until: date) -> list[Row]:
    days = UsageDay.objects.filter(day__gte=since, day__lt=until)
    return [
        {**row, "model": plain(row["model"])}
        for row in days.values("day", "provider", "model", "cost", *COUNTS, *CLASSES)
    ]


def vendor_rows(since: date, until: date) -> list[Row]:
    """The vendors' own usage by day, model, tier, and whether it came with a key."""
    reports = VendorUsage.objects.filter(starts_at__gte=midnight(since), starts_at__lt=midnight(until))
    rows: Any = (
        reports.annotate(day=TruncDate("starts_at", tzinfo=UTC), provider=F("account__kind"))
        .annotate(keyed=~Q(api_key=""), batch=Q(service_tier="batch"))
        .values("day", "provider", "model", "keyed", "batch")
        .annotate(count=Sum("requests"), **{f"{name}_sum": Sum(name) for name in CLASSES})
    )
    return [
        {**row, "model": plain(row["model"]), "tokens": {name: row[f"{name}_sum"] for name in CLASSES}} for row in rows
    ]


def charge_rows(since: date, until: date) -> list[Row]:
    """The ledger's lines of the month's days and of its invoices, added up."""
    month = Q(day__gte=since, day__lt=until) | Q(invoice_month=f"{since:%Y-%m}")
    return list(Charge.objects.filter(month).values(*CHARGED_BY).annotate(total=Sum("amount"), lines=Count("pk")))


def smallest_steps(since: date, until: date) -> dict[str, Fraction]:
    """By provider the last decimal that its bill uses: cents, or finer; rounded by up to half of it."""
    lines = Charge.objects.filter(provenance=Provenance.BILLED, day__gte=since, day__lt=until)
    trimmed = Func(F("amount"), function="trim_scale")
    scales = lines.values("provider").annotate(scale=Max(Func(trimmed, function="scale", output_field=IntegerField())))
    return {row["provider"]: Fraction(1, 10 ** max(2, row["scale"])) for row in scales}


def watched_hours(since: date, until: date) -> dict[tuple[int, date], Fraction]:
    """Hours of each lease and day in which we saw it."""
    found: dict[tuple[int, date], Fraction] = defaultdict(Fraction)
    start, end = midnight(since), midnight(until)
    spans = LeaseSpan.objects.filter(starts_at__lt=end, ends_at__gt=start)
    for lease, first, last in spans.values_list("lease_id", "starts_at", "ends_at"):
        at, last = max(first, start), min(last, end)
        while at < last:
            step = min(last, midnight(at.astimezone(UTC).date() + timedelta(days=1)))
            found[lease, at.astimezone(UTC).date()] += Fraction((step - at) // timedelta(microseconds=1), 3_600_000_000)
            at = step
    return found


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
