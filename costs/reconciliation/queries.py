"""What the comparison of bills reads of a month: the ledger, our usage days, the vendors' usage, prices.

A dozen statements at most, whatever the volume; every row is added up by day in the database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from costs.allocation.complete_days import watermarks
from costs.list_prices import ListPrices
from costs.models import Category, Closing, Provenance
from lib import sql
from lib.dates import DAY, midnight
from lib.model_names import canonical_name
from lib.periods import next_month
from lib.tokens import TOKEN_CLASSES
from providers.models import Feed
from traffic.usage.filters import Filters

Row = dict[str, Any]
COUNTS = ("requests", "batched", "unpriced", "unknown_usage")


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
        # Charges of this month's own closing are in its stored comparison; those of another month's are late revisions.
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


def read(month: date, now: datetime) -> BillingMonthData:
    """Read the month that begins on `month`."""
    until = next_month(month)
    usage, vendor = usage_rows(month - DAY, until + DAY), vendor_rows(month - DAY, until + DAY)
    charges = charge_rows(month - DAY, until + DAY, month)
    return BillingMonthData(
        month=month,
        until=until,
        today=now.astimezone(UTC).date(),
        complete=watermarks(("costs", "usage")),
        charges=charges,
        usage=usage,
        vendor=vendor,
        prices=ListPrices.of(row["model"] for row in vendor),
        models=frozenset(),
        steps=smallest_steps(row for row in charges if month <= row["day"] < until),
        watched=watched_hours(month, until),
        closings={closing.provider: closing for closing in Closing.objects.filter(month=month)},
        owners=key_owners(),
        awaited=awaited_reports({row["provider"] for row in charges} - {row["provider"] for row in vendor}),
    )


def entered(row: Mapping[str, Any]) -> bool:
    return bool(row["provenance"] == Provenance.ENTERED)


def is_invoice(row: Mapping[str, Any]) -> bool:
    """Return whether a charge is a bill itself: an invoice's amount, or a line of a bill that came as a file."""
    return row["category"] == Category.INVOICE or row["bill_import_id"] is not None


def awaited_reports(silent: set[str]) -> frozenset[str]:
    """Return providers whose usage report was never read, where reading it has not failed."""
    never = Feed.objects.filter(kind="usage", last_success_at=None, last_error="", disabled_reason="")
    feeds = never.filter(account__enabled=True, account__kind__in=silent)
    return frozenset(feeds.values_list("account__kind", flat=True)) if silent else frozenset()


USED = f"""
SELECT model, day, provider, application_id, cost, {", ".join((*COUNTS, *TOKEN_CLASSES))}
FROM traffic_usage_day WHERE day >= %s AND day < %s
"""
REPORTED = f"""
SELECT (u.starts_at AT TIME ZONE 'UTC')::date AS day, a.kind AS provider, u.account_id, u.model, u.workspace, u.api_key,
       u.service_tier = 'batch' AS batch, sum(u.requests)::bigint AS count,
       {", ".join(f"sum(u.{name})::bigint AS {name}_sum" for name in TOKEN_CLASSES)}
FROM providers_vendorusage AS u JOIN providers_account AS a ON a.id = u.account_id
WHERE u.starts_at >= %s AND u.starts_at < %s GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
CHARGED = """
SELECT day, provider, provenance, category, model, token_class, lease_id, invoice_month, closing_id, bill_import_id,
       sum(amount) AS total, count(*) AS lines, max(scale(trim_scale(amount))) AS scale
FROM costs_charge WHERE (day >= %s AND day < %s) OR invoice_month = %s GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
"""
WATCHED = "SELECT lease_id, starts_at, ends_at FROM providers_leasespan WHERE starts_at < %s AND ends_at > %s"


def usage_rows(since: date, until: date) -> list[Row]:
    """A row for each day, provider, model, application, deployment and task."""
    names: dict[str, str] = {}  # a cache, as a month has many rows of few models
    rows = sql.mappings(USED, (since, until))
    for row in rows:
        model = row["model"]
        row["model"] = names.get(model) or names.setdefault(model, canonical_name(model))
    return rows


def vendor_rows(since: date, until: date) -> list[Row]:
    """The vendors' own usage by day, model, tier, workspace and key."""
    return [
        {**row, "model": canonical_name(row["model"]), "tokens": {name: row[f"{name}_sum"] for name in TOKEN_CLASSES}}
        for row in sql.mappings(REPORTED, (midnight(since), midnight(until)))
    ]


def charge_rows(since: date, until: date, month: date) -> list[Row]:
    """The ledger's lines of these days and of the month's invoices, added up."""
    return sql.mappings(CHARGED, (since, until, f"{month:%Y-%m}"))


def smallest_steps(charges: Iterable[Row]) -> dict[str, Fraction]:
    """Return by provider the smallest decimal step of its bill, cents at most: amounts are rounded by half of it."""
    scales: dict[str, int] = {}
    for row in charges:
        if row["provenance"] == Provenance.BILLED:
            scales[row["provider"]] = max(2, row["scale"], scales.get(row["provider"], 0))
    return {provider: Fraction(1, 10**scale) for provider, scale in scales.items()}


def watched_hours(since: date, until: date) -> dict[tuple[int, date], Fraction]:
    """Return the hours of each lease and day in which polls saw it."""
    hours: dict[tuple[int, date], Fraction] = defaultdict(Fraction)
    start, end = midnight(since), midnight(until)
    for lease, first, last in sql.rows(WATCHED, (end, start)):
        at, last = max(first, start), min(last, end)
        # Split at midnight UTC, because bills are compared by day.
        while at < last:
            step = min(last, midnight(at.astimezone(UTC).date() + timedelta(days=1)))
            hours[lease, at.astimezone(UTC).date()] += Fraction((step - at) // timedelta(microseconds=1), 3_600_000_000)
            at = step
    return hours


def key_owners() -> dict[tuple[int, str], int | None]:
    """By account and key, the application that a person assigned it to; None: another tool."""
    owners = sql.rows("SELECT account_id, api_key, application_id FROM costs_keyowner")
    return {(account, key): application for account, key, application in owners}
