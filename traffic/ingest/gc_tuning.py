"""Settings of the garbage collector and of thread switching for processes that take requests in."""

from __future__ import annotations

import gc
import sys


def tune_interpreter() -> None:
    """Call once, after everything that lives as long as the process has been imported."""
    # Freeze what is loaded by now: the collector would walk through it again and again while batches of thousands of
    # rows are read, which leave no cycles. Cycles of requests are few and small, so that it may run seldom.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    # Seconds after which a running thread must give way to one whose answer from Postgres or an upstream has come. By
    # Python's default that one would wait 5 ms each time while another thread parses a batch.
    sys.setswitchinterval(0.0005)
