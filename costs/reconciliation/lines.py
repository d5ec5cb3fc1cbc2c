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

from costs.list_prices import list_rates
from costs.models import Category, Provenance
from costs.reconciliation import lease_variance, token_variance
from costs.reconciliation.causes import CAUSES, COUNTED
from costs.reconciliation.lease_variance import LeaseDay
from costs.reconciliation.queries import BillingMonthData, Row, entered, is_invoice
from costs.reconciliation.token_variance import BATCH, STANDARD, Causes, OwnUsage, Terms, VarianceCell, add
from lib.allocation import in_steps
from lib.model_names import canonical_name
from lib.money import COST_STEP, ZERO
from lib.tokens import TOKEN_CLASSES

# Categories of a bill that we also measure or estimate, each with the cause if we know nothing of them.
BARE: dict[str, str] = {Category.TOKENS: "unseen_requests", Category.GPU: "lease_unseen"}
LinePlace = tuple[date | None, str]  # a day, None for what belongs to the month as a whole; a model, empty for all else


@dataclass
class ReconciliationLine:
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
    def of(cls, stored: Mapping[str, Any]) -> ReconciliationLine:
        """Read a line from the JSON of a closing."""
        amounts = {name: Decimal(stored[name]) for name in ("measured", "estimated", "billed")}
        causes = {name: Decimal(amount) for name, amount in stored["causes"].items()}
        day = stored["day"] and date.fromisoformat(stored["day"])
        return cls(day, stored["model"], causes=causes, requests=stored["requests"], **amounts)


class ProviderMonth:
    """Collects one provider's charges, usage and reports of a month and compares them line by line."""

    def __init__(self, data: BillingMonthData, provider: str) -> None:
        self.data, self.provider = data, provider
        self.names_keys = any(row["api_key"] for row in data.vendor if row["provider"] == provider)
        self.step = data.steps.get(provider, Fraction(COST_STEP))
        self.lines_by_place: dict[LinePlace, ReconciliationLine] = {}
        self.parts: dict[LinePlace, Causes] = defaultdict(lambda: defaultdict(Fraction))
        self.opened: dict[LinePlace, Decimal] = defaultdict(lambda: ZERO)  # bill - ours on days that are not complete
        self.cells: dict[tuple[date, str], VarianceCell] = defaultdict(VarianceCell)
        self.leases: dict[tuple[date, int], LeaseDay] = defaultdict(LeaseDay)
        self.invoiced = ZERO
        self.stated_costs: Causes = defaultdict(
            Fraction
        )  # of that, what lines of a bill that came as a file say they are for
        for row in data.charges:
            if row["provider"] == provider:
                self.take_charge(row)
        for row in data.usage:
            if row["provider"] == provider:
                self.take_usage(row)
        for row in data.vendor:
            if row["provider"] == provider and data.whole(provider, row["day"]):
                self.take_report(row)

    def line(self, day: date | None, model: str) -> ReconciliationLine:
        return self.lines_by_place.setdefault((day, model), ReconciliationLine(day, model))

    # What is compared.

    def take_charge(self, row: Row) -> None:
        if entered(row):
            self.take_entered(row)
            return
        billed, inside = row["provenance"] == Provenance.BILLED, self.data.inside(row)
        tokens = row["category"] == Category.TOKENS and row["lease_id"] is None
        where = row["day"] if inside else None, canonical_name(row["model"]) if tokens else ""
        if billed and self.data.on_this_bill(row):
            self.line(*where).billed += row["total"]
        elif not billed and inside:
            self.line(*where).estimated += row["total"]
        # A vendor may count a day to another month (Google's begins eight hours late): such a charge is on this bill
        # but on no day of the month, or the other way round.
        if billed and self.data.on_this_bill(row) != inside:
            self.parts[where]["vendor_month"] += Fraction(row["total"]) * (-1 if inside else 1)
        # The neighbour days of the month are needed to find requests that the vendor counts on the day before or after.
        if inside or (tokens and self.data.beside(row["day"])):
            self.compare(row, billed, where)

    def take_entered(self, row: Row) -> None:
        """Add an entered charge that stands for a bill: an invoice, or a correction of a closed month."""
        name = self.data.cause_of(row)
        if name is None:
            return
        month = self.line(None, "")
        month.billed += row["total"]
        if is_invoice(row):
            self.invoiced += row["total"]
            if row["bill_import_id"] is not None:
                self.stated_costs[BARE.get(row["category"]) or row["category"]] += Fraction(row["total"])
        else:
            self.parts[None, ""][name] += Fraction(row["total"])

    def compare(self, row: Row, billed: bool, where: LinePlace) -> None:
        amount, day = Fraction(row["total"]), row["day"]
        if not self.data.whole(self.provider, day):
            self.open(where, row["total"] if billed else -row["total"])
        elif row["lease_id"] is not None:
            self.take_machine(self.leases[day, row["lease_id"]], row, amount, billed)
        elif row["category"] == Category.TOKENS:
            cell = self.cells[day, canonical_name(row["model"])]
            cell.billed[row["token_class"]] += amount
            cell.lines += row["lines"]
        else:
            name = "lease_unseen" if row["category"] == Category.GPU else row["category"]
            self.parts[where][name if name in CAUSES else "unexplained"] += amount

    def open(self, where: LinePlace, amount: Decimal) -> None:
        """Note the bill less our own costs of a day whose bill is not complete."""
        if where[0] is not None:
            self.opened[where] += amount

    def take_machine(self, day: LeaseDay, row: Row, amount: Fraction, billed: bool) -> None:
        if billed:
            day.billed[row["category"]] += amount
            day.lines += row["lines"]
        else:
            day.estimated += amount

    def take_usage(self, row: Row) -> None:
        inside = self.data.inside(row)
        where = row["day"] if inside else None, row["model"]
        if inside:
            self.line(*where).measured += row["cost"]
        if not self.data.whole(self.provider, row["day"]):
            self.open(where, -row["cost"])
            return
        tokens = {name: row[name] for name in TOKEN_CLASSES}
        counts = (row["requests"], row["batched"], row["unpriced"], row["unknown_usage"])
        self.cells[row["day"], row["model"]].add_ours(OwnUsage(*counts, tokens, Fraction(row["cost"])))

    def take_report(self, row: Row) -> None:
        cell = self.cells[row["day"], row["model"]]
        tier = BATCH if row["batch"] else STANDARD
        for name in TOKEN_CLASSES:
            cell.used[name, tier] += row["tokens"][name]
        cell.used_requests += row["count"] or 0
        # Usage without a key is another tool's only if the report names keys at all; some vendors never do.
        if self.data.is_other(row) or (not row["api_key"] and self.names_keys):
            for name in TOKEN_CLASSES:
                cell.keyless[name, tier] += row["tokens"][name]
            cell.keyless_requests += row["count"] or 0

    # Why it differs.

    def lines(self) -> list[ReconciliationLine]:
        """Explain every difference and return the lines by day and model; those without a day come last."""
        self.explain_tokens()
        self.explain_machines()
        self.explain_opened()
        self.settle_invoice()
        for where in self.parts:
            self.line(*where)
        # Exact fractions become amounts of the stored precision, which must still add up to the difference.
        for where, line in self.lines_by_place.items():
            line.causes = in_steps(self.parts.get(where, {}), line.difference)
        return sorted(self.lines_by_place.values(), key=lambda line: (line.day or date.max, line.model))

    def explain_tokens(self) -> None:
        parts: dict[tuple[date, str], Causes] = {}
        for (day, model), cell in self.cells.items():
            parts[day, model] = defaultdict(Fraction, token_variance.explain(cell, self.terms(day, model)))
        token_variance.allocate_cutoff_shift(parts)
        # Without the usage report there are no tokens to compare, which is a matter of waiting and not of a wrong bill.
        if self.provider in self.data.awaited:
            for causes in parts.values():
                causes["report_awaited"] += causes.pop("unexplained", Fraction(0))
        for (day, model), causes in parts.items():
            if self.data.month <= day < self.data.until:
                add(self.parts[day, model], causes)
                self.count(self.cells[day, model], day, model, causes)

    def count(self, cell: VarianceCell, day: date, model: str, causes: Mapping[str, Fraction]) -> None:
        ours = sum(row.requests for row in cell.ours)
        counted = {
            "other_keys": cell.keyless_requests,
            "unseen_requests": max(0, cell.used_requests - cell.keyless_requests - ours),
        }
        for name in COUNTED:
            if causes.get(name) and counted[name]:
                self.line(day, model).requests[name] = counted[name]

    def explain_machines(self) -> None:
        seen = {lease for lease, _day in self.data.watched}
        for (day, lease), machine in self.leases.items():
            machine.hours, machine.ever_seen = self.data.watched.get((lease, day), Fraction(0)), lease in seen
            add(self.parts[day, ""], lease_variance.explain(machine, self.step))

    def explain_opened(self) -> None:
        reads = self.data.complete.get(self.provider, date.min) > date.min
        for where, amount in self.opened.items():
            self.parts[where]["not_complete" if reads else "no_bill"] += Fraction(amount)

    def settle_invoice(self) -> None:
        """Let an invoice stand for the days without a bill. As it is one sum, its difference to ours has no causes.

        Lines of an imported bill do have causes: those besides requests and machines, and these too if we know of none.
        """
        if not self.data.has_invoice(self.provider):
            return
        stands_for = Fraction(0)
        for causes in self.parts.values():
            left = causes.pop("not_complete", Fraction(0)) + causes.pop("no_bill", Fraction(0))
            # Each day's own figures move to the invoice, and the month's line takes them back: the sum of all is 0.
            causes["on_invoice"] += left
            stands_for += left
        left = stands_for + Fraction(self.invoiced)
        month = self.parts[None, ""]
        month["on_invoice"] -= stands_for
        for name, amount in self.stated_costs.items():
            if name in CAUSES and (not stands_for or name not in BARE.values()):
                month[name] += amount
                left -= amount
        month["rounding" if abs(left) <= Fraction(5, 1000) else "unexplained"] += left

    def terms(self, day: date, model: str) -> Terms:
        """The terms of a model by its name without date and vendor, as bills name it. A batch factor that is not known
        is taken as 1, because the bill says the cost; at ingest such a request has none.
        """
        price = self.data.prices.at(self.provider, model, day)
        factor = Fraction(1) if price is None or price.batch_factor is None else Fraction(price.batch_factor)
        return Terms(list_rates(price), factor, self.step)
