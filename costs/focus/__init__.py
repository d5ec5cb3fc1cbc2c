"""The month's ledger in the FinOps community's open format, FOCUS 1.4: three tables that agree with `costs.spend`.

Cost and usage has what counts in a month, invoice detail what of it is on a bill, billing period one row for each who
bills. The file is read by machines: its words are the format's, in English whatever the reader's language, and rows
stand in the order of time.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from datetime import date, datetime

from costs.focus import cost_and_usage, invoices
from costs.focus.cells import Row
from costs.focus.ledger import Month, read

VERSION = "1.4"
DATASETS: dict[str, tuple[tuple[str, ...], Callable[[Month], Iterable[Row]]]] = {
    "cost-and-usage": (cost_and_usage.COLUMNS, cost_and_usage.rows),
    "invoice-detail": (invoices.DETAIL_COLUMNS, invoices.detail_rows),
    "billing-period": (invoices.PERIOD_COLUMNS, invoices.period_rows),
}


def export(dataset: str, month: date, now: datetime) -> str:
    """One table of the month that begins on `month`, as CSV with a header. Raises KeyError for no such table."""
    columns, rows = DATASETS[dataset]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows(read(month, now)))
    return text.getvalue()


def file_name(dataset: str, month: date) -> str:
    return f"breakeven-focus-{VERSION}-{dataset}-{month:%Y-%m}.csv"
