"""Entering another vendor's bill: what of it counts, what is refused and why, and taking it back."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from time import perf_counter
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from costs.allocation.complete_days import bill_days
from costs.charges.exchange_rates import Converted, NoRate, to_usd
from costs.focus.bill import BillLine, alike, read_bill
from costs.ledger.closed_months import why_stated
from costs.models import BillImport, Charge, Provenance
from lib.events import log_event, ms_since
from lib.money import COST_STEP, ZERO
from providers.models import provider_name
from traffic.models import Application

logger = logging.getLogger(__name__)


@dataclass
class BillPreview:
    """What a file becomes: charges to be made, and rows that cannot be entered; nothing is while there are any."""

    charges: list[Charge] = field(default_factory=list)
    errors: list[tuple[int, str]] = field(default_factory=list)
    rows: int = 0
    free: int = 0
    bills: list[str] = field(default_factory=list)

    @property
    def amount(self) -> Decimal:
        return sum((charge.amount for charge in self.charges), ZERO)

    def sums(self, key: Callable[[Charge], str]) -> list[tuple[str, Decimal]]:
        sums: dict[str, Decimal] = {}
        for charge in self.charges:
            sums[key(charge)] = sums.get(key(charge), ZERO) + charge.amount
        return sorted(sums.items())


def preview_bill(*, name: str, content: bytes, today: date) -> BillPreview:
    """Read a file without writing anything. Raises UnreadableBill and NotInstalled."""
    read, checks = read_bill(name, content), LineChecks(today)
    looked = BillPreview(errors=list(read.errors), rows=len(read.lines) + len(read.errors) + read.free, free=read.free)
    digest = hashlib.sha256(content).hexdigest()[:24]
    good = []
    for line in read.lines:
        why = checks.why_not(line)
        if why:
            looked.errors.append((line.number, why))
        else:
            good.append(line)
    for number, (line, amount) in enumerate(alike(good)):
        converted = checks.convert(amount, line)
        assert converted is not None, "its currency was checked"
        looked.charges.append(checks.charge(line, amount, converted, f"bill:{digest}:{number}"))
    looked.bills = sorted({line.bill for line in good})
    looked.errors.sort()
    return looked


class LineChecks:
    """What is asked of every row, each thing once."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.whole = bill_days()
        self.applications = dict(Application.objects.values_list("slug", "pk"))
        self.rates: dict[tuple[str, date], Converted | str] = {}
        self.stated: dict[tuple[str, date], str] = {}
        standing = BillImport.objects.filter(undone_at=None).exclude(entered_at=None)
        self.taken = {bill: bill_import for bill_import in standing.defer("content") for bill in bill_import.bills}

    def why_not(self, line: BillLine) -> str:
        """Why a row cannot be entered; empty where it can."""
        if line.day > self.today:
            return _("This day is in the future.")
        if line.bill in self.taken:
            message = _("%(file)s already has the bill of %(name)s for %(month)s. Undo that import first.")
            names = {"month": date_format(line.month, "F Y"), "file": self.taken[line.bill].file_name}
            return message % {"name": provider_name(line.provider), **names}
        if line.day < self.whole.get(line.provider, date.min):
            message = _("The bill of %(name)s already covers this day. The cost would count twice.")
            return message % {"name": provider_name(line.provider)}
        key = line.provider, line.day.replace(day=1)
        if key not in self.stated:
            self.stated[key] = why_stated(line.provider, line.day, self.today)
        return self.stated[key] or self.why_no_rate(line)

    def why_no_rate(self, line: BillLine) -> str:
        key = line.currency, line.day
        if key not in self.rates:
            try:
                self.rates[key] = to_usd(Decimal(1), line.currency, line.day)
            except NoRate as error:
                self.rates[key] = str(error)
        rate = self.rates[key]
        return rate if isinstance(rate, str) else ""

    def convert(self, amount: Decimal, line: BillLine) -> Converted | None:
        rate = self.rates[line.currency, line.day]
        if isinstance(rate, str):
            return None
        usd = amount if rate.rate is None else amount * rate.rate
        return Converted(usd.quantize(COST_STEP), rate.rate, rate.source)

    def charge(self, line: BillLine, amount: Decimal, converted: Converted, key: str) -> Charge:
        start = datetime.combine(line.day, time(), UTC)
        return Charge(
            key=key, provenance=Provenance.ENTERED, provider=line.provider, category=line.category, day=line.day,
            starts_at=start, ends_at=start + timedelta(days=1), amount=converted.amount,
            original_amount=amount.quantize(COST_STEP), currency=line.currency, rate=converted.rate,
            rate_source=converted.source, model=line.model, resource=line.resource,
            application_id=self.applications.get(line.application), description=line.service,
            invoice_month=f"{line.month:%Y-%m}",
        )  # fmt: skip


def store_bill(*, name: str, content: bytes, looked: BillPreview, by: Any) -> tuple[BillImport, bool]:
    """Keep a file to be looked at; the very same one is there once. Whether it is new."""
    digest = hashlib.sha256(content).hexdigest()
    values = {
        "file_name": name[-120:], "content": content, "rows": looked.rows, "amount": looked.amount,
        "bills": looked.bills, "by": by,
    }  # fmt: skip
    bill_import, new = BillImport.objects.get_or_create(sha256=digest, undone_at=None, defaults=values)
    log_event(
        logger, logging.INFO, "bill_read",
        bill=bill_import.pk, bytes=len(content), rows=looked.rows, unreadable=len(looked.errors), new=new,
    )  # fmt: skip
    return bill_import, new


def preview_again(bill_import: BillImport, today: date) -> BillPreview:
    """What a file that was kept becomes now. Raises UnreadableBill and NotInstalled."""
    return preview_bill(name=bill_import.file_name, content=bytes(bill_import.content), today=today)


@transaction.atomic
def enter_bill(*, pk: int, today: date, user: Any) -> bool:
    """Write its charges, all or none; False where it is entered already, or cannot be.

    Raises UnreadableBill and NotInstalled.
    """
    started = perf_counter()
    bill_import = BillImport.objects.select_for_update().get(pk=pk)
    if bill_import.entered_at is not None or bill_import.undone_at is not None:
        return False
    looked = preview_again(bill_import, today)
    if looked.errors or not looked.charges:
        log_event(logger, logging.WARNING, "bill_refused", bill=pk, unreadable=len(looked.errors))
        return False
    for charge in looked.charges:
        charge.bill_import, charge.entered_by = bill_import, user
    Charge.objects.bulk_create(looked.charges, batch_size=1000)
    bill_import.entered_at, bill_import.amount, bill_import.bills = timezone.now(), looked.amount, looked.bills
    bill_import.save(update_fields=["entered_at", "amount", "bills"])
    log_event(logger, logging.INFO, "bill_entered", bill=pk, charges=len(looked.charges), ms=ms_since(started))
    return True


@transaction.atomic
def undo_bill(*, pk: int) -> str:
    """Delete what it brought; why not, where a month of it was stated since."""
    bill_import = BillImport.objects.select_for_update().get(pk=pk)
    if bill_import.undone_at is not None:
        return _("Not changed. The import was undone before.")
    if Charge.objects.filter(bill_import=bill_import).exclude(closing=None).exists():
        return _("An invoice has closed a month of this file. Reopen that month first.")
    if Charge.objects.filter(bill_import=bill_import, corrections__isnull=False).exists():
        return _("An entry of this file was corrected, so the import cannot be undone.")
    charges, _by_model = Charge.objects.filter(bill_import=bill_import).delete()
    bill_import.undone_at = timezone.now()
    bill_import.save(update_fields=["undone_at"])
    log_event(logger, logging.INFO, "bill_taken_back", bill=pk, charges=charges)
    return ""
