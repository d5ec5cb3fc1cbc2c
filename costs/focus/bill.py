"""Reads a bill in FOCUS 1.0 to 1.4 into lines, without queries.

The amount is BilledCost in its own currency. Columns that were renamed between versions count as the same; columns
that a version does not have are left empty.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from django.utils.translation import gettext as _

from costs.focus.parquet import cells
from costs.models import Category
from costs.reconciliation.invoices import UnreadableInvoice, decoded, delimiter_of, numbers
from lib.periods import next_month
from providers.models import provider_names

MOST_ROWS = 100_000
LARGEST = Decimal(10_000_000)
PROVIDER = ("ServiceProviderName", "ProviderName", "Provider", "PublisherName", "Publisher", "InvoiceIssuerName")
NEEDED = ("BilledCost", "BillingCurrency", "ChargePeriodStart", "ChargeCategory")
CATEGORIES = {
    "Tax": Category.TAX, "Credit": Category.CREDIT, "Adjustment": Category.ADJUSTMENT,
    "Purchase": Category.SUBSCRIPTION,
}  # fmt: skip
SERVICES = {
    "AI and Machine Learning": Category.TOKENS, "Compute": Category.VM, "Storage": Category.DISK,
    "Networking": Category.NETWORK,
}  # fmt: skip
FIRST = date(2020, 1, 1)


class UnreadableBill(ValueError):
    """The file cannot be read as a bill; the text is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class BillLine:
    """One row in its own currency; `bill` identifies the bill by issuer, account and month."""

    number: int  # of the row in its file; the header is row 1
    day: date
    month: date
    provider: str
    account: str
    category: str
    amount: Decimal
    currency: str
    service: str = ""
    model: str = ""
    resource: str = ""
    application: str = ""

    @property
    def bill(self) -> str:
        return f"{self.provider}/{self.account}/{self.month:%Y-%m}"


@dataclass(frozen=True)
class Bill:
    lines: list[BillLine]
    errors: list[tuple[int, str]]  # (row number, sentence)
    free: int = 0  # rows that cost nothing


class BadLine(ValueError):
    """A row cannot be read; the text is a sentence for a person."""


def read_bill(name: str, content: bytes) -> Bill:
    """Every row of a CSV or Parquet file. Raises UnreadableBill; `NotInstalled` for Parquet without its extra."""
    rows = parquet_rows(content) if content[:4] == b"PAR1" or name.lower().endswith(".parquet") else csv_rows(content)
    if len(rows) > MOST_ROWS:
        raise UnreadableBill(_("A bill has at most %(n)d rows: export it by month.") % {"n": MOST_ROWS})
    if not rows:
        raise UnreadableBill(_("The file has no row with a cost."))
    missing = [column for column in NEEDED if column not in rows[0][1]]
    if missing:
        message = _("This is not a FOCUS cost and usage file: it has no column %(names)s.")
        raise UnreadableBill(message % {"names": ", ".join(missing)})
    commas = any("," in row.get("BilledCost", "") for _number, row in rows)
    lines: list[BillLine] = []
    errors: list[tuple[int, str]] = []
    for number, row in rows:
        try:
            line = line_of(number, row, commas)
        except (BadLine, UnreadableInvoice) as error:
            errors.append((number, str(error)))
            continue
        if line.amount:
            lines.append(line)
    return Bill(lines, errors, len(rows) - len(lines) - len(errors))


def csv_rows(content: bytes) -> list[tuple[int, dict[str, str]]]:
    try:
        text = decoded(content)
    except UnreadableInvoice as error:
        raise UnreadableBill(str(error)) from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text))
    try:
        header = [cell.strip() for cell in next(reader, [])]
        return [
            (reader.line_num, {name: cell.strip() for name, cell in zip(header, row, strict=False)})
            for row in reader
            if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise UnreadableBill(_("This is not a CSV file: %(why)s.") % {"why": error}) from error


def parquet_rows(content: bytes) -> list[tuple[int, dict[str, str]]]:
    try:
        return list(enumerate(cells(content), start=1))
    except ValueError as error:
        raise UnreadableBill(_("This is not a Parquet file.")) from error


def line_of(number: int, row: dict[str, str], commas: bool) -> BillLine:
    """A row as a line; `commas` says that the file uses decimal commas. Raises `BadLine`."""
    started = moment(row, "ChargePeriodStart")
    first = moment(row, "BillingPeriodStart") if row.get("BillingPeriodStart") else started
    month = first.replace(day=1)
    # A correction of an earlier month counts in the month of the bill that it is on, where it is paid.
    day = min(max(started, month), next_month(month) - timedelta(days=1))
    currency = row.get("BillingCurrency", "").upper()
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise BadLine(_("BillingCurrency is not a currency: %(text)s.") % {"text": currency[:20] or "“”"})
    return BillLine(
        number=number,
        day=day,
        month=month,
        provider=provider_of(row),
        account=(row.get("BillingAccountId") or row.get("BillingAccountName") or "")[:100],
        category=category_of(row),
        amount=amount_of(row.get("BilledCost", ""), commas),
        currency=currency,
        service=(row.get("ServiceName") or row.get("ChargeDescription") or "")[:200],
        model=row.get("x_Model", "")[:200],
        resource=row.get("ResourceId", "")[:200],
        application=row.get("x_Application") or tag(row.get("Tags", ""), "application"),
    )


def moment(row: dict[str, str], name: str) -> date:
    """The UTC day of a timestamp. Raises `BadLine`."""
    text = row.get(name, "")
    try:
        parsed = datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        raise BadLine(
            _("%(name)s is not a date and time: %(text)s.") % {"name": name, "text": text[:40] or "“”"}
        ) from None
    day = (parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)).date()
    if day < FIRST:
        raise BadLine(_("Days before 2020 are not accepted."))
    return day


def amount_of(text: str, commas: bool) -> Decimal:
    """An amount. FOCUS writes a decimal point; a spreadsheet may have made commas of them, and then a text that could
    be read in two ways is refused. Raises `BadLine`."""
    if commas and not re.fullmatch(r"-?\d+(,\d+)?", text):
        return numbers([text])[0]
    try:
        amount = Decimal(text.replace(",", "."))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise BadLine(_("BilledCost is not an amount: %(text)s.") % {"text": text[:40] or "“”"})
    if abs(amount) > LARGEST:
        raise BadLine(_("The amount must be below ten million."))
    return amount


def provider_of(row: dict[str, str]) -> str:
    """Our slug of the provider of the service."""
    name = next((row[column] for column in PROVIDER if row.get(column)), "")
    slugs = {provider_name.lower(): slug for slug, provider_name in provider_names().items()}
    slug = slugs.get(name.lower()) or re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    if not slug:
        raise BadLine(_("No column names the provider: %(names)s.") % {"names": ", ".join(PROVIDER[:2])})
    return slug


def category_of(row: dict[str, str]) -> str:
    """The category of the ledger; usage of a service that has no category counts as a subscription."""
    charge = row.get("ChargeCategory", "")
    if charge == "Usage":
        return str(SERVICES.get(row.get("ServiceCategory", ""), Category.SUBSCRIPTION))
    if charge not in CATEGORIES:
        raise BadLine(_("ChargeCategory is not one of FOCUS: %(text)s.") % {"text": charge[:40] or "“”"})
    return str(CATEGORIES[charge])


def tag(text: str, name: str) -> str:
    try:
        tags = json.loads(text) if text else {}
    except ValueError:
        return ""
    return str(tags.get(name, "")) if isinstance(tags, dict) else ""


def alike(lines: Iterable[BillLine]) -> Iterator[tuple[BillLine, Decimal]]:
    """Rows that would make equal charges, added up: (one of them, their sum)."""
    sums: dict[tuple[object, ...], tuple[BillLine, Decimal]] = {}
    for line in lines:
        key = (
            line.day, line.bill, line.category, line.currency, line.service, line.model, line.resource,
            line.application,
        )  # fmt: skip
        first, amount = sums.get(key, (line, Decimal(0)))
        sums[key] = (first, amount + line.amount)
    yield from sums.values()
