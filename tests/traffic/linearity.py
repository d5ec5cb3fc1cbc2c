"""Whether work grows in proportion to its input."""

from __future__ import annotations

import time
from collections.abc import Callable

MOST_RATIO = 3.0

LEAST_S = 0.02  # below it the clock says nothing


def seconds(work: Callable[[], object]) -> float:
    """Processor time of this thread."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def assert_linear(once: Callable[[], object], twice: Callable[[], object], least: float = LEAST_S) -> None:
    """Measured again where it is not, for a machine's caches are shared with others."""
    for _ in range(2):
        if seconds(twice) <= MOST_RATIO * max(seconds(once), least):
            return
    assert min(seconds(twice), seconds(twice)) <= MOST_RATIO * max(min(seconds(once), seconds(once)), least)
