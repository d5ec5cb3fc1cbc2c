"""Settings of the garbage collector, of thread switching and of memory for processes that take requests in."""

from __future__ import annotations

import ctypes
import gc
import sys

M_MMAP_THRESHOLD = -3  # of `mallopt`
LARGE_BLOCK = 1 << 20


def tune_interpreter(give_way_s: float = 0.0005) -> None:
    """Call once, after everything that lives as long as the process has been imported.

    `give_way_s`: seconds after which a running thread must give way to one that waits.
    """
    # Freeze what is loaded by now: the collector would walk through it again and again while batches of thousands of
    # rows are read, which leave no cycles. Cycles of requests are few and small, so that it may run seldom.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    # Such a one has its answer from Postgres or an upstream. By Python's default it would wait 5 ms each time while
    # another thread parses a batch.
    sys.setswitchinterval(give_way_s)
    if (libc := glibc()) is not None:
        # Blocks from this size on are the system's again once they are freed. By default that size grows with what is
        # freed, up to 32 MiB; bodies then lie between small things, and the heap never shrinks.
        libc.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)


def give_memory_back() -> None:
    """What is free goes back to the system: after batches of tens of megabytes the allocator would keep hundreds."""
    gc.collect()
    if (libc := glibc()) is not None:
        libc.malloc_trim(0)


def glibc() -> ctypes.CDLL | None:
    """The library of C, where it is the one that has these two; others do without."""
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
