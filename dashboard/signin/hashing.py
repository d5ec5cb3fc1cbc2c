"""Passwords are hashed a few at a time: a hash takes a third of a second of a processor, and strangers ask for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

AT_ONCE = max(1, (os.cpu_count() or 2) // 2)  # of one process; the other processors go on answering pages
WAITING = 2  # more are refused at once: each would hold a thread of the web process
WAIT_S = 2.0


class Busy(Exception):
    """More sign-ins at once than are heard; `retry_after` is in seconds."""

    retry_after = 2

    def __init__(self) -> None:
        super().__init__("Too many people sign in at this moment.")


class Slots:
    """Who may hash now."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING, wait_s: float = WAIT_S) -> None:
        self._free = BoundedSemaphore(at_once)
        self._most, self._wait_s = at_once + waiting, wait_s
        self._inside, self._lock = 0, Lock()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hash inside. Raises Busy where too many wait already, or the wait is over."""
        with self._lock:
            if self._inside >= self._most:
                raise Busy
            self._inside += 1
        try:
            if not self._free.acquire(timeout=self._wait_s):
                raise Busy
            try:
                yield
            finally:
                self._free.release()
        finally:
            with self._lock:
                self._inside -= 1


slots = Slots()
