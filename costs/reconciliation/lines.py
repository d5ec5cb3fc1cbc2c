"""One provider's month, day by day and model by model: what was measured, estimated and billed, and why they differ.

The days on either side are read along, since a vendor may count an evening to the next day; they are in no sum.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from costs.models import Category, Provenance
from costs.reconciliation import cutoff_shift, lease_variance, token_variance
from costs.reconciliation.causes import CAUSES, COUNTED
from costs.reconciliation.lease_variance import LeaseDay
from costs.reconciliation.queries import Facts, Row, entered, is_invoice
from costs.reconciliation.token_variance import BATCH, CLASSES, STANDARD, Causes, Cell, Ours, Terms, add
from costs.spend.list_prices import list_rates, plain
from lib.allocation import STEP, in_steps

ZERO = Decimal(0)
# What a bill's lines are for that we know by ourselves, and what they are where we do not.
BARE: dict[str, str] = {Category.TOKENS: "unseen_requests", Category.GPU: "lease_unseen"}
Where = tuple[date | None, str]  # a day, None for what belongs to the month as a whole; a model, empty for all else


@dataclass
class Place:
    """One day of one model in USD. The causes add up to billed - measured - estimated."""

    day: date | None
    model: str
    measured: Decimal = ZERO
    estimated: Decimal = ZERO
    billed: Decimal = ZERO
    causes: dict[str, Decimal] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)  # by cause, where the vendor counts them

    @property
    def difference(self) -> Decimal:
        return self.billed - self.measured - self.estimated

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Place:
        """From the JSON of a closing."""
        amounts = {name: Decimal(kept[name]) for name in ("measured", "estimated", "billed")}
        causes = {name: Decimal(amount) for name, amount in kept["causes"].items()}
        day = kept["day"] and date.fromisoformat(kept["day"])
        return cls(day, kept["model"], causes=causes, requests=kept["requests"], **amounts)


class Month:
    """Takes the month's rows of one provider and gives its places."""

    def __init__(self, facts: Facts, provider: str) -> None:
        self.facts, self.provider = facts, provider
        self.names_keys = any(row["api_key"] for row in facts.vendor if row["provider"] == provider)
        self.step = facts.steps.get(provider, Fraction(STEP))
        self.found: dict[Where, Place] = {}
        self.parts: dict[Where, Causes] = defaultdict(lambda: defaultdict(Fraction))
        self.opened: dict[Where, Decimal] = defaultdict(lambda: ZERO)  # bill less ours where the bill is not whole
        self.cells: dict[tuple[date, str], Cell] = defaultdict(Cell)
        self.leases: dict[tuple[date, int], LeaseDay] = defaultdict(LeaseDay)
        self.invoiced = ZERO
        self.told: Causes = defaultdict(Fraction)  # of that, what lines of a bill that came as a file say they are for
        for row in facts.charges:
            if row["provider"] == provider:
                self.take_charge(row)
        for row in facts.usage:
            if row["provider"] == provider:
                self.take_usage(row)
        for row in facts.vendor:
            if row["provider"] == provider and facts.whole(provider, row["day"]):
                self.take_report(row)

    def place(self, day: date | None, model: str) -> Place:
        return self.found.setdefault((day, model), Place(day, model))

    # What is compared.

    def take_charge(self, row: Row) -> None:
        if entered(row):
            self.take_entered(row)
            return
        billed, inside = row["provenance"] == Provenance.BILLED, self.facts.inside(row)
        tokens = row["category"] == Category.TOKENS and row["lease_id"] is None
        where = row["day"] if inside else None, plain(row["model"]) if tokens else ""
        if billed and self.facts.on_this_bill(row):
            self.place(*where).billed += row["total"]
        elif not billed and inside:
            self.place(*where).estimated += row["total"]
        if billed and self.facts.on_this_bill(row) != inside:
            self.parts[where]["vendor_month"] += Fraction(row["total"]) * (-1 if inside else 1)
        if inside or (tokens and self.facts.beside(row["day"])):
            self.compare(row, billed, where)

    def take_entered(self, row: Row) -> None:
        """An invoice is a bill, and so is what one said of a month that it closed, or a vendor of an earlier one."""
        name = self.facts.cause_of(row)
        if name is None:
            return
        month = self.place(None, "")
        month.billed += row["total"]
        if is_invoice(row):
            self.invoiced += row["total"]
            if row["bill_import_id"] is not None:
                self.told[BARE.get(row["category"]) or row["category"]] += Fraction(row["total"])
        else:
            self.parts[None, ""][name] += Fraction(row["total"])

    def compare(self, row: Row, billed: bool, where: Where) -> None:
        amount, day = Fraction(row["total"]), row["day"]
        if not self.facts.whole(self.provider, day):
            self.open(where, row["total"] if billed else -row["total"])
        elif row["lease_id"] is not None:
            self.take_machine(self.leases[day, row["lease_id"]], row, amount, billed)
        elif row["category"] == Category.TOKENS:
            cell = self.cells[day, plain(row["model"])]
            cell.billed[row["token_class"]] += amount
            cell.lines += row["lines"]
        else:
            name = "lease_unseen" if row["category"] == Category.GPU else row["category"]
            self.parts[where][name if name in CAUSES else "unexplained"] += amount

    def open(self, where: Where, amount: Decimal) -> None:
        """Bill less ours, of a day that the bill does not hold whole."""
        if where[0] is not None:
            self.opened[where] += amount

    def take_machine(self, day: LeaseDay, row: Row, amount: Fraction, billed: bool) -> None:
        if billed:
            day.billed[row["category"]] += amount
            day.lines += row["lines"]
        else:
            day.estimated += amount

    def take_usage(self, row: Row) -> None:
        inside = self.facts.inside(row)
        where = row["day"] if inside else None, row["model"]
        if inside:
            self.place(*where).measured += row["cost"]
        if not self.facts.whole(self.provider, row["day"]):
            self.open(where, -row["cost"])
            return
        tokens = {name: row[name] for name in CLASSES}
        counts = (row["requests"], row["batched"], row["unpriced"], row["unknown_usage"])
        self.cells[row["day"], row["model"]].add_ours(Ours(*counts, tokens, Fraction(row["cost"])))

    def take_report(self, row: Row) -> None:
        cell = self.cells[row["day"], row["model"]]
        tier = BATCH if row["batch"] else STANDARD
        for name in CLASSES:
            cell.used[name, tier] += row["tokens"][name]
        cell.used_requests += row["count"] or 0
        # A report that names no keys at all says nothing by leaving one out.
        if self.facts.is_other(row) or (not row["api_key"] and self.names_keys):
            for name in CLASSES:
                cell.keyless[name, tier] += row["tokens"][name]
            cell.keyless_requests += row["count"] or 0

    # Why it differs.

    def places(self) -> list[Place]:
        """Every day and model with a figure or a cause, in order; what belongs to no day comes last."""
        self.explain_tokens()
        self.explain_machines()
        self.explain_opened()
        self.settle_invoice()
        for where in self.parts:
            self.place(*where)
        for where, place in self.found.items():
            place.causes = in_steps(self.parts.get(where, {}), place.difference)
        return sorted(self.found.values(), key=lambda place: (place.day or date.max, place.model))

    def explain_tokens(self) -> None:
        parts: dict[tuple[date, str], Causes] = {}
        for (day, model), cell in self.cells.items():
            parts[day, model] = defaultdict(Fraction, token_variance.explain(cell, self.terms(day, model)))
        cutoff_shift.settle(parts)
        if self.provider in self.facts.awaited:
            for causes in parts.values():
                causes["report_awaited"] += causes.pop("unexplained", Fraction(0))
        for (day, model), causes in parts.items():
            if self.facts.month <= day < self.facts.until:
                add(self.parts[day, model], causes)
                self.count(self.cells[day, model], day, model, causes)

    def count(self, cell: Cell, day: date, model: str, causes: Mapping[str, Fraction]) -> None:
        ours = sum(row.requests for row in cell.ours)
        counted = {
            "other_keys": cell.keyless_requests,
            "unseen_requests": max(0, cell.used_requests - cell.keyless_requests - ours),
        }
        for name in COUNTED:
            if causes.get(name) and counted[name]:
                self.place(day, model).requests[name] = counted[name]

    def explain_machines(self) -> None:
        seen = {lease for lease, _day in self.facts.watched}
        for (day, lease), machine in self.leases.items():
            machine.hours, machine.ever_seen = self.facts.watched.get((lease, day), Fraction(0)), lease in seen
            add(self.parts[day, ""], lease_variance.explain(machine, self.step))

    def explain_opened(self) -> None:
        reads = self.facts.complete.get(self.provider, date.min) > date.min
        for where, amount in self.opened.items():
            self.parts[where]["not_complete" if reads else "no_bill"] += Fraction(amount)

    def settle_invoice(self) -> None:
        """An invoice stands for the days without a bill; it is one sum, so that what it differs by has no names.

        Lines of a bill that came as a file have: what is beside requests and machines, and these where we know of none.
        """
        if not self.facts.has_invoice(self.provider):
            return
        stands_for = Fraction(0)
        for causes in self.parts.values():
            left = causes.pop("not_complete", Fraction(0)) + causes.pop("no_bill", Fraction(0))
            causes["on_invoice"] += left
            stands_for += left
        left = stands_for + Fraction(self.invoiced)
        month = self.parts[None, ""]
        month["on_invoice"] -= stands_for
        for name, amount in self.told.items():
            if name in CAUSES and (not stands_for or name not in BARE.values()):
                month[name] += amount
                left -= amount
        month["rounding" if abs(left) <= Fraction(5, 1000) else "unexplained"] += left

    def terms(self, day: date, model: str) -> Terms:
        price = self.facts.prices.at(self.provider, model, day)
        factor = Fraction(price.batch_factor) if price and price.batch_factor else Fraction(1)
        return Terms(list_rates(price), factor, self.step)
