"""How Python runs in a process that takes requests in: many threads, large batches, and hardly any garbage."""

from __future__ import annotations

import gc
import sys


def tune_interpreter() -> None:
    """To be called once, when all that stays is loaded."""
    # What is loaded by now stays. Left among what is looked through for circles of garbage, it would be gone over again
    # and again while batches of thousands of rows are read, which leave none: those of requests are few and small.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    # A thread whose answer has come, from Postgres or from an upstream, asks for the interpreter in so many seconds. By
    # Python's own default it would stand still for 5 ms each time while another thread is at a batch.
    sys.setswitchinterval(0.0005)
