"""Bounds the work on one text: a deadline in processor time, and pieces between which other threads run."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

WINDOW = 1 << 14  # characters that are searched in one go
DEADLINE_S = 2.0  # of this thread's processor time, for one value with all texts in it; 1 MB takes about 0.2
REQUEST_S = 10.0  # of this thread's processor time, for all texts of one request
UNSEEN = "[not checked in time]"


_request = threading.local()


@contextmanager
def one_request() -> Iterator[None]:
    """Within it all texts together get `REQUEST_S`: a body of many texts costs no more than one of a long text."""
    _request.ends = time.thread_time() + REQUEST_S
    try:
        yield
    finally:
        _request.ends = None


class Budget:
    """Processor time left to this thread; time of other threads does not count."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        ends = time.thread_time() + DEADLINE_S
        of_request: float | None = getattr(_request, "ends", None)
        self._ends = ends if of_request is None else min(ends, of_request)

    def over(self) -> bool:
        return time.thread_time() > self._ends
