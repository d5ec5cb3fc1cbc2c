"""Requests as files: the same filters as the list, written while they are read, so that memory does not grow with them.

Rows are read by their keys a day at a time, a batch at a time, with no transaction held between two batches: a slow
reader keeps nothing open. Nothing that people wrote is in a file: no prompts, no answers, no raw records.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib.util import find_spec
from typing import Any
from uuid import UUID

import orjson
from django.db.models import F, OuterRef, Subquery
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.dates import DAY
from traffic.marks.rules import slugs
from traffic.models import Request, RequestBody
from traffic.requests.queries import days_of, earlier
from traffic.requests.request_filter import RequestFilter

BATCH = 2_000
ROW_GROUP = 20_000  # rows of a Parquet file that are in memory at once
BOM = "\ufeff"  # without it a spreadsheet takes UTF-8 for something else
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

# Name, what it is read from, whether it is money.
COLUMNS: tuple[tuple[str, str, bool], ...] = (
    ("id", "id", False), ("started_at", "started_at", False), ("application", "application__slug", False),
    ("provider", "provider", False), ("model", "model", False), ("deployment", "deployment__slug", False),
    ("task", "task", False), ("outcome", "outcome", False), ("http_status", "http_status", False),
    ("error_type", "error_type", False), ("latency_ms", "latency_ms", False), ("ttft_ms", "ttft_ms", False),
    ("streamed", "streamed", False), ("batch", "batch", False), ("uncached_input", "uncached_input", False),
    ("cache_read", "cache_read", False), ("cache_write_5m", "cache_write_5m", False),
    ("cache_write_1h", "cache_write_1h", False), ("output", "output", False), ("reasoning", "reasoning", False),
    ("cost_usd", "cost", True), ("no_cost_because", "cost_reason", True), ("reported_cost_usd", "reported_cost", True),
    ("price_id", "price_id", True), ("route", "route", False), ("source", "source", False),
    ("response_id", "response_id", False), ("marks", "text_marks", False),
)  # fmt: skip

TEXTS = RequestBody.objects.filter(day=OuterRef("day"), request_id=OuterRef("id"))

Row = tuple[Any, ...]


class NotInstalled(Exception):
    """A kind of file needs a package that is not there; the text is a sentence."""


@dataclass(frozen=True)
class Kind:
    """A kind of file."""

    name: str
    label: str
    media_type: str
    write: Callable[[Sequence[str], Iterator[Row]], Iterator[bytes]]
    package: str = ""

    def check(self) -> None:
        """Raises NotInstalled."""
        if self.package and find_spec(self.package) is None:
            raise NotInstalled(
                _("%(label)s files need the package %(package)s: install breakeven[%(name)s], or choose CSV or JSONL.")
                % {"label": self.label, "package": self.package, "name": self.name}
            )


def export(kind: Kind, request_filter: RequestFilter, *, retention_days: int, money: bool) -> Iterator[bytes]:
    """The requests that are wanted, the newest first, as parts of a file. Raises NotInstalled at once."""
    kind.check()
    columns = [(name, source) for name, source, is_money in COLUMNS if money or not is_money]
    rows = rows_of(request_filter, [source for _name, source in columns], retention_days)
    return kind.write([name for name, _source in columns], rows)


def rows_of(request_filter: RequestFilter, sources: Sequence[str], retention_days: int) -> Iterator[Row]:
    """Rows of the columns that are read from `sources`, of which the last is that of marks; the newest first."""
    first, end = days_of(request_filter, retention_days)
    for day in request_filter.days(first, end):
        requests = request_filter.of(Request.objects.in_days(day.day, day.day + DAY)).newest_first()
        requests = requests.annotate(text_marks=Subquery(TEXTS.values("marks")))
        place: tuple[datetime, UUID] | None = None
        full = True
        while full:
            rows = list(earlier(requests, place).values_list("started_at", "id", *map(F, sources))[:BATCH])
            full = len(rows) == BATCH
            for row in rows:
                place = (row[0], row[1])
                yield (*row[2:-1], " ".join(slugs(row[-1] or 0)))


def as_csv(columns: Sequence[str], rows: Iterator[Row]) -> Iterator[bytes]:
    """For spreadsheets: with a byte order mark, and no cell that one could take for a formula."""
    buffer = io.StringIO(BOM)
    buffer.seek(0, io.SEEK_END)
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    for number, row in enumerate(rows, 1):
        writer.writerow([cell(value) for value in row])
        if number % BATCH == 0:
            yield taken(buffer)
    yield taken(buffer)


def taken(buffer: io.StringIO) -> bytes:
    written = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return written


def cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    if isinstance(value, datetime):
        return value.isoformat()
    return f"{value:f}" if isinstance(value, Decimal) else value


def as_jsonl(columns: Sequence[str], rows: Iterator[Row]) -> Iterator[bytes]:
    """One object a line; money as decimal strings, what is not known as null."""
    lines: list[bytes] = []
    for row in rows:
        lines.append(orjson.dumps(dict(zip(columns, map(json_value, row), strict=True)), option=JSON_OPTIONS))
        if len(lines) == BATCH:
            yield b"".join(lines)
            lines = []
    yield b"".join(lines)


JSON_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z


def json_value(value: Any) -> Any:
    return f"{value:f}" if isinstance(value, Decimal) else value


class Sink(io.RawIOBase):
    """Takes what is written to it until someone fetches it."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.parts.append(bytes(data))
        return len(self.parts[-1])

    def fetch(self) -> bytes:
        written, self.parts = b"".join(self.parts), []
        return written


def as_parquet(columns: Sequence[str], rows: Iterator[Row]) -> Iterator[bytes]:
    """Typed columns; money is decimal128(20, 12), and what is not known is null."""
    import pyarrow as arrow  # 60 MB that only this needs
    from pyarrow import parquet

    text, whole, real = arrow.string(), arrow.int64(), arrow.float64()
    special = {
        "started_at": arrow.timestamp("us", "UTC"), "http_status": arrow.int16(), "latency_ms": real, "ttft_ms": real,
        "streamed": arrow.bool_(), "batch": arrow.bool_(), "price_id": whole,
        "cost_usd": arrow.decimal128(20, 12), "reported_cost_usd": arrow.decimal128(20, 12),
        **dict.fromkeys(("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning"),
                        whole),
    }  # fmt: skip
    schema = arrow.schema([(name, special.get(name, text)) for name in columns])
    sink = Sink()
    with parquet.ParquetWriter(sink, schema) as writer:
        for group in grouped(rows):
            columns_of_group = [[value_of(row[place]) for row in group] for place in range(len(columns))]
            arrays = [arrow.array(values, field.type) for values, field in zip(columns_of_group, schema, strict=True)]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
            yield sink.fetch()
    yield sink.fetch()


def grouped(rows: Iterator[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    for row in rows:
        group.append(row)
        if len(group) == ROW_GROUP:
            yield group
            group = []
    if group:
        yield group


def value_of(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


KINDS = {
    kind.name: kind
    for kind in (
        Kind("csv", "CSV", "text/csv; charset=utf-8", as_csv),
        Kind("jsonl", "JSONL", "application/x-ndjson", as_jsonl),
        Kind("parquet", "Parquet", "application/vnd.apache.parquet", as_parquet, "pyarrow"),
    )
}


def as_file(parts: Iterator[bytes], kind: Kind, called: str = "") -> StreamingHttpResponse:
    """A download, `called` without its ending."""
    name = f"{called or f'requests-{timezone.now():%Y-%m-%d}'}.{kind.name}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(parts, content_type=kind.media_type, headers=headers)
