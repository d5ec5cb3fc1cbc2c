"""Bounds the work on one text: a deadline in processor time, and pieces between which other threads run."""

from __future__ import annotations

import time

WINDOW = 1 << 14  # characters that are searched in one go
DEADLINE_S = 2.0  # of this thread's processor time, for one value with all texts in it; 1 MB takes about 0.2
UNSEEN = "[not checked in time]"


class Budget:
    """Processor time left to this thread; time of other threads does not count."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends = time.thread_time() + DEADLINE_S

    def over(self) -> bool:
        return time.thread_time() > self._ends
