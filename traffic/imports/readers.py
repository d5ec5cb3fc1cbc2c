"""Files read record by record from any offset on, in bounded memory: CSV, JSON lines, and JSON arrays.

A reader knows after each record where the next one begins, so that a run goes on there after a crash.
"""

from __future__ import annotations

import csv
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

import orjson

from traffic.imports.values import snake
from traffic.json_depth import loads

MAX_RECORD = 8 << 20  # bytes; a longer one is an error of its line
SNIFFED = 1 << 18
CHUNK = 1 << 18
DELIMITERS = ",;\t|"
BOM = b"\xef\xbb\xbf"
csv.field_size_limit(MAX_RECORD)


class Unreadable(Exception):
    """The file cannot be read, or not from here on; a sentence."""


@dataclass(slots=True)
class FileRecord:
    """One record, or why there is none. `line` is where it begins: its line, or its number in an array."""

    line: int
    values: dict[str, Any]
    problem: str = ""


@dataclass(frozen=True)
class Dialect:
    """How a file is written; `start` is where its records begin."""

    kind: str  # csv jsonl json
    start: int = 0
    delimiter: str = ","
    header: tuple[str, ...] = ()


def sniff(file: IO[bytes]) -> Dialect:
    """How it is written, from its beginning. Raises Unreadable."""
    file.seek(0)
    head = file.read(SNIFFED)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Unreadable("The file is UTF-16. Save it as UTF-8.")
    if head[:2] == b"\x1f\x8b" or head[:4] == b"PK\x03\x04":
        raise Unreadable("The file is compressed. Unpack it first.")
    start = len(BOM) if head.startswith(BOM) else 0
    body = head[start:].lstrip()
    if not body:
        raise Unreadable("The file is empty.")
    if body[:1] in (b"{", b"["):
        return Dialect("jsonl" if is_object(body.split(b"\n", 1)[0]) else "json", start)
    return csv_dialect(file, start)


def is_object(line: bytes) -> bool:
    """Whether a line is a record by itself; a whole answer on one line (`{"data": [...]}`) is read as one too."""
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def csv_dialect(file: IO[bytes], start: int) -> Dialect:
    file.seek(start)
    reader = CsvReader(file, Dialect("csv", start), start, 0)
    raw = file.readline(SNIFFED)
    plain = re.sub(rb'"[^"]*"', b"", raw)
    delimiter = max(DELIMITERS, key=lambda character: plain.count(character.encode()))
    file.seek(start)
    reader = CsvReader(file, Dialect("csv", start, delimiter), start, 0)
    names = next(reader.rows(), None)
    if not names or b"\0" in raw or reader.bad:
        raise Unreadable("The first line is no line of column names in UTF-8.")
    return Dialect("csv", reader.offset, delimiter, unique(names))


def unique(names: list[str]) -> tuple[str, ...]:
    """Two columns of one name are told apart by their place."""
    seen: set[str] = set()
    unique_names = []
    for place, name in enumerate(names, 1):
        name = name.strip() or f"column {place}"
        unique_names.append(f"{name} {place}" if name in seen else name)
        seen.add(name)
    return tuple(unique_names)


class Reader(ABC):
    """Records from `offset` on; `offset` and `line` follow to where the next begins."""

    def __init__(self, file: IO[bytes], dialect: Dialect, offset: int, line: int) -> None:
        self.file = file
        self.dialect = dialect
        self.offset = offset
        self.line = line
        self.bad = ""
        file.seek(offset)

    @abstractmethod
    def __iter__(self) -> Iterator[FileRecord]: ...

    def raw_lines(self) -> Iterator[bytes]:
        """Lines as bytes; of one that is too long only the beginning, and `bad` says so."""
        while raw := self.file.readline(MAX_RECORD):
            self.offset += len(raw)
            if len(raw) == MAX_RECORD and not raw.endswith(b"\n"):
                self.bad = f"Longer than {MAX_RECORD >> 20} MiB."
                while (more := self.file.readline(CHUNK)) and not more.endswith(b"\n"):
                    self.offset += len(more)
                self.offset += len(more)
                raw = raw[:100]
            self.line += 1
            yield raw


class CsvReader(Reader):
    def lines(self) -> Iterator[str]:
        for raw in self.raw_lines():
            try:
                yield raw.decode()
            except UnicodeDecodeError:
                self.bad = "Not valid UTF-8."
                yield raw.decode(errors="replace")

    def rows(self) -> Iterator[list[str]]:
        return csv.reader(self.lines(), delimiter=self.dialect.delimiter)

    def __iter__(self) -> Iterator[FileRecord]:
        header, rows = self.dialect.header, self.rows()
        while True:
            began, self.bad = self.line + 1, ""
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield FileRecord(began, {}, f"Not readable as CSV: {error}.")
                continue
            if not row:
                continue
            problem = self.bad
            if not problem and len(row) > len(header):
                problem = f"Has {len(row)} values for {len(header)} columns."
            yield FileRecord(began, dict(zip(header, row, strict=False)), problem)


class LineReader(Reader):
    def __iter__(self) -> Iterator[FileRecord]:
        for raw in self.raw_lines():
            problem, self.bad = self.bad, ""
            if problem or raw.strip():
                yield FileRecord(self.line, *((({}, problem)) if problem else parsed(raw)))


def parsed(raw: bytes) -> tuple[dict[str, Any], str]:
    """An object, or why it is none."""
    try:
        document = loads(raw)
    except ValueError as error:
        return {}, f"Not valid JSON: {error}"
    return (document, "") if isinstance(document, dict) else ({}, "Not an object.")


# Strings whole, so that braces inside them do not count; one without an end runs to the end of what was read.
TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+("|\\?\Z)|[{}]', re.DOTALL)
BETWEEN = re.compile(rb"[\s,\[\]]*")


class ArrayReader(Reader):
    """The objects of a JSON array, or objects one after the other; `line` counts them."""

    def __iter__(self) -> Iterator[FileRecord]:
        buffer, at = b"", 0
        while True:
            gap = BETWEEN.match(buffer, at)
            assert gap is not None, "it matches nothing at all too"
            self.offset += gap.end() - at
            at = gap.end()
            if at == len(buffer):
                buffer, at = self.file.read(CHUNK), 0
                if not buffer:
                    return
                continue
            if buffer[at : at + 1] != b"{":
                raise Unreadable(f"What comes after record {self.line:,} is no object.")
            while (end := end_of_object(buffer, at)) is None:
                buffer, at = self.longer(buffer[at:]), 0
            raw, self.offset, at = buffer[at:end], self.offset + end - at, end
            self.line += 1
            yield FileRecord(self.line, *parsed(raw))

    def longer(self, buffer: bytes) -> bytes:
        """The same with more of the file behind it. Raises Unreadable where there is none, or too much already."""
        more = self.file.read(max(CHUNK, len(buffer)))
        if not more:
            raise Unreadable(f"Record {self.line + 1:,} does not end.")
        if len(buffer) > MAX_RECORD:
            raise Unreadable(f"Record {self.line + 1:,} is longer than {MAX_RECORD >> 20} MiB.")
        return buffer + more


def end_of_object(buffer: bytes, at: int) -> int | None:
    """Where the object that begins at `at` ends; None while that is not to be seen."""
    depth = 0
    for match in TOKEN.finditer(buffer, at):
        token = match[0]
        if token == b"{":
            depth += 1
        elif token == b"}":
            depth -= 1
            if depth == 0:
                return match.end()
        elif match[1] != b'"':
            return None
    return None


READERS: dict[str, type[Reader]] = {"csv": CsvReader, "jsonl": LineReader, "json": ArrayReader}


def reader(file: IO[bytes], dialect: Dialect, offset: int | None = None, line: int | None = None) -> Reader:
    """The reader of a dialect; from the beginning, or from where another one stopped."""
    began = 1 if dialect.kind == "csv" else 0
    return READERS[dialect.kind](
        file, dialect, dialect.start if offset is None else offset, began if line is None else line
    )


def names_of(file: IO[bytes], dialect: Dialect) -> list[str]:
    """The names of the columns; of JSON those of the first records."""
    if dialect.header:
        return list(dialect.header)
    columns: dict[str, None] = {}
    try:
        for record in islice(reader(file, dialect), 20):
            columns.update(dict.fromkeys(flat(record.values)))
    except Unreadable:
        if not columns:
            raise
    return list(columns)


def has_rows(file: IO[bytes], dialect: Dialect) -> bool:
    """Whether anything stands below the names; a first row that cannot be read is a row."""
    try:
        return next(iter(reader(file, dialect)), None) is not None
    except Unreadable:
        return True


def flat(values: dict[str, Any], before: str = "", depth: int = 0) -> dict[str, Any]:
    """Objects inside objects as names with dots, four deep."""
    flattened: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and depth < 4:
            flattened.update(flat(value, f"{before}{name}.", depth + 1))
        else:
            flattened[before + name] = value
    return flattened


def snaked(values: dict[str, Any]) -> dict[str, Any]:
    """The same under names that do not depend on how a tool spells them."""
    return {snake(name): value for name, value in values.items()}
