"""The month's ledger in FOCUS 1.4, an open format of the FinOps community, with the sums of `costs.allocation.queries`.

Cost and usage has the charges that count in a month, invoice detail those of them that are on a bill, billing period
one row for each issuer of bills. Programs read the files: values are the format's English words in every language, and
rows are ordered by time.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from datetime import date, datetime

from costs.focus import cost_and_usage, invoices, parquet
from costs.focus.cells import FocusRow
from costs.focus.ledger import FocusMonth, read
from costs.focus.parquet import NotInstalled

__all__ = [
    "DATASETS",
    "KINDS",
    "VERSION",
    "FocusMonth",
    "NotInstalled",
    "as_csv",
    "as_file",
    "export",
    "file_name",
    "read",
]

VERSION = "1.4"
DATASETS: dict[str, tuple[tuple[str, ...], Callable[[FocusMonth], Iterable[FocusRow]]]] = {
    "cost-and-usage": (cost_and_usage.COLUMNS, cost_and_usage.rows),
    "invoice-detail": (invoices.DETAIL_COLUMNS, invoices.detail_rows),
    "billing-period": (invoices.PERIOD_COLUMNS, invoices.period_rows),
}
KINDS = {"csv": "text/csv; charset=utf-8", "parquet": parquet.CONTENT_TYPE}  # content type by kind of file


def export(dataset: str, month: date, now: datetime) -> str:
    """One table of the month that begins on `month`, as CSV with a header. Raises KeyError for an unknown table."""
    return as_csv(dataset, read(month, now))


def as_csv(dataset: str, month: FocusMonth) -> str:
    columns, rows = DATASETS[dataset]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows(month))
    return text.getvalue()


def as_file(dataset: str, month: FocusMonth, kind: str) -> bytes:
    """The table as the bytes of a file of `kind`. Raises `NotInstalled` for Parquet without its extra."""
    if kind == "csv":
        return as_csv(dataset, month).encode()
    columns, rows = DATASETS[dataset]
    return parquet.written(columns, rows(month))


def file_name(dataset: str, month: date, kind: str = "csv") -> str:
    """The name of a file. It is the same each time for a month, so that a newer file replaces the older."""
    return f"breakeven-focus-{VERSION}-{dataset}-{month:%Y-%m}.{kind}"
