"""Stores files of sums (a vendor's usage or cost by day) as the vendor's own report, to compare with our log.

A sum is no request: made into requests it would count twice what ingest brought. It goes where a poll of the vendor's
API puts the same rows; where the API has told a day already, the file adds nothing to that day.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import UTC, date
from typing import Any

from django.db.models import Min
from django.db.models.functions import TruncDate
from django.utils import timezone

from lib.dates import midnight
from providers.connectors.base import CostRow, UsageRow
from providers.models import Account, Feed, VendorCost, VendorUsage, provider_name
from providers.polling.refusals import without_others
from providers.polling.store import upsert
from traffic.imports.base import Reported
from traffic.imports.readers import Unreadable
from traffic.models import Import, UsageDay

MOST = 500_000  # rows held in memory
USAGE_KEY = ("account", "starts_at", "model", "workspace", "api_key", "service_tier")
COST_KEY = ("account", "external_id")
SUMMED = (
    "requests", "uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "web_searches",
    "amount", "original_amount", "list_amount",
)  # fmt: skip


class Sums:
    """Rows of one file, those of one key added up: the file may split finer than we keep."""

    def __init__(self) -> None:
        self.rows: dict[tuple[Any, ...], Reported] = {}

    def add(self, row: Reported) -> None:
        """Raises Unreadable when there are too many."""
        key = key_of(row)
        before = self.rows.get(key)
        self.rows[key] = row if before is None else added(before, row)
        if len(self.rows) > MOST:
            raise Unreadable(f"More than {MOST:,} different sums. Split the file by month.")


def key_of(row: Reported) -> tuple[Any, ...]:
    if isinstance(row, CostRow):
        return ("cost", row.external_id)
    return ("usage", *(getattr(row, name) for name in USAGE_KEY[1:]))


def added(first: Any, second: Any) -> Any:
    """Unknown is not zero: a sum with an unknown in it is unknown."""
    names = [field.name for field in fields(first) if field.name in SUMMED]
    pairs = {name: (getattr(first, name), getattr(second, name)) for name in names}
    return replace(first, **{name: None if None in pair else pair[0] + pair[1] for name, pair in pairs.items()})


def account_of(provider: str, slug: str) -> Account:
    """The chosen account, else the provider's first, else one that only files fill."""
    ours = Account.objects.filter(kind=provider)
    account = ours.filter(slug=slug).first() or ours.order_by("slug").first()
    if account is not None:
        return account
    name = f"{provider_name(provider)}, from files"
    return Account.objects.create(
        slug=f"{provider}-files", name=name, kind=provider, enabled=False, disabled_reason="Filled from files."
    )


def write(imported: Import, provider: str, slug: str, rows: Iterable[Reported]) -> tuple[int, int]:
    """Store the sums in the caller's transaction; returns how many came new or changed, and how many the API told."""
    account = account_of(provider, slug)
    taken = left = 0
    for kind, model, key in ((UsageRow, VendorUsage, USAGE_KEY), (CostRow, VendorCost, COST_KEY)):
        own = [row for row in rows if isinstance(row, kind)]
        reported_days = days_reported_by_api(model, account) if own else set()
        new_rows = [row for row in own if row.starts_at.astimezone(UTC).date() not in reported_days]
        records = [model(account=account, import_id=imported.pk, **vars(row)) for row in new_rows]
        allowed, _refused = without_others(account, model, records)
        upsert(model, allowed, key)
        taken, left = taken + len(allowed), left + len(own) - len(allowed)
        if new_rows and model is VendorCost:
            extend_bill(account, [row.starts_at.astimezone(UTC).date() for row in new_rows])
    return taken, left


def days_reported_by_api(model: Any, account: Account) -> set[date]:
    """Days of which the vendor's API has told us."""
    reported = model.objects.filter(account=account, import_id=None).annotate(on=TruncDate("starts_at", tzinfo=UTC))
    return set(reported.values_list("on", flat=True).distinct())


def extend_bill(account: Account, days: list[date]) -> None:
    """Of an account that nobody polls, the bill counts up to the file's last day, which itself may have been cut short.

    Only where nothing was measured between what is whole already and the file: days without a bill stay measured.
    """
    feed = Feed.objects.filter(account=account, kind="costs").first()
    if account.enabled or (feed is not None and feed.last_success_at is not None):
        return  # its own poll says what is whole
    first, last = min(days), max(days)
    whole = feed.complete_until.astimezone(UTC).date() if feed is not None and feed.complete_until else None
    unbilled = UsageDay.objects.filter(provider=account.kind, day__lt=first, cost__gt=0)
    if whole is not None:
        unbilled = unbilled.filter(day__gte=whole)
    if unbilled.exists() or (whole is not None and last <= whole):
        return
    Feed.objects.update_or_create(
        account=account,
        kind="costs",
        defaults={"complete_until": midnight(last)},
        create_defaults={"complete_until": midnight(last), "every_s": 86_400, "due_at": timezone.now()},
    )


def take_back(imported: Import) -> int:
    """Remove what the file brought and the API has not replaced since; in the caller's transaction."""
    costs = VendorCost.objects.filter(import_id=imported.pk)
    first = costs.aggregate(first=Min("starts_at"))["first"]
    if first is not None:
        # From here on the bill is not whole any more; the days are measured again.
        accounts = costs.values("account")
        Feed.objects.filter(
            account__in=accounts, account__enabled=False, kind="costs", last_success_at=None, complete_until__gt=first
        ).update(complete_until=first)
    gone = costs.delete()[0] + VendorUsage.objects.filter(import_id=imported.pk).delete()[0]
    Feed.objects.filter(
        kind="costs",
        last_success_at=None,
        account__enabled=False,
        account__vendorcost=None,
        account__slug__endswith="-files",
    ).delete()
    return gone
