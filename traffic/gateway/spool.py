"""Finished calls on their way to Postgres: appended to a file at once, moved there every half second, then forgotten.

A spool directory is shared by any number of gateways. Each writes a segment of its own and holds a lock on it for as
long as it lives, so that a segment whose lock can be had belongs to a dead one and is adopted. Moving the same row
twice does no harm (its identity is the same), which is why a segment is deleted only after the commit.

A call that begins is a line too. When a segment is sealed, the calls that have not ended are written into the next
one and the old one is marked. So an adopted segment without the mark tells which calls its process took along.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import psycopg

from lib.events import log_event
from lib.repeated_events import log_repeated
from traffic.gateway.aside import SET_ASIDE, set_aside
from traffic.gateway.database import connect
from traffic.ingest.rows import RequestRow

logger = logging.getLogger(__name__)

MOVE_EVERY_S = 0.5
ADOPT_EVERY_S = 3.0
BATCH = 1_000  # rows of one transaction
DIED = "gateway_died"  # the error type of a call whose process was killed

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(RequestRow)

# What the database says of a row itself; every other error of it is a reason to try again later.
ROW_ERRORS = (psycopg.DataError, psycopg.IntegrityError, ValueError, TypeError, OverflowError)
# A statement that takes too long may be a row's fault or everybody's. It is the row's where others are stored
# meanwhile, or where it was so again and again.
MOST_TIMEOUTS = 16  # of one batch in parts, with nothing stored in between: then it is the database
MOST_LONE_TIMEOUTS = 3  # of a row that is tried alone


class CallStart(msgspec.Struct, gc=False, tag="begun", tag_field="line"):
    """A call whose target is about to be asked: all that is known should its end never be written."""

    external_id: str
    started_at: datetime
    provider: str
    model: str
    application_id: int | None
    deployment_id: int
    key_id: int | None
    task: str
    route: str
    streamed: bool

    def died(self) -> RequestRow:
        """The row of a call that was cut with its gateway; what it used is unknown."""
        return RequestRow(
            external_id=self.external_id,
            started_at=self.started_at,
            provider=self.provider,
            model=self.model,
            source="gateway",
            application_id=self.application_id,
            deployment_id=self.deployment_id,
            task=self.task,
            outcome="cancelled",
            error_type=DIED,
            streamed=self.streamed,
            route=self.route,
            key_id=self.key_id,
            clean=True,
        )


class CallEnd(msgspec.Struct, gc=False):
    """Of a row as much as tells which call it ends."""

    external_id: str


BEGUN = b'{"line":"begun"'
SEALED = b'{"line":"sealed"}\n'
_begun = msgspec.json.Decoder(CallStart)
_ended = msgspec.json.Decoder(CallEnd)

Store = Callable[[psycopg.Connection, Sequence[RequestRow]], None]
"""Writes rows and returns once they are committed."""


class Segment:
    """One file of JSON lines that this process holds the lock of."""

    def __init__(self, path: Path, descriptor: int, *, adopted: bool = False) -> None:
        self.path = path
        self.adopted = adopted  # its process is no more
        self.rows = 0  # lines of this process that tell of an end
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    @classmethod
    def create(cls, directory: Path) -> Segment:
        """A new segment. It gets its name only once it is locked, so that nobody can adopt it meanwhile."""
        name = f"{time.time_ns():020d}-{os.getpid()}"
        draft = directory / f"{name}.new"
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path = directory / f"{name}.jsonl"
        draft.rename(path)
        return cls(path, descriptor)

    @classmethod
    def adopt(cls, path: Path) -> Segment | None:
        """A segment that a dead process left; None where another one holds it or has just moved it."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                return cls(path, descriptor, adopted=True)
        except BlockingIOError:
            pass  # its owner lives
        os.close(descriptor)
        return None

    def append(self, line: bytes) -> None:
        """Add a line. Raises OSError, and leaves no half line behind, where the disk does not take it."""
        written = os.write(self._descriptor, line)
        if written != len(line):
            os.ftruncate(self._descriptor, self.size)
            raise OSError("The disk took only a part of a line.")
        self.size += written

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def lines(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            yield from file

    def died(self) -> list[RequestRow]:
        """The calls that began here and ended nowhere, when their process died."""
        open_calls: dict[str, CallStart] = {}
        for text in self.lines():
            if text == SEALED:
                return []  # they went on in the next segment
            try:
                if text.startswith(BEGUN):
                    call = _begun.decode(text)
                    open_calls[call.external_id] = call
                else:
                    open_calls.pop(_ended.decode(text).external_id, None)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue  # half a line, the last thing that a process wrote; `_read_into` sets rows like it aside
        return [call.died() for call in open_calls.values()]

    def purge(self) -> None:
        """Delete the file; its rows are in Postgres."""
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def leave(self) -> None:
        """Keep the file for the next process that looks."""
        os.close(self._descriptor)


class Spool:
    """Takes calls that begin and calls that end, from any thread; neither waits."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory = directory
        self._lock = threading.Lock()
        self._open: Segment | None = None
        self._begun: dict[str, bytes] = {}  # the lines of calls that have not ended
        self._in_memory: list[RequestRow] = []  # only while the disk takes nothing

    def begin(self, call: CallStart) -> None:
        """Write down that a call begins. A full disk is no reason to refuse it."""
        line = _encoder.encode(call) + b"\n"
        with self._lock:
            self._begun[call.external_id] = line
            try:
                self._segment().append(line)
            except OSError as error:
                if not self._in_memory:
                    log_repeated(logger, logging.ERROR, "spool_write_failed", step="begin", details={"error": error})

    def append(self, row: RequestRow) -> None:
        """Keep a row. When the disk is full it is kept in memory, for a call must not fail for its record."""
        line = _encoder.encode(row) + b"\n"
        with self._lock:
            self._begun.pop(row.external_id, None)
            try:
                segment = self._segment()
                segment.append(line)
                segment.rows += 1
            except OSError as error:
                if not self._in_memory:
                    log_repeated(logger, logging.ERROR, "spool_write_failed", step="append", details={"error": error})
                self._in_memory.append(row)

    def _segment(self) -> Segment:
        if self._open is None:
            self._open = Segment.create(self.directory)
        return self._open

    def seal(self) -> Segment | None:
        """End the current segment and hand it over; None when no call has ended since the last time."""
        with self._lock:
            segment = self._open
            if segment is None or not segment.rows:
                return None
            self._open = None
            try:
                if self._begun:
                    self._segment().append(b"".join(self._begun.values()))
                segment.append(SEALED)
            except OSError as error:  # its rows are moved all the same; what began is known as long as we live
                log_repeated(logger, logging.ERROR, "spool_write_failed", step="seal", details={"error": error})
        return segment

    def take_memory(self) -> list[RequestRow]:
        with self._lock:
            rows, self._in_memory = self._in_memory, []
        return rows

    def give_back(self, rows: list[RequestRow]) -> None:
        with self._lock:
            self._in_memory[:0] = rows

    def leftovers(self) -> list[Segment]:
        """Segments of processes that are no more, oldest first."""
        segments = (Segment.adopt(path) for path in sorted(self.directory.glob("*.jsonl")) if path.name != SET_ASIDE)
        return [segment for segment in segments if segment is not None]

    def set_aside(self, line: bytes, reason: str) -> None:
        """Keep a line that cannot be moved where a person can look at it."""
        set_aside(self.directory / SET_ASIDE, line, reason)


class Line(NamedTuple):
    """One line of a segment, read."""

    number: int
    text: bytes
    row: RequestRow


@dataclass(slots=True)
class Narrowing:
    """How far a batch has been stored in parts."""

    stored: bool = False  # any of it
    timeouts: int = 0  # since something was stored
    slow: list[Line] = field(default_factory=list)  # rows that took too long alone


class Mover:
    """The thread that moves segments to Postgres over a connection of its own."""

    def __init__(self, spool: Spool, database_url: str, store: Store) -> None:
        self.spool = spool
        self._database_url = database_url
        self._store = store
        self._connection: psycopg.Connection | None = None
        self._backlog: list[Segment] = []
        self._moved_lines = 0  # of the first segment of the backlog
        self._aside: set[int] = set()  # numbers of its lines that are set aside
        self._lone_timeouts: Counter[str] = Counter()  # by external id, since a batch was last got rid of
        self._adopt_at = 0.0
        self._away = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool-mover", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 3.0) -> None:
        """Move what is there once more; what Postgres does not take now is left for the next start."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.wait(MOVE_EVERY_S):
            self._try_to_move()
        self._try_to_move()
        for segment in self._backlog:
            segment.leave()
        if self._connection is not None:
            self._connection.close()

    def _try_to_move(self) -> None:
        try:
            self.move()
            if self._away:
                self._away = False
                log_event(logger, logging.INFO, "spool_move_recovered")
        except Exception as error:  # this thread must outlive everything: without it no call is ever stored
            if not self._away:
                self._away = True
                log_event(
                    logger, logging.ERROR, "spool_move_failed", segments=len(self._backlog),
                    error=str(error).partition("\n")[0],  # what follows may quote a row
                )  # fmt: skip
            self._disconnect()

    def move(self) -> None:
        """Move all that is there. Raises what the database raises; nothing is lost then and nothing doubled."""
        if time.monotonic() >= self._adopt_at:
            self._backlog = [*self.spool.leftovers(), *self._backlog] if not self._moved_lines else self._backlog
            self._adopt_at = time.monotonic() + ADOPT_EVERY_S
        self._move_backlog()
        # While Postgres is away the current segment just grows: this line is not reached.
        segment = self.spool.seal()
        if segment is not None:
            segment.sync()
            self._backlog.append(segment)
            self._move_backlog()
        self._move_memory()

    def _move_backlog(self) -> None:
        while self._backlog:
            segment = self._backlog[0]
            batch: list[Line] = []
            for number, text in enumerate(segment.lines()):
                if number < self._moved_lines or number in self._aside or text.startswith(BEGUN) or text == SEALED:
                    continue
                self._read_into(batch, number, text)
                if len(batch) >= BATCH:
                    self._move_batch(batch)
                    batch.clear()
                    self._moved_lines = number + 1
            self._move_batch(batch)
            if segment.adopted:
                self._move_died(segment)
            self._backlog.pop(0)
            self._moved_lines = 0
            self._aside.clear()
            segment.purge()

    def _move_died(self, segment: Segment) -> None:
        """The calls that a dead process took along; before its segment is forgotten, so that none is forgotten."""
        rows = segment.died()
        if rows:
            log_event(logger, logging.WARNING, "gateway_died", calls=len(rows), recorded_as=DIED)
        for at in range(0, len(rows), BATCH):
            self._move_batch([Line(-1, _encoder.encode(row), row) for row in rows[at : at + BATCH]])

    def _read_into(self, batch: list[Line], number: int, text: bytes) -> None:
        try:
            batch.append(Line(number, text, _decoder.decode(text)))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._set_aside(number, text, f"This is no row: {error}")

    def _set_aside(self, number: int, text: bytes, reason: str) -> None:
        """Out of the way, once: the lines around it may have to be tried again."""
        self.spool.set_aside(text, reason)
        self._aside.add(number)

    def _move_memory(self) -> None:
        rows = self.spool.take_memory()
        try:
            self._move_batch([Line(number, _encoder.encode(row), row) for number, row in enumerate(rows)])
            self._aside.clear()
        except Exception:
            self.spool.give_back([row for number, row in enumerate(rows) if number not in self._aside])
            self._aside.clear()
            raise

    def _move_batch(self, batch: Sequence[Line]) -> None:
        """Store a batch; a row that the database cannot take is found by halving and set aside."""
        if not batch:
            return
        narrowing = Narrowing()
        try:
            self._narrow(batch, narrowing)
        finally:
            self._lone_timeouts.update(line.row.external_id for line in narrowing.slow)
        for line in narrowing.slow:
            if not narrowing.stored and self._lone_timeouts[line.row.external_id] < MOST_LONE_TIMEOUTS:
                raise psycopg.errors.QueryCanceled("a row took too long, and no other shows that it is the row's fault")
            self._set_aside(line.number, line.text, "The database did not finish with it in time.")
        self._lone_timeouts.clear()

    def _narrow(self, batch: Sequence[Line], narrowing: Narrowing) -> None:
        """Store what can be stored of a batch. Raises what the database raises of itself."""
        try:
            self._store(self._connected(), [line.row for line in batch])
            narrowing.stored, narrowing.timeouts = True, 0
            return
        except psycopg.errors.QueryCanceled:
            narrowing.timeouts += 1
            if narrowing.timeouts > MOST_TIMEOUTS:
                raise
            if len(batch) == 1:
                narrowing.slow.append(batch[0])
                return
        except ROW_ERRORS as error:
            if len(batch) == 1:
                self._set_aside(batch[0].number, batch[0].text, str(error))
                return
        middle = len(batch) // 2
        self._narrow(batch[:middle], narrowing)
        self._narrow(batch[middle:], narrowing)

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._database_url, "gateway spool")
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
