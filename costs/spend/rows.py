"""Rows of the Spend page, from plain figures: days, providers, users, bills, what is unknown. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs import finality
from costs.allocation.queries import Line, SpendData, attribution_of
from costs.dates import Days
from costs.models import Provenance
from costs.reconciliation.differences import bill_note, differences
from costs.reconciliation.reconcile import ProviderMonthBill
from costs.reconciliation.tolerances import ReconciliationGap
from lib.formats import count, dollars, missing, requests, sentences, signed_percent, signed_usd, state, when
from lib.money import ZERO
from providers.models import provider_name
from traffic.requests.facets import MOST_SHOWN

DAY = timedelta(days=1)
POSTED = ("billed", "measured", "estimated")  # provenances of what is not entered
FRESH_KINDS = ("costs", "usage", "leases")
UNKNOWNS_SHOWN = 12


def part(amount: Decimal, whole: Decimal) -> Decimal | None:
    """Return a share; None where the whole is zero."""
    return amount / whole if whole else None


@dataclass(frozen=True, slots=True)
class ProviderRow:
    slug: str
    provenance: Mapping[str, Decimal]
    amount: Decimal
    requests: int
    unpriced: int
    before: Decimal
    until: date | None  # the first day that its bill does not hold
    final: date | None  # when the vendor stops revising the days shown; None: nobody says
    share: Decimal | None = None  # of the total
    is_early: bool = False  # too few days for a percentage

    @property
    def name(self) -> str:
        return provider_name(self.slug)

    @property
    def last_billed(self) -> date | None:
        return self.until - DAY if self.until else None

    @property
    def change(self) -> Decimal | None:
        return part(self.amount - self.before, self.before)

    def traffic(self) -> str:
        """Its requests, or what it is paid for without any."""
        if self.requests:
            return requests(self.requests)
        only_entered = self.provenance.get("entered") and not any(map(self.provenance.get, POSTED))
        return _("manual entries only") if only_entered else _("GPU rental only")

    def change_words(self) -> str:
        if self.before:
            return signed_usd(self.amount - self.before) if self.is_early else signed_percent(self.change)
        return _("new") if self.amount else missing("dash")


@dataclass
class UserRow:
    """An application, model or task with its spend; or the reason why a part of the spend is nobody's."""

    key: str
    name: str
    why: str = ""
    amount: Decimal = ZERO
    requests: int = 0
    unpriced: int = 0
    share: Decimal | None = None  # of the total
    provenance: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))

    @property
    def per_thousand(self) -> Decimal | None:
        return self.amount * 1000 / self.requests if self.requests else None

    @property
    def is_attributed(self) -> bool:
        return bool(self.key)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Requests of one model without a cost or without usage."""

    provider: str
    model: str
    unpriced: int
    unknown_usage: int
    tokens: int  # of those without a price

    @property
    def name(self) -> str:
        return provider_name(self.provider)


@dataclass(frozen=True, slots=True)
class Unknowns:
    """Models that have requests without a cost or without usage, those with the most first."""

    rows: list[Unknown]

    @property
    def shown(self) -> list[Unknown]:
        """Clients can send any number of model names."""
        return self.rows[:UNKNOWNS_SHOWN]

    @property
    def left(self) -> int:
        return len(self.rows) - len(self.shown)

    def headline(self) -> str:
        unpriced = [row.unpriced for row in self.rows if row.unpriced]
        if unpriced:
            text = ngettext(
                "%(n)s model without a price answered %(requests)s requests",
                "%(n)s models without a price answered %(requests)s requests",
                len(unpriced),
            )
            return text % {"n": len(unpriced), "requests": count(sum(unpriced))}
        if self.rows:
            return _("Every model has a price, but some responses have no token counts")
        return _("Every request has a cost")


@dataclass(frozen=True, slots=True)
class BillRow:
    """One provider's bill beside ours, with its gap; None without a bill."""

    sums: ProviderMonthBill
    gap: ReconciliationGap | None
    until: date  # the first day after those shown

    def note(self) -> str:
        return bill_note(self.sums, self.until)

    def state(self) -> SafeString:
        """The mark that Reconciliation shows too."""
        return state(*self.gap.state()) if self.gap else state("unknown", _("no bill"))


@dataclass(frozen=True)
class Bills:
    """The bills of the providers shown, with their gaps."""

    rows: Sequence[ProviderMonthBill]
    gaps: Sequence[ReconciliationGap]
    state: str
    until: date  # the first day after those shown
    older: datetime | None = None  # when they were compared, where the data has changed since

    @property
    def table(self) -> list[BillRow]:
        gaps = {gap.provider: gap for gap in self.gaps}
        return [BillRow(row, gaps.get(row.provider), self.until) for row in self.rows]

    @property
    def billed(self) -> Decimal:
        return sum((row.billed for row in self.rows), ZERO)

    @property
    def measured(self) -> Decimal:
        return sum((row.measured for row in self.rows), ZERO)

    @property
    def estimated(self) -> Decimal:
        return sum((row.estimated for row in self.rows), ZERO)

    @property
    def difference(self) -> Decimal:
        return sum((row.difference for row in self.rows), ZERO)

    @property
    def unexplained(self) -> Decimal:
        return sum((abs(row.unexplained) for row in self.rows), ZERO)

    @property
    def marked_month(self) -> date | None:
        """The month that the figures are of; None while they are older than the data, which other pages show."""
        return None if self.older else (self.until - timedelta(1)).replace(day=1)

    def headline(self) -> str:
        """The heading of the table; the page's first sentences say how far the bills are from our records."""
        if not self.gaps:
            return _("No bill covers this month yet")
        over = [gap.name for gap in self.gaps if gap.over]
        if over:
            return _("Bills over tolerance: %(names)s") % {"names": ", ".join(over)}
        small = [gap.name for gap in self.gaps if gap.small]
        if small:
            return _("Small bill differences: %(names)s") % {"names": ", ".join(small)}
        return _("Bills within tolerance")

    def answer(self) -> SafeString:
        """The page's sentences about bills, with their moment where it is older than the data; "" without a bill."""
        text = differences(self.rows, self.marked_month)
        return sentences(text, self.as_of()) if text else text

    def as_of(self) -> SafeString:
        """When the bills were compared, where the data has changed since; else empty."""
        if self.older is None:
            return SafeString("")
        return format_html(_("As of {when}. Newer data is not included yet."), when=when(self.older))


def between(data: SpendData, since: date, until: date) -> SpendData:
    return SpendData(
        since,
        until,
        [line for line in data.lines if since <= line.day < until],
        [row for row in data.usage if since <= row["day"] < until],
        data.names,
    )


def counts_by(data: SpendData, column: str, count: str) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for row in data.usage:
        totals[row[column]] += row[count]
    return totals


def day_bars(days: Sequence[date], data: SpendData, now: datetime) -> list[dict[str, Any]]:
    """One bar a day for `{% stacked_bars %}`: parts by provider and provenance, the running day with its hours."""
    parts: dict[date, dict[tuple[str, str], Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
    for line in data.lines:
        parts[line.day][line.provider, line.provenance] += line.amount
    unknown = {row["day"] for row in data.usage if row["unpriced"]}
    now = now.astimezone(UTC)
    return [
        {
            "label": date_format(day, "j M"),
            "day": day,
            "parts": [
                {"key": provider, "name": provider_name(provider), "amount": amount, "provenance": provenance}
                for (provider, provenance), amount in sorted(parts[day].items())
                if amount > 0  # a credit has no height
            ],
            "note": _("%(n)d h") % {"n": now.hour} if day == now.date() and now.hour else "",
            "unknown": day in unknown,
        }
        for day in days
    ]


def user_rows(data: SpendData, by: str, labels: Mapping[str, str], total: Decimal) -> list[UserRow]:
    """Rows in descending order of cost, then what belongs to nobody; they add up to the total."""
    names = data.names.applications if by == "application" else {}
    rows: dict[str, UserRow] = {}
    for line in data.lines:
        key = key_of(line.attribution, by, names)
        place = key or why_nobody(line)
        if (row := rows.get(place)) is None:
            row = rows[place] = UserRow(key, labels.get(key, key), "" if key else why(line))
        row.amount += line.amount
        row.provenance[line.provenance] += line.amount
    for used in data.usage:
        key = key_of(attribution_of(used), by, names)
        if (row := rows.get(key or "untold")) is None:
            row = rows[key or "untold"] = UserRow(key, labels.get(key, key), "" if key else str(WHY["untold"]()))
        row.requests += used["requests"]
        row.unpriced += used["unpriced"]
    shown = [row for row in rows.values() if row.amount or row.requests]
    for row in shown:
        row.share = part(row.amount, total)
    return shortened(
        sorted(shown, key=lambda row: (not row.is_attributed, -row.amount, -row.requests, row.name)), total
    )


def shortened(rows: list[UserRow], total: Decimal) -> list[UserRow]:
    """Keep the first rows and add up the others in one, so that the total stays."""
    attributed = [row for row in rows if row.is_attributed]
    if len(attributed) <= MOST_SHOWN:
        return rows
    others = UserRow("", "", _("%(n)s more with lower cost") % {"n": f"{len(attributed) - MOST_SHOWN:,}"})
    for row in attributed[MOST_SHOWN:]:
        others.amount += row.amount
        others.requests += row.requests
        others.unpriced += row.unpriced
        for kind, amount in row.provenance.items():
            others.provenance[kind] += amount
    others.share = part(others.amount, total)
    return [*attributed[:MOST_SHOWN], others, *(row for row in rows if not row.is_attributed)]


def key_of(who: Any, by: str, names: Mapping[int, str]) -> str:
    return names.get(who.application_id, "") if by == "application" else str(getattr(who, by))


@dataclass(frozen=True, slots=True)
class ReportedCost:
    """Requests of one model that came with a cost from LiteLLM or a tracer, beside the cost we computed; USD."""

    provider: str
    model: str
    requests: int
    otherwise: int  # of those, how many differ by more than a percent
    theirs: Decimal
    ours: Decimal

    @property
    def name(self) -> str:
        return provider_name(self.provider)

    @property
    def difference(self) -> Decimal:
        """Reported less computed cost, USD."""
        return self.theirs - self.ours

    def headline(self) -> str:
        if self.otherwise:
            text = ngettext(
                "%(n)s request with a different reported cost: %(theirs)s reported, %(ours)s calculated",
                "%(n)s requests with a different reported cost: %(theirs)s reported, %(ours)s calculated",
                self.otherwise,
            )
            return text % {"n": count(self.otherwise), "theirs": dollars(self.theirs), "ours": dollars(self.ours)}
        text = ngettext(
            "The reported cost of %(n)s request matches ours",
            "The reported costs of %(n)s requests match ours",
            self.requests,
        )
        return text % {"n": count(self.requests)}

    def differing(self) -> str:
        """How many requests differ, as the link to them says it."""
        text = ngettext("%(n)s differs", "%(n)s differ", self.otherwise)
        return text % {"n": count(self.otherwise)}

    def __add__(self, other: ReportedCost) -> ReportedCost:
        return ReportedCost(
            self.provider, self.model, self.requests + other.requests, self.otherwise + other.otherwise,
            self.theirs + other.theirs, self.ours + other.ours,
        )  # fmt: skip


WHY = {
    "idle": lambda: _("Idle GPU hours"),
    "entered": lambda: _("Manual entries"),
    "untold": lambda: _("Not in bill or log"),
}


def why_nobody(line: Line) -> str:
    if line.provenance == Provenance.ENTERED:
        return "entered"
    return "idle" if line.committed else "untold"


def why(line: Line) -> str:
    return str(WHY[why_nobody(line)]())


def unknown_rows(usage: Iterable[Mapping[str, Any]]) -> Unknowns:
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in usage:
        if row["unpriced"] or row["unknown_usage"]:
            counted = sums[row["provider"], row["model"]]
            counted[0] += row["unpriced"]
            counted[1] += row["unknown_usage"]
            counted[2] += sum(row[name] for name in ("uncached_input", "output")) if row["unpriced"] else 0
    rows = [Unknown(provider, model, *counted) for (provider, model), counted in sums.items()]
    return Unknowns(sorted(rows, key=lambda row: (-row.unpriced, -row.unknown_usage)))


def reported_costs(usage: Iterable[Mapping[str, Any]]) -> list[ReportedCost]:
    """Add up reported and computed costs by provider and model, the largest difference first."""
    rows: dict[tuple[str, str], ReportedCost] = {}
    for row in usage:
        if row["cost_reports"]:
            reported = ReportedCost(
                row["provider"], row["model"],
                row["cost_reports"], row["cost_mismatches"], row["reported_cost"], row["computed_cost"],
            )  # fmt: skip
            key = (reported.provider, reported.model)
            rows[key] = rows[key] + reported if key in rows else reported
    return sorted(rows.values(), key=lambda row: (-abs(row.difference), -row.requests, row.model))


def final_on(provider: str, days: Days) -> date | None:
    """The day from which the vendor no longer revises what is shown; None where no connector reads its bill."""
    return finality.final_on(provider, days.until) if finality.revision_window(provider) is not None else None
