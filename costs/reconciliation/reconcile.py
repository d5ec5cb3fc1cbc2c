"""Bills against ours, provider by provider for a month: the difference, and named causes that add up to it exactly.

Ours is what we measured (request log x price book) and estimated (lease hours x price) on all days of the month. Theirs
is the vendor's bill of that month, by its own invoice month where it says one; an entered invoice is a bill too. They
are compared day by day and model by model in `bill_cells`. A month that an invoice closed stays as it was then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from costs.models import Closing
from costs.reconciliation import queries as bills
from costs.reconciliation.causes import CAUSES, COUNTED, ORDER, PENDING
from costs.reconciliation.lines import ProviderMonth, ReconciliationLine
from costs.reconciliation.queries import BillingMonthData
from lib.formats import requests as counted_requests
from lib.money import ZERO
from providers.models import provider_name
from traffic.usage.filters import Filters

Way = Literal["provider", "model", "day"]


@dataclass(frozen=True, slots=True)
class Cause:
    """A part of a difference in USD, with its requests and models where the vendor counts them."""

    cause: str
    amount: Decimal
    requests: int | None = None
    models: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return str(CAUSES[self.cause])

    @property
    def words(self) -> str:
        """The cause with what the vendor counts of it: `not in our log: 3 requests, claude-sonnet-5-5`."""
        counted = f"{self.label}: {counted_requests(self.requests)}" if self.requests else self.label
        return ", ".join([counted, *self.models])


@dataclass(frozen=True, slots=True)
class ComparedAmounts:
    """Sums of some lines: `difference` is billed - measured - estimated, and the causes add up to it."""

    measured: Decimal
    estimated: Decimal
    billed: Decimal
    causes: list[Cause]

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
        """The part of the difference whose bill has not arrived yet."""
        return self.of(*PENDING)

    @property
    def gap(self) -> Decimal:
        """The difference without its pending part."""
        return self.difference - self.pending

    def of(self, *names: str) -> Decimal:
        return sum((cause.amount for cause in self.causes if cause.cause in names), ZERO)


@dataclass(frozen=True, slots=True)
class ProviderMonthBill(ComparedAmounts):
    """One provider's month as a whole."""

    provider: str
    invoiced: Decimal  # of `billed`, what a person entered from invoices
    complete_until: date | None  # the first day that the bill does not hold whole; None: no bill is read
    closed_on: date | None = None  # when its invoice closed it

    @property
    def name(self) -> str:
        return provider_name(self.provider)

    @property
    def has_bill(self) -> bool:
        return bool(self.complete_until or self.billed or self.invoiced)


@dataclass(frozen=True, slots=True)
class Reconciled(ProviderMonthBill):
    """The reconciliation of one provider's month, by day and model."""

    lines: list[ReconciliationLine] = field(default_factory=list)
    closing: Closing | None = None  # of a month that its invoice closed


@dataclass(frozen=True, slots=True)
class ReconciliationPart(ComparedAmounts):
    """One day or model of a provider's month; without day and model, the month as a whole."""

    provider: str
    day: date | None
    model: str

    @property
    def name(self) -> str:
        return provider_name(self.provider)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A month is `closed` when it is over and every bill holds all its days; vendors may still revise one."""

    month: date
    state: str
    rows: list[Reconciled]

    @property
    def unexplained(self) -> Decimal:
        return sum((row.unexplained for row in self.rows), ZERO) or Decimal("0.00")

    def by(self, way: Way) -> list[ReconciliationPart]:
        """Sum up by day and model (`day`), or by model; what has no day comes last."""
        key: Callable[[ReconciliationLine], tuple[date | None, str]] = (
            (lambda line: (line.day, line.model)) if way == "day" else lambda line: (None, line.model)
        )
        parts: list[ReconciliationPart] = []
        for row in self.rows:
            grouped: dict[tuple[date | None, str], list[ReconciliationLine]] = {}
            for line in row.lines:
                grouped.setdefault(key(line), []).append(line)
            parts += [ReconciliationPart(*sums(group), row.provider, *where) for where, group in grouped.items()]
        return sorted(parts, key=lambda part: (part.day or date.max, part.provider, part.model))


def reconcile(month: date, now: datetime, filters: Filters | None = None) -> Reconciliation:
    """Compare the bills of the month that begins on `month` with our own figures, by provider and model if asked."""
    return reconciliation(bills.read(month, now).only(filters or Filters()))


def reconciliation(data: BillingMonthData) -> Reconciliation:
    """Compare data that was read already."""
    rows = [reconciled(data, provider) for provider in sorted(data.providers())]
    return Reconciliation(data.month, state_of(data, rows), rows)


def state_of(data: BillingMonthData, rows: list[Reconciled]) -> str:
    # A provider whose bill is not read has no watermark: waiting for it would keep the month open for ever.
    awaited = (data.complete[row.provider] for row in rows if data.complete.get(row.provider, date.min) > date.min)
    return "closed" if data.today >= data.until and all(day >= data.until for day in awaited) else "open"


def reconciled(data: BillingMonthData, provider: str) -> Reconciled:
    if closing := data.closings.get(provider):
        return as_closed(data, closing)
    month = ProviderMonth(data, provider)
    lines = month.lines()
    until = data.complete.get(provider)
    return Reconciled(
        *sums(lines),
        provider=provider,
        invoiced=month.invoiced,
        complete_until=until if until and until > date.min else None,
        lines=lines,
    )


def as_closed(data: BillingMonthData, closing: Closing) -> Reconciled:
    """Return the month as its closing froze it."""
    stored = [ReconciliationLine.of(line) for line in closing.places]
    lines = [line for line in stored if not data.models or line.model in data.models]
    # The invoice is one sum for all models, so a comparison of single models leaves it out.
    until = data.until if closing.lines else None
    invoiced = ZERO if data.models else closing.amount - closing.lines
    closed_on = closing.created_at.date()
    return Reconciled(*sums(lines), closing.provider, invoiced, until, closed_on, lines, closing)


def sums(lines: Iterable[ReconciliationLine]) -> tuple[Decimal, Decimal, Decimal, list[Cause]]:
    """Measured, estimated, billed, and the causes of their difference."""
    measured = estimated = billed = ZERO
    amounts: dict[str, Decimal] = {}
    counted: dict[str, int] = {}
    models: dict[str, set[str]] = {}
    for line in lines:
        measured, estimated, billed = measured + line.measured, estimated + line.estimated, billed + line.billed
        for name, amount in line.causes.items():
            amounts[name] = amounts.get(name, ZERO) + amount
            if name in COUNTED:
                models.setdefault(name, set()).add(line.model)
        for name, requests in line.requests.items():
            counted[name] = counted.get(name, 0) + requests
    causes = [
        Cause(name, amounts[name], counted.get(name), tuple(sorted(models.get(name, ()))))
        for name in sorted(amounts, key=ORDER.__getitem__)
        if amounts[name]
    ]
    return measured, estimated, billed, causes
