"""Events that a stranger can cause as often as they like, in the audit log: at most one entry a minute for each kind.

An event costs its request a look into a dictionary; a thread of its own writes. The first of a kind is on record within
a second or two, those that follow within the minute are one entry with their number. What many addresses cause at once
is one entry too, so that nobody fills the disk by refusals.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from threading import Condition, Thread

from django.conf import settings
from django.db import connection

from lib.client_address import network
from lib.events import log_event
from providers.audit.log import Actor, record

logger = logging.getLogger("breakeven.audit")
MINUTE_S = 60.0
KINDS_MAX = 60  # entries a minute of one process; past them, addresses and names are left out
MANY = "from many addresses"


@dataclass(frozen=True, slots=True)
class Kind:
    """What makes two events one: who, from where, and what was refused to them."""

    action: str
    actor: Actor
    object_type: str = ""
    object_id: str = ""
    object_name: str = ""


@dataclass(slots=True)
class Count:
    message: str
    since: float
    waiting: int  # events that no entry tells of yet
    written: bool = False


class Counts:
    """Events of this process that wait to be written."""

    def __init__(self) -> None:
        self._counts: dict[Kind, Count] = {}
        self._changed = Condition()
        self._thread: Thread | None = None

    def add(self, kind: Kind, message: str = "") -> None:
        """Count an event; waits for nothing."""
        kind = replace(kind, actor=replace(kind.actor, address=network(kind.actor.address)))
        with self._changed:
            if kind not in self._counts and len(self._counts) >= KINDS_MAX:
                kind, message = Kind(kind.action, Actor(kind.actor.kind, "")), MANY
            count = self._counts.setdefault(kind, Count(message, time.monotonic(), 0))
            count.waiting += 1
            if settings.AUDIT_THREAD and self._thread is None:
                self._thread = Thread(target=self._work, name="audit-counts", daemon=True)
                self._thread.start()
            self._changed.notify()

    def flush(self, *, everything: bool = True) -> int:
        """Write what is due, or all that waits; returns the number of entries."""
        now = time.monotonic()
        due: list[tuple[Kind, Count, int]] = []
        with self._changed:
            for kind, count in list(self._counts.items()):
                over = now - count.since >= MINUTE_S
                if count.waiting and (everything or over or not count.written):
                    due.append((kind, count, count.waiting))
                    count.waiting, count.written = 0, True
                if over and not count.waiting:
                    del self._counts[kind]
        for kind, count, number in due:
            record(kind.action, actor=kind.actor, object_type=kind.object_type, object_id=kind.object_id,
                   object_name=kind.object_name, message=count.message, count=number)  # fmt: skip
        return len(due)

    def clear(self) -> None:
        """Forget what waits: for tests."""
        with self._changed:
            self._counts.clear()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait(timeout=None if not self._counts else 1)
            time.sleep(1)
            try:
                self.flush(everything=False)
            except Exception as error:  # this thread must outlive everything, or nothing would be counted any more
                log_event(logger, logging.ERROR, "audit_counts_not_written", exc_info=error)
            finally:
                connection.close()


counts = Counts()
