"""Limits how many passwords are hashed at once: a hash takes a third of a CPU second, and strangers can ask for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

AT_ONCE = max(1, (os.cpu_count() or 2) // 2)  # in one process; the other CPUs stay free for pages
WAITING = 2  # more are refused at once, because each waits in a thread of the web process
WAIT_S = 2.0


class Busy(Exception):
    """Too many sign-ins at the same time; `retry_after` is in seconds."""

    retry_after = 2

    def __init__(self) -> None:
        super().__init__("Too many people sign in at this moment.")


class Slots:
    """A limit on simultaneous hashes, and on the threads that wait for one."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING, wait_s: float = WAIT_S) -> None:
        self._free = BoundedSemaphore(at_once)
        self._most, self._wait_s = at_once + waiting, wait_s
        self._inside, self._lock = 0, Lock()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a slot while hashing. Raises Busy if too many wait already, or after `wait_s` seconds."""
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
