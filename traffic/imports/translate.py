"""What each record of a file becomes: the row that the native API would have made of it, nothing, or an error."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import msgspec
import orjson

from lib.repeated_events import log_repeated
from traffic.authentication.keys import Caller
from traffic.imports.base import Format, Options, Reported
from traffic.imports.readers import FileRecord
from traffic.imports.usage import Usage
from traffic.ingest.context import LookupTables
from traffic.ingest.native import Rejected, row_of
from traffic.ingest.rows import RequestRow

logger = logging.getLogger(__name__)

# Times past the calendar, halves of pairs, numbers that no column holds.
ODD = (ValueError, TypeError, ArithmeticError, RecursionError)
# Whoever may import may name any application; what people wrote stays in the file.
CALLER = Caller(0, None, None, False, frozenset(), None)


@dataclass(slots=True)
class RecordResult:
    """Of one record: a request, or sums, or why neither; none of the three where it is no call to a model."""

    line: int
    request: RequestRow | None = None
    reported: list[Reported] = field(default_factory=list)
    problem: str = ""


@dataclass
class Translator:
    """Makes rows of records. Two alike records without an id, one after the other, are two calls: `repeats` counts."""

    format: Format
    options: Options
    tables: LookupTables
    now: datetime
    import_id: int | None = None
    last: str = ""  # hash of the record before, where it had no id
    repeats: int = 0

    def __call__(self, record: FileRecord) -> RecordResult:
        if record.problem:
            return RecordResult(record.line, problem=record.problem)
        try:
            if self.format.report_of is not None:
                return RecordResult(record.line, reported=list(self.format.report_of(record.values, self.options)))
            return RecordResult(record.line, self.request(record))
        except Rejected as reason:
            where = ".".join(str(part) for part in reason.loc)
            return RecordResult(record.line, problem=f"{where}: {reason.message}" if where else reason.message)
        except ODD as error:  # of one record, whatever is wrong with it, the others are read
            log_repeated(
                logger,
                logging.WARNING,
                "import_record_unreadable",
                import_id=self.import_id,
                error=type(error).__name__,
                details={"line": record.line},
            )
            return RecordResult(record.line, problem="Holds a value that cannot be read.")

    def request(self, record: FileRecord) -> RequestRow | None:
        """Raises Rejected."""
        assert self.format.request_of is not None, "a format reads requests or sums"
        made = self.format.request_of(record.values, self.options)
        if made is None:
            return None
        raw = made.pop("raw", None) or {}
        reported_cost = made.pop("reported_cost", None)
        usage: Usage = made.pop("usage")
        made["tokens"] = usage.tokens
        if usage.doubts:
            raw["doubts"] = usage.doubts
        for name, words in (("started_at", "Has no time."), ("model", "Has no model.")):
            if not made.get(name):
                raise Rejected([name], words)
        made["id"] = made.get("id") or self.identity(record.values)
        made["application"] = self.application(made.get("application"))
        fields = {name: value for name, value in made.items() if value is not None}
        row = row_of(msgspec.Raw(msgspec.json.encode(fields)), CALLER, self.tables, self.window)
        row.source, row.import_id = "import", self.import_id
        row.raw = {name: value for name, value in raw.items() if value is not None} or None
        row.reported_cost = reported_cost
        return row

    @property
    def window(self) -> tuple[datetime, datetime]:
        return self.now - timedelta(days=self.tables.retention_days), self.now + timedelta(days=1)

    def application(self, names: Any) -> str | None:
        """The application that a record names, else the person's choice. Of several names the first that is known."""
        if isinstance(names, list):
            names = next((name for name in names if name in self.tables.applications), None)
        return names or self.options.application or None

    def identity(self, values: dict[str, Any]) -> str:
        """Of a record without an id: what it says, and how many alike came right before it."""
        serialised = orjson.dumps(values, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
        digest = blake2b(serialised, digest_size=16).hexdigest()
        self.repeats = self.repeats + 1 if digest == self.last else 0
        self.last = digest
        return f"import:{digest}:{self.repeats}" if self.repeats else f"import:{digest}"
