"""Bills against ours, provider by provider for a month: the difference, and named causes that add up to it exactly.

Ours is what we measured (request log x price book) and estimated (lease hours x price) on all days of the month. Theirs
is the vendor's bill of that month, by its own invoice month where it says one; an entered invoice is a bill too. Days
that a bill does not hold yet are one cause; the others are compared day by day, tokens in `token_gaps`, machines in
`lease_gaps`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from costs import bills, lease_gaps, token_gaps
from costs.allocation import STEP, in_steps
from costs.bills import Facts, Row, entered
from costs.lease_gaps import LeaseDay
from costs.list_prices import list_rates, plain
from costs.models import Category, Provenance
from costs.spend import ZERO
from costs.token_gaps import BATCH, CLASSES, STANDARD, Causes, Cell, Ours, Terms, add
from providers.models import PROVIDER_NAMES
from traffic.filters import Filters

# Every cause and its words, in the order in which they are told: what people can act on first.
CAUSES: dict[str, str | Promise] = {
    "unseen_requests": _("requests that our log has not"),
    "unknown_usage": _("answers of ours that never said their usage"),
    "unpriced": _("requests of ours without a price"),
    "price": _("billed at other prices than the price book’s"),
    "batch": _("billed as batch or not, unlike our log"),
    "cache_split": _("cache counted in another class"),
    "not_billed": _("requests of ours that are not on the bill"),
    "lease_unseen": _("machines that we never saw"),
    "lease_hours": _("machine hours that we did not watch"),
    "lease_price": _("machines billed at another price than listed"),
    "lease_not_billed": _("machines of ours that are not on the bill"),
    "web_search": _("web searches"),
    "code_execution": _("code execution"),
    "session": _("agent sessions"),
    "subscription": _("subscriptions"),
    "disk": _("disk"),
    "network": _("network"),
    "cpu": _("CPU without a machine"),
    "vm": _("VMs without a GPU"),
    "tax": _("tax"),
    "credit": _("credits"),
    "adjustment": _("the vendor’s adjustments"),
    "upkeep": _("upkeep"),
    "vendor_month": _("days that the vendor counts to another month"),
    "not_complete": _("days that the bill does not hold yet"),
    "no_bill": _("no bill is read from this provider"),
    "rounding": _("rounding"),
    "unexplained": _("unexplained"),
}
ORDER = {cause: place for place, cause in enumerate(CAUSES)}


@dataclass(frozen=True, slots=True)
class Cause:
    """A part of a difference in USD; of requests that we never saw also how many, and of which models."""

    cause: str
    amount: Decimal
    requests: int | None = None
    models: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return str(CAUSES[self.cause])


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One provider's month. `difference` is billed - measured - estimated, and the causes add up to it."""

    provider: str
    measured: Decimal
    estimated: Decimal
    billed: Decimal
    invoiced: Decimal  # of `billed`, what a person entered from invoices
    complete_until: date | None  # the first day that the bill does not hold whole; None: no bill is read
    causes: list[Cause]

    @property
    def name(self) -> str:
        return PROVIDER_NAMES.get(self.provider, self.provider)

    @property
    def ours(self) -> Decimal:
        return self.measured + self.estimated

    @property
    def difference(self) -> Decimal:
        return self.billed - self.ours

    @property
    def unexplained(self) -> Decimal:
        return self.of("unexplained")

    @property
    def pending(self) -> Decimal:
        """What of the difference is only a bill that has not come."""
        return self.of("not_complete", "no_bill")

    def of(self, *names: str) -> Decimal:
        return sum((cause.amount for cause in self.causes if cause.cause in names), ZERO)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A month is `closed` when it is over and every bill holds all its days; vendors may still revise one."""

    month: date
    state: str
    rows: list[Reconciled]

    @property
    def unexplained(self) -> Decimal:
        return sum((row.unexplained for row in self.rows), ZERO) or Decimal("0.00")


def reconcile(month: date, now: datetime, filters: Filters | None = None) -> Reconciliation:
    """Compare the bills of the month that begins on `month` with our own figures, by provider and model if asked."""
    facts = bills.read(month, now).only(filters or Filters())
    rows = [reconciled(facts, provider) for provider in sorted(facts.providers())]
    return Reconciliation(month, state_of(facts, rows), rows)


def state_of(facts: Facts, rows: list[Reconciled]) -> str:
    awaited = (facts.complete[row.provider] for row in rows if facts.complete.get(row.provider, date.min) > date.min)
    return "closed" if facts.today >= facts.until and all(day >= facts.until for day in awaited) else "open"


def reconciled(facts: Facts, provider: str) -> Reconciled:
    charges = [row for row in facts.charges if row["provider"] == provider]
    inside = [row for row in charges if facts.inside(row)]
    invoices = [row for row in charges if entered(row) and row["category"] == Category.INVOICE]
    on_bill = [row for row in charges if row["provenance"] == Provenance.BILLED and facts.on_this_bill(row)]
    invoiced = total(row for row in invoices if row["invoice_month"] == f"{facts.month:%Y-%m}")
    measured = sum((row["cost"] for row in facts.usage if row["provider"] == provider), ZERO)
    estimated = total(row for row in inside if row["provenance"] == Provenance.ESTIMATED)
    billed = total(on_bill) + invoiced
    found = Month(facts, provider, inside, bool(invoices))
    causes = found.causes()
    add(causes, {"vendor_month": shifted(facts, charges)})
    if invoices:
        settle_invoice(causes, Fraction(invoiced))
    until = facts.complete.get(provider)
    return Reconciled(
        provider=provider,
        measured=measured,
        estimated=estimated,
        billed=billed,
        invoiced=invoiced,
        complete_until=until if until and until > date.min else None,
        causes=found.described(in_steps(causes, billed - measured - estimated)),
    )


def total(rows: Iterator[Row] | list[Row]) -> Decimal:
    return sum((row["total"] for row in rows), ZERO)


def shifted(facts: Facts, charges: list[Row]) -> Fraction:
    """Billed lines of this bill on other months' days, less those of other bills on this month's days."""
    amount = ZERO
    for row in charges:
        if row["provenance"] == Provenance.BILLED:
            amount += row["total"] * (facts.on_this_bill(row) - facts.inside(row))
    return Fraction(amount)


def settle_invoice(causes: Causes, invoiced: Fraction) -> None:
    """An invoice stands for the days without a bill; it is one sum, so that a difference to ours has no names."""
    left = causes.pop("not_complete", Fraction(0)) + causes.pop("no_bill", Fraction(0)) + invoiced
    add(causes, {"rounding" if abs(left) <= Fraction(5, 1000) else "unexplained": left})


class Month:
    """One provider's days that a bill holds whole, and what of the others is still to come."""

    def __init__(self, facts: Facts, provider: str, charges: list[Row], invoiced: bool) -> None:
        self.facts, self.provider, self.charges = facts, provider, charges
        self.names_keys = any(row["keyed"] for row in facts.vendor if row["provider"] == provider)
        self.step = facts.steps.get(provider, Fraction(STEP))
        self.cells: dict[tuple[date, str], Cell] = defaultdict(Cell)
        self.leases: dict[tuple[date, int], LeaseDay] = defaultdict(LeaseDay)
        self.other: Causes = defaultdict(Fraction)  # on whole days, what is neither tokens nor a known machine
        self.open = Fraction(0)  # on the other days, bill less ours
        self.unseen_requests = 0
        self.unseen_models: set[str] = set()
        for row in charges:
            self.take_charge(row)
        for row in facts.usage:
            if row["provider"] == provider:
                self.take_usage(row)
        for row in facts.vendor:
            if row["provider"] == provider and facts.whole(provider, row["day"]):
                self.take_report(row)

    def take_charge(self, row: Row) -> None:
        amount = Fraction(row["total"])
        if entered(row):
            return
        billed = row["provenance"] == Provenance.BILLED
        if not self.facts.whole(self.provider, row["day"]):
            self.open += amount if billed else -amount
        elif row["lease_id"] is not None:
            self.take_machine(self.leases[row["day"], row["lease_id"]], row, amount, billed)
        elif row["category"] == Category.TOKENS:
            cell = self.cells[row["day"], plain(row["model"])]
            cell.billed[row["token_class"]] += amount
            cell.lines += row["lines"]
        else:
            self.other["lease_unseen" if row["category"] == Category.GPU else row["category"]] += amount

    def take_machine(self, day: LeaseDay, row: Row, amount: Fraction, billed: bool) -> None:
        if billed:
            day.billed[row["category"]] += amount
            day.lines += row["lines"]
        else:
            day.estimated += amount

    def take_usage(self, row: Row) -> None:
        if not self.facts.whole(self.provider, row["day"]):
            self.open -= Fraction(row["cost"])
            return
        tokens = {name: row[name] for name in CLASSES}
        counts = (row["requests"], row["batched"], row["unpriced"], row["unknown_usage"])
        self.cells[row["day"], row["model"]].add_ours(Ours(*counts, tokens, Fraction(row["cost"])))

    def take_report(self, row: Row) -> None:
        cell = self.cells[row["day"], row["model"]]
        for name in CLASSES:
            cell.used[name, BATCH if row["batch"] else STANDARD] += row["tokens"][name]
        cell.used_requests += row["count"] or 0
        # A report that names no keys at all says nothing by leaving one out.
        if not row["keyed"] and self.names_keys:
            for name in CLASSES:
                cell.keyless[name, BATCH if row["batch"] else STANDARD] += row["tokens"][name]
            cell.keyless_requests += row["count"] or 0

    def causes(self) -> Causes:
        found: Causes = defaultdict(Fraction, self.other)
        for (day, model), cell in self.cells.items():
            parts = token_gaps.explain(cell, self.terms(day, model))
            self.remember_unseen(cell, model, parts)
            add(found, parts)
        seen = {lease for lease, _day in self.facts.watched}
        for (day, lease), machine in self.leases.items():
            machine.hours, machine.ever_seen = self.facts.watched.get((lease, day), Fraction(0)), lease in seen
            add(found, lease_gaps.explain(machine, self.step))
        bill = self.facts.complete.get(self.provider, date.min) > date.min
        add(found, {"not_complete" if bill else "no_bill": self.open})
        return found

    def remember_unseen(self, cell: Cell, model: str, parts: Mapping[str, Fraction]) -> None:
        if not parts.get("unseen_requests"):
            return
        self.unseen_models.add(model)
        ours = any(row.requests for row in cell.ours)
        self.unseen_requests += cell.keyless_requests if ours and cell.keyless_requests else cell.used_requests
        if ours and not cell.keyless_requests:
            self.unseen_requests -= min(cell.used_requests, sum(row.requests for row in cell.ours))

    def terms(self, day: date, model: str) -> Terms:
        price = self.facts.prices.at(self.provider, model, day)
        rates = list_rates(price)
        factor = Fraction(price.batch_factor) if price and price.batch_factor else Fraction(1)
        return Terms(rates, factor, self.step)

    def described(self, amounts: Mapping[str, Decimal]) -> list[Cause]:
        return [
            Cause(name, amounts[name], self.unseen_requests or None, tuple(sorted(self.unseen_models)))
            if name == "unseen_requests"
            else Cause(name, amounts[name])
            for name in sorted(amounts, key=ORDER.__getitem__)
        ]


def as_json(found: Reconciliation) -> dict[str, Any]:
    return {
        "month": f"{found.month:%Y-%m}",
        "state": found.state,
        "rows": [
            {
                "provider": row.provider,
                "measured": row.measured,
                "estimated": row.estimated,
                "billed": row.billed,
                "invoiced": row.invoiced,
                "difference": row.difference,
                "complete_until": row.complete_until and row.complete_until.isoformat(),
                "causes": [
                    {
                        "cause": cause.cause,
                        "amount": cause.amount,
                        "requests": cause.requests,
                        "models": list(cause.models),
                    }
                    for cause in row.causes
                ],
            }
            for row in found.rows
        ],
        "unexplained": found.unexplained,
    }
