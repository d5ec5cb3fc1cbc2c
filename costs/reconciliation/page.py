"""What the page about bills shows of a month, from one read: by provider, by day and model, and what we have seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.models import Charge, Closing
from costs.reconciliation import queries as bills
from costs.reconciliation.causes import OF_REQUESTS
from costs.reconciliation.coverage import Coverage, coverages
from costs.reconciliation.differences import bill_note, differences
from costs.reconciliation.month_close import amount_now, corrections
from costs.reconciliation.reconcile import Cause, ComparedAmounts, Reconciliation, ReconciliationPart, reconciliation
from costs.reconciliation.tolerances import ReconciliationGap, gaps_of
from lib import formats
from lib.formats import percent, sentences, state
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


@dataclass(frozen=True, slots=True)
class RowWithEvidence:
    """A row with the address of the evidence for each of its causes."""

    row: Any
    causes: list[tuple[Cause, str]]


@dataclass(frozen=True, slots=True)
class ProviderRow(RowWithEvidence):
    """One provider's month; `gap` holds its bill against what is tolerated, None where there is no bill."""

    gap: ReconciliationGap | None
    until: date

    def bill_note(self) -> str:
        return bill_note(self.row, self.until)

    def state_mark(self) -> SafeString:
        return state(*self.gap.state()) if self.gap else state("unknown", _("no bill"))


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
        return gaps_of(self.reconciliation.rows, self.month)

    @cached_property
    def parts(self) -> list[ReconciliationPart]:
        """Lines by day and model: of one provider all, of several those that differ."""
        return [part for part in self.reconciliation.by("day") if part.causes or self.filters.provider]

    @cached_property
    def closed(self) -> list[ClosedMonth]:
        return [
            ClosedMonth(row.closing, list(corrections(row.closing))) for row in self.reconciliation.rows if row.closing
        ]

    def provider_rows(self) -> list[ProviderRow]:
        gaps = {gap.provider: gap for gap in self.gaps}
        return [
            ProviderRow(row, self.causes(row, row.provider), gaps.get(row.provider), self.until)
            for row in self.reconciliation.rows
        ]

    def day_rows(self) -> list[RowWithEvidence]:
        return [RowWithEvidence(part, self.causes(part, part.provider, part)) for part in self.parts]

    def causes(
        self, row: ComparedAmounts, provider: str, part: ReconciliationPart | None = None
    ) -> list[tuple[Cause, str]]:
        return [(cause, evidence(provider, self.month, cause, part)) for cause in row.causes]

    def headline(self) -> SafeString:
        """How far the bills are from ours, and how much of what they bill we have seen."""
        seen = (
            format_html(
                _("Our log covers <b>{share}</b> of the tokens billed by {name}."),
                share=percent(coverage.share),
                name=coverage.name,
            )
            for coverage in self.coverages
        )
        return sentences(headline(self.month, self.reconciliation), *seen)


def headline(month: date, compared: Reconciliation) -> SafeString:
    """How far the month's bills are from our records."""
    name = formats.month(month)
    if not compared.rows:
        return format_html(_("No bill and no requests in {month}."), month=name)
    return differences(compared.rows, month) or format_html(
        _("No bill for {month} yet. The figures come from our own records."), month=name
    )


# By cause what its lines in the ledger are for; those of an imported bill are entered, those of a vendor's own billed.
CATEGORY_OF = {
    "late_revision": "adjustment", "unseen_requests": "tokens", "lease_unseen": "gpu",
    **{name: name for name in ("tax", "credit", "disk", "web_search", "subscription", "network", "vm", "other")},
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
