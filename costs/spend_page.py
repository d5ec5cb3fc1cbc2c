"""What the Spend page shows, from a few reads: the month by day, by provider and by user, its bills and its change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from costs.bridge import Bridge, bridge
from costs.list_prices import ListPrices
from costs.models import Charge, Phase, Provenance
from costs.plan import Month, this_month
from costs.reconcile import Reconciled, Reconciliation, reconcile
from costs.spend import ZERO, Known, Line, Spend, read, who_of
from costs.token_costs import ClassCost, TokenCosts, token_costs
from providers.connectors import CONNECTORS, connector_class
from providers.models import PROVIDER_NAMES, Feed
from providers.rest.periods import next_month
from traffic.filters import Filters
from traffic.models import Application, Task, UsageDay

DAY = timedelta(days=1)
DIMENSIONS = ("application", "model", "task")
FRESH_KINDS = ("costs", "usage", "leases")


def provider_name(slug: str) -> str:
    return PROVIDER_NAMES.get(slug, slug)


def part(amount: Decimal, whole: Decimal) -> Decimal | None:
    """A share; None of nothing."""
    return amount / whole if whole else None


@dataclass(frozen=True)
class Asked:
    """What the address asks for."""

    month: date
    filters: Filters
    by: str = "application"


@dataclass(frozen=True, slots=True)
class Days:
    """The days shown, and those of the month before that they are held against; `until` is exclusive."""

    since: date
    until: date
    before: date
    before_until: date

    @property
    def running(self) -> bool:
        return self.until < next_month(self.since)

    @property
    def last(self) -> date:
        return self.until - DAY

    @property
    def before_last(self) -> date:
        return self.before_until - DAY


def days_of(month: date, today: date) -> Days:
    """A whole month against the whole one before, or the running month against the same days of the one before."""
    before = (month - DAY).replace(day=1)
    until = min(next_month(month), max(month, today + DAY))
    running = until < next_month(month)
    return Days(month, until, before, min(month, before + (until - month)) if running else month)


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

    @property
    def name(self) -> str:
        return provider_name(self.slug)

    @property
    def last_billed(self) -> date | None:
        return self.until - DAY if self.until else None

    @property
    def change(self) -> Decimal | None:
        return part(self.amount - self.before, self.before)


@dataclass
class UserRow:
    """Who or what used the money: an application, a model or a task; or why nobody can be told."""

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
    def told(self) -> bool:
        return bool(self.key)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Requests of one model that have no cost of their own."""

    provider: str
    model: str
    unpriced: int
    unknown_usage: int
    tokens: int  # of those without a price

    @property
    def name(self) -> str:
        return provider_name(self.provider)


@dataclass(frozen=True)
class Bills:
    """The bills of the providers shown."""

    rows: Sequence[Reconciled]
    state: str

    @property
    def with_bill(self) -> list[Reconciled]:
        return [row for row in self.rows if row.complete_until or row.billed]

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
    def gap(self) -> Decimal | None:
        """How far bills and ours are apart where there is a bill, as a share of the bills; None without any."""
        apart = sum((abs(row.difference - row.pending) for row in self.with_bill), ZERO)
        return apart / self.billed if self.billed else None


class SpendPage:
    """Everything that the template asks for; each part is read once, when it is asked for."""

    def __init__(self, asked: Asked, now: datetime) -> None:
        self.asked, self.now = asked, now
        self.today = now.astimezone(UTC).date()
        self.days = days_of(asked.month, self.today)
        self.divides = asked.filters.divides()

    # What was spent.

    @cached_property
    def everything(self) -> Known:
        """Both periods in one read, before any filter."""
        return read(self.days.before, self.days.until, fine=self.divides)

    @cached_property
    def wanted(self) -> Known:
        return self.everything.only(self.asked.filters)

    @cached_property
    def known(self) -> Known:
        return between(self.wanted, self.days.since, self.days.until)

    @cached_property
    def before(self) -> Known:
        return between(self.wanted, self.days.before, self.days.before_until)

    @cached_property
    def total(self) -> Spend:
        return self.known.by("provider")

    @cached_property
    def total_before(self) -> Spend:
        return self.before.by("provider")

    @property
    def at_least(self) -> bool:
        return self.total.at_least

    @property
    def shares(self) -> dict[str, Decimal | None]:
        return {kind: part(amount, self.total.total) for kind, amount in self.total.provenance.items() if amount}

    @property
    def change_share(self) -> Decimal | None:
        return part(self.change.change, self.change.before)

    @property
    def per_thousand(self) -> Decimal | None:
        return part(self.total.total * 1000, Decimal(self.total.requests))

    @property
    def largest(self) -> list[ProviderRow]:
        """The two providers that cost the most, for the sentence."""
        return [row for row in self.providers if row.amount > 0][:2]

    @cached_property
    def prices(self) -> ListPrices:
        return ListPrices.of({row["model"] for row in self.wanted.usage})

    @cached_property
    def change(self) -> Bridge:
        return bridge(self.before, self.known, self.prices)

    @cached_property
    def tokens(self) -> TokenCosts:
        return token_costs(self.known, self.prices)

    @property
    def class_rows(self) -> list[tuple[ClassCost, Decimal | None]]:
        return [(row, part(row.cost, self.tokens.cost)) for row in self.tokens.classes]

    @property
    def dearest_class_share(self) -> Decimal | None:
        return part(self.tokens.dearest.cost, self.tokens.cost) if self.tokens.dearest else None

    # By day.

    @cached_property
    def bars(self) -> list[dict[str, Any]]:
        days = [self.days.since + DAY * n for n in range((self.days.until - self.days.since).days)]
        return day_bars(days, self.known, self.now)

    @cached_property
    def day_amounts(self) -> dict[date, Decimal]:
        """Of days that are over."""
        found: dict[date, Decimal] = defaultdict(lambda: ZERO)
        for line in self.known.lines:
            if line.day < self.today:
                found[line.day] += line.amount
        return dict(found)

    @property
    def dearest_day(self) -> tuple[date, Decimal] | None:
        return max(self.day_amounts.items(), key=lambda item: item[1], default=None)

    @property
    def usual_day(self) -> Decimal | None:
        return median(self.day_amounts.values()) if self.day_amounts else None

    # By provider.

    @cached_property
    def providers(self) -> list[ProviderRow]:
        before = {group.key: group.amount for group in self.total_before.groups}
        unpriced = counts_by(self.known, "provider", "unpriced")
        now = {group.key or "": group for group in self.total.groups}
        gone = [slug for slug in before if slug and slug not in now]
        until = {row.provider: row.complete_until for row in self.reconciliation.rows}
        rows = [
            ProviderRow(
                slug, group.provenance, group.amount, group.requests, unpriced[slug], before.get(slug, ZERO),
                until.get(slug), final_on(slug, self.days), part(group.amount, self.total.total),
            )
            for slug, group in now.items()
        ]  # fmt: skip
        rows += [ProviderRow(slug or "", {}, ZERO, 0, 0, before[slug], until.get(slug or ""), None) for slug in gone]
        return [row for row in rows if row.amount or row.requests or row.before]

    @property
    def largest_share(self) -> Decimal | None:
        """Of the two largest providers together."""
        return part(sum((row.amount for row in self.largest), ZERO), self.total.total)

    # By application, model or task.

    @cached_property
    def fine(self) -> Known:
        """The period shown, divided by who used it."""
        if self.divides:
            return self.known
        return read(self.days.since, self.days.until).only(self.asked.filters)

    @cached_property
    def users(self) -> list[UserRow]:
        return user_rows(self.fine, self.asked.by, self.labels, self.total.total)

    @property
    def top_user(self) -> UserRow | None:
        return next((row for row in self.users if row.told and row.amount), None)

    @property
    def largest_user(self) -> Decimal:
        """The scale of the rows' bars."""
        return max((row.amount for row in self.users), default=ZERO) or Decimal(1)

    @cached_property
    def applications(self) -> dict[str, str]:
        return dict(Application.objects.values_list("slug", "name"))

    @property
    def labels(self) -> dict[str, str]:
        return {"application": self.applications, "task": {slug: str(label) for slug, label in Task.choices}}.get(
            self.asked.by, {}
        )

    # Bills.

    @cached_property
    def reconciliation(self) -> Reconciliation:
        return reconcile(self.days.since, self.now)

    @cached_property
    def bills(self) -> Bills | None:
        """None where the filters ask for what no bill says."""
        if self.divides:
            return None
        wanted = self.asked.filters.provider
        found = self.reconciliation
        return Bills([row for row in found.rows if not wanted or row.provider in wanted], found.state)

    # What is not known, and how fresh the rest is.

    @cached_property
    def unknowns(self) -> list[Unknown]:
        return unknown_rows(self.known.usage)

    @property
    def unpriced(self) -> list[Unknown]:
        return [row for row in self.unknowns if row.unpriced]

    @property
    def unknown_usage(self) -> int:
        return sum(row.unknown_usage for row in self.unknowns)

    @cached_property
    def feeds(self) -> list[Feed]:
        found = Feed.objects.filter(kind__in=FRESH_KINDS, account__enabled=True).select_related("account")
        wanted = self.asked.filters.provider
        order = [feed for feed in found.order_by("account__slug") if not wanted or feed.account.kind in wanted]
        return sorted(order, key=lambda feed: (feed.account.slug, FRESH_KINDS.index(feed.kind)))

    @property
    def failing(self) -> list[Feed]:
        return [feed for feed in self.feeds if feed.failures]

    @property
    def last_poll(self) -> datetime | None:
        return max((feed.last_success_at for feed in self.feeds if feed.last_success_at), default=None)

    # The plan, for the running month as a whole.

    @cached_property
    def plan(self) -> tuple[Month, Phase | None] | None:
        if not self.days.running or self.divides or self.asked.filters.provider:
            return None
        return this_month(self.now), Phase.objects.planned_for(self.today)

    # What can be chosen.

    @cached_property
    def months(self) -> list[date]:
        return months_since(first_known_day(self.today), self.today)

    @cached_property
    def choices(self) -> dict[str, list[tuple[str, str]]]:
        """Values of the filters that occur in the period, with their names."""
        everything = self.everything
        providers = {line.provider for line in everything.lines} | {row["provider"] for row in everything.usage}
        models = {row["model"] for row in everything.usage if row["model"]}
        return {
            "provider": sorted(((slug, provider_name(slug)) for slug in providers), key=lambda item: item[1].lower()),
            "model": [(model, model) for model in sorted(models)],
            "application": sorted(self.applications.items(), key=lambda item: item[1].lower()),
            "task": [(slug, str(label)) for slug, label in Task.choices],
        }


def between(known: Known, since: date, until: date) -> Known:
    return Known(
        since,
        until,
        [line for line in known.lines if since <= line.day < until],
        [row for row in known.usage if since <= row["day"] < until],
        known.names,
    )


def counts_by(known: Known, column: str, count: str) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for row in known.usage:
        found[row[column]] += row[count]
    return found


def day_bars(days: Sequence[date], known: Known, now: datetime) -> list[dict[str, Any]]:
    """One bar a day for `{% stacked_bars %}`: parts by provider and provenance, the running day with its hours."""
    parts: dict[date, dict[tuple[str, str], Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
    for line in known.lines:
        parts[line.day][line.provider, line.provenance] += line.amount
    unknown = {row["day"] for row in known.usage if row["unpriced"]}
    now = now.astimezone(UTC)
    return [
        {
            "label": date_format(day, "j M"),
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


def user_rows(known: Known, by: str, labels: Mapping[str, str], total: Decimal) -> list[UserRow]:
    """Rows in descending order of cost, then what belongs to nobody; they add up to the total."""
    names = known.names.applications if by == "application" else {}
    rows: dict[str, UserRow] = {}
    for line in known.lines:
        key = key_of(line.who, by, names)
        row = rows.setdefault(key or why_nobody(line), UserRow(key, labels.get(key, key), "" if key else why(line)))
        row.amount += line.amount
        row.provenance[line.provenance] += line.amount
    for used in known.usage:
        key = key_of(who_of(used), by, names)
        row = rows.setdefault(key or "untold", UserRow(key, labels.get(key, key), "" if key else str(WHY["untold"]())))
        row.requests += used["requests"]
        row.unpriced += used["unpriced"]
    shown = [row for row in rows.values() if row.amount or row.requests]
    for row in shown:
        row.share = part(row.amount, total)
    return sorted(shown, key=lambda row: (not row.told, -row.amount, -row.requests, row.name))


def key_of(who: Any, by: str, names: Mapping[int, str]) -> str:
    return names.get(who.application_id, "") if by == "application" else str(getattr(who, by))


WHY = {
    "idle": lambda: _("Hours of our machines without a request"),
    "entered": lambda: _("Entered charges"),
    "untold": lambda: _("Not told by bill or log"),
}


def why_nobody(line: Line) -> str:
    if line.provenance == Provenance.ENTERED:
        return "entered"
    return "idle" if line.committed else "untold"


def why(line: Line) -> str:
    return str(WHY[why_nobody(line)]())


def unknown_rows(usage: Iterable[Mapping[str, Any]]) -> list[Unknown]:
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in usage:
        if row["unpriced"] or row["unknown_usage"]:
            counted = sums[row["provider"], row["model"]]
            counted[0] += row["unpriced"]
            counted[1] += row["unknown_usage"]
            counted[2] += sum(row[name] for name in ("uncached_input", "output")) if row["unpriced"] else 0
    rows = [Unknown(provider, model, *counted) for (provider, model), counted in sums.items()]
    return sorted(rows, key=lambda row: (-row.unpriced, -row.unknown_usage))


def final_on(provider: str, days: Days) -> date | None:
    """The day from which the vendor no longer revises what is shown."""
    if provider not in CONNECTORS:
        return None
    revised = connector_class(provider).reread.get("costs")
    return days.until + revised if revised is not None else None


def first_known_day(today: date) -> date:
    firsts = [
        UsageDay.objects.order_by("day").values_list("day", flat=True).first(),
        Charge.objects.order_by("day").values_list("day", flat=True).first(),
    ]
    return min([day for day in firsts if day] + [today])


def months_since(first: date, today: date) -> list[date]:
    """First days of months, the running one first."""
    found, month = [], first.replace(day=1)
    while month <= today:
        found.append(month)
        month = next_month(month)
    return found[::-1]
