"""Parquet with the types of FOCUS: costs and quantities as decimals, timestamps in UTC, else text; unknown is null.

Needs the extra `parquet` (pyarrow), which the default lock leaves out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

from django.utils.translation import gettext as _

from costs.focus.cells import FocusRow

CONTENT_TYPE = "application/vnd.apache.parquet"
DECIMALS, MOMENTS = ("Cost", "Quantity", "ExchangeRate"), ("Start", "End", "Created", "LastUpdated", "Date")


class NotInstalled(Exception):
    """The extra `parquet` is not installed; the text is a sentence for a person."""

    def __init__(self) -> None:
        super().__init__(_("Parquet needs the extra “parquet”: install breakeven[parquet], or use CSV."))


def installed() -> bool:
    return find_spec("pyarrow") is not None


def arrow() -> tuple[Any, Any]:
    """pyarrow and its Parquet module. Imported on use, because they take 60 MB of memory. Raises NotInstalled."""
    if not installed():
        raise NotInstalled
    import pyarrow
    from pyarrow import parquet

    return pyarrow, parquet


def written(columns: Sequence[str], rows: Iterable[FocusRow]) -> bytes:
    """The bytes of a file with these columns. Raises NotInstalled."""
    pyarrow, parquet = arrow()
    all_rows = list(rows)
    types = {name: type_of(pyarrow, name) for name in columns}
    arrays = [
        pyarrow.array([value(name, row.get(name, "")) for row in all_rows], types[name]) for name in columns
    ]  # fmt: skip
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=pyarrow.schema(list(types.items()))), sink)
    return bytes(sink.getvalue())


def type_of(pyarrow: Any, name: str) -> Any:
    if name.endswith(DECIMALS):
        return pyarrow.decimal128(38, 12)
    return pyarrow.timestamp("s", "UTC") if name.endswith(MOMENTS) else pyarrow.string()


def value(name: str, cell: str) -> Decimal | datetime | str | None:
    if not cell:
        return None
    if name.endswith(DECIMALS):
        return Decimal(cell)
    return datetime.fromisoformat(cell) if name.endswith(MOMENTS) else cell


# Parquet stores a repeated value once, so a file of kilobytes can unpack to gigabytes; these limits refuse such a file.
MOST_ROWS, MOST_COLUMNS = 500_000, 1_000
MOST_BYTES = 256 << 20  # unpacked
ROWS_AT_ONCE = 1_000


def cells(content: bytes) -> list[dict[str, str]]:
    """The rows of a file as text, as in a CSV. Raises NotInstalled; ValueError for a file that is not Parquet."""
    pyarrow, parquet = arrow()
    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(content))
        group_bytes = refuse_large(file.metadata)
        read: list[dict[str, str]] = []
        size = 0
        # Each row may repeat the largest value of the file, so a batch is small enough to fit even then.
        for batch in file.iter_batches(min(ROWS_AT_ONCE, max(1, MOST_BYTES // max(group_bytes, 1)))):
            size += batch.nbytes
            if size > MOST_BYTES:
                raise ValueError(_("It unpacks to more than %(n)s MB. Split it by month.") % {"n": MOST_BYTES >> 20})
            read += [{name: cell_text(value) for name, value in row.items()} for row in batch.to_pylist()]
    except (pyarrow.ArrowException, OSError) as error:  # OSError for a broken footer
        raise ValueError(str(error)) from error
    return read


def refuse_large(metadata: Any) -> int:
    """The bytes of the values, repeated ones counted once. Raises ValueError if the metadata exceeds a limit."""
    sizes = [metadata.row_group(place).total_byte_size for place in range(metadata.num_row_groups)]
    if metadata.num_rows > MOST_ROWS or metadata.num_columns > MOST_COLUMNS:
        raise ValueError(
            _("It has %(rows)s rows and %(columns)s columns. At most %(most)s and %(wide)s are read.")
            % {"rows": metadata.num_rows, "columns": metadata.num_columns, "most": MOST_ROWS, "wide": MOST_COLUMNS}
        )
    if sum(sizes) > MOST_BYTES:
        raise ValueError(_("It unpacks to more than %(n)s MB. Split it by month.") % {"n": MOST_BYTES >> 20})
    return sum(sizes)


def cell_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict | list):  # a structure or a map, as FOCUS' tags often are
        return json.dumps(dict(value))
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
