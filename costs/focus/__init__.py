"""The month's ledger in the FinOps community's open format, FOCUS 1.4: three tables that agree with
`costs.allocation.queries`.

Cost and usage has what counts in a month, invoice detail what of it is on a bill, billing period one row for each who
bills. The file is read by machines: its words are the format's, in English whatever the reader's language, and rows
stand in the order of time.
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
KINDS = {"csv": "text/csv; charset=utf-8", "parquet": parquet.CONTENT_TYPE}  # of files, and how they are served


def export(dataset: str, month: date, now: datetime) -> str:
    """One table of the month that begins on `month`, as CSV with a header. Raises KeyError for no such table."""
    return as_csv(dataset, read(month, now))


def as_csv(dataset: str, month: FocusMonth) -> str:
    columns, rows = DATASETS[dataset]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows(month))
    return text.getvalue()


def as_file(dataset: str, month: FocusMonth, kind: str) -> bytes:
    """The same as the bytes of a file; raises `NotInstalled` where Parquet is asked for without its extra."""
    if kind == "csv":
        return as_csv(dataset, month).encode()
    columns, rows = DATASETS[dataset]
    return parquet.written(columns, rows(month))


def file_name(dataset: str, month: date, kind: str = "csv") -> str:
    """The same month has the same name each time: a newer file takes the place of the older."""
    return f"breakeven-focus-{VERSION}-{dataset}-{month:%Y-%m}.{kind}"
