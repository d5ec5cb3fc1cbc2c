"""What the page about bills shows of a month, from one read: by provider, by day and model, and what we have seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from urllib.parse import urlencode

from django.urls import reverse

from costs.allocation.queries import ZERO
from costs.models import Charge, Closing
from costs.reconciliation import queries as bills
from costs.reconciliation.causes import OF_REQUESTS
from costs.reconciliation.coverage import Coverage, coverages
from costs.reconciliation.month_close import amount_now, corrections
from costs.reconciliation.reconcile import Cause, Reconciled, Reconciliation, ReconciliationPart, reconciliation
from costs.reconciliation.tolerances import Allowed, ReconciliationGap, reconciliation_gap, tolerances
from lib.periods import next_month
from traffic.usage.filters import Filters


@dataclass(frozen=True, slots=True)
class ClosedMonth:
    """A closing with the corrections entered since."""

    closing: Closing
    since: list[Charge]

    @property
    def amount_now(self) -> object:
        return amount_now(self.closing) if self.since else self.closing.amount


class ReconciliationPage:
    """What the template shows; each part is read on first use."""

    def __init__(self, month: date, now: datetime, filters: Filters) -> None:
        self.month, self.now, self.filters = month, now, filters
        self.until = next_month(month)
        self.over = now.astimezone(UTC).date() >= self.until

    @cached_property
    def data(self) -> bills.BillingMonthData:
        return bills.read(self.month, self.now).only(self.filters)

    @cached_property
    def reconciliation(self) -> Reconciliation:
        return reconciliation(self.data)

    @cached_property
    def coverages(self) -> list[Coverage]:
        return coverages(self.data)

    @cached_property
    def gaps(self) -> list[ReconciliationGap]:
        allowed = tolerances()
        with_bill = (row for row in self.reconciliation.rows if row.complete_until or row.billed)
        return [reconciliation_gap(row, self.month, allowed.get(row.provider, Allowed())) for row in with_bill]

    @cached_property
    def parts(self) -> list[ReconciliationPart]:
        """Lines by day and model: of one provider all, of several those that differ."""
        return [part for part in self.reconciliation.by("day") if part.causes or self.filters.provider]

    @cached_property
    def closed(self) -> list[ClosedMonth]:
        return [
            ClosedMonth(row.closing, list(corrections(row.closing))) for row in self.reconciliation.rows if row.closing
        ]

    @property
    def to_close(self) -> list[Reconciled]:
        return [row for row in self.reconciliation.rows if row.closing is None] if self.over else []

    @property
    def gap(self) -> object:
        """How far bills and ours are apart where there is a bill, as a share of the bills; None without any."""
        billed = sum((row.billed for row in self.reconciliation.rows), ZERO)
        apart = sum((abs(row.gap) for row in self.reconciliation.rows if row.complete_until or row.billed), ZERO)
        return apart / billed if billed else None


# By cause what its lines in the ledger are for; those of an imported bill are entered, those of a vendor's own billed.
CATEGORY_OF = {
    "late_revision": "adjustment", "unseen_requests": "tokens", "lease_unseen": "gpu",
    **{name: name for name in ("tax", "credit", "disk", "web_search", "subscription", "network", "vm")},
}  # fmt: skip


def evidence(provider: str, month: date, cause: Cause, part: ReconciliationPart | None = None) -> str:
    """Return the address of the requests or charges behind a cause."""
    if cause.cause in OF_REQUESTS:
        first, until = month, next_month(month)
        if part and part.day:
            first, until = part.day, date.fromordinal(part.day.toordinal() + 1)
        query: list[tuple[str, str]] = [("provider", provider), ("from", first.isoformat()), ("to", until.isoformat())]
        query += [("model", part.model)] if part and part.model else []
        query += [(cause.cause, "1")] if cause.cause in ("unpriced", "unknown_usage") else []
        return f"{reverse('traffic:requests')}?{urlencode(query)}"
    lines = {"month": f"{month:%Y-%m}", "provider": provider}
    if cause.cause in CATEGORY_OF:
        lines["category"] = CATEGORY_OF[cause.cause]
    if cause.cause in ("lease_hours", "lease_price", "other_keys"):
        lines["provenance"] = "billed"
    return f"{reverse('costs:ledger')}?{urlencode(lines)}"
