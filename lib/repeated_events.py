"""Events that a stranger can cause as often as they like: the first is a line at once, the others one line a minute.

Two events are one where their fields are equal. Each process sums for itself, at most MOST kinds at once; past them
who it was is left out, and all of the others are summed together. So nobody fills the disk by being refused.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Condition, Thread

from lib.events import log_event

MINUTE_S = 60.0
MOST = 60  # kinds of one process; each writes at most two lines a minute
OTHER = "(other)"
WHO = ("address", "application", "application_id", "deployment", "import_id", "key_id")  # fields a stranger can vary

Fields = dict[str, object]
Kind = tuple[str, int, tuple[tuple[str, object], ...]]


@dataclass(slots=True)
class Repeat:
    """One kind of event: where its lines go, and how many came since the last one."""

    logger: logging.Logger
    level: int
    event: str
    fields: Fields
    since: float
    count: int = 0


class RepeatedEvents:
    """What this process sums up. A thread of its own, begun with the first event, writes when a minute ends."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._repeats: dict[Kind, Repeat] = {}
        self._changed = Condition()
        self._thread: Thread | None = None

    def add(self, logger: logging.Logger, level: int, event: str, fields: Fields) -> Fields | None:
        """Count an event; where it is the first of its kind, the fields of the line that the caller writes."""
        with self._changed:
            kind = kind_of(event, level, fields)
            if kind not in self._repeats and len(self._repeats) >= MOST:
                fields = {name: OTHER if name in WHO and value else value for name, value in fields.items()}
                kind = kind_of(event, level, fields)
            repeat = self._repeats.get(kind)
            if repeat is not None:
                repeat.count += 1
                return None
            self._repeats[kind] = Repeat(logger, level, event, fields, self._clock())
            if self._thread is None:
                self._thread = Thread(target=self._work, name="repeated-events", daemon=True)
                self._thread.start()
            self._changed.notify()
            return fields

    def flush(self, *, everything: bool = False) -> None:
        """Write the sums of the minutes that are over; with `everything` of all, as a process does at its end."""
        now = self._clock()
        due: list[tuple[Repeat, int, float]] = []
        with self._changed:
            for kind, repeat in list(self._repeats.items()):
                span = now - repeat.since
                if not everything and span < MINUTE_S:
                    continue
                if repeat.count:
                    due.append((repeat, repeat.count, span))
                    repeat.count, repeat.since = 0, now
                else:
                    del self._repeats[kind]
        for repeat, count, span in due:
            log_event(
                repeat.logger, repeat.level, repeat.event, exc_info=None, **repeat.fields, count=count, s=round(span)
            )

    def clear(self) -> None:
        """Forget what was counted: for tests."""
        with self._changed:
            self._repeats.clear()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait(None if not self._repeats else MINUTE_S / 10)
            self.flush()


def kind_of(event: str, level: int, fields: Fields) -> Kind:
    return event, level, tuple((name, str(value)) for name, value in fields.items())


repeated = RepeatedEvents()
NOTHING: Mapping[str, object] = {}


def log_repeated(
    logger: logging.Logger, level: int, event: str, /, *, details: Mapping[str, object] = NOTHING, **fields: object
) -> None:
    """Write an event, or count it where one with the same fields was written within the last minute.

    `details` stand in the first line alone: what differs from one event to the next, such as its bytes. The line that
    sums the others up has their `count` and the seconds `s` in which they came. Fields that name who it was are those
    of WHO; the values of the others must be few, whatever a stranger sends.
    """
    if logger.isEnabledFor(level):
        first = repeated.add(logger, level, event, fields)
        if first is not None:
            log_event(logger, level, event, exc_info=None, **first, **details)
