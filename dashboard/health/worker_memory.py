"""Gives back the memory that the tasks of a worker leave behind, so that the worker does not grow with time."""

from __future__ import annotations

import ctypes
import gc
import threading

EVERY_S = 60.0


def start() -> None:
    """Start the clean-up. Call it when the worker is ready, as most of its permanent objects are loaded then."""
    gc.collect()
    # Python collects its oldest generation only when new objects are a quarter of all. With half a million objects of
    # loaded code that took hours. Frozen objects do not count.
    gc.freeze()
    threading.Thread(target=_tidy_forever, name="tidying", daemon=True).start()


def give_back() -> None:
    """Collect cyclic garbage, and make malloc return all free pages, also those in the middle of the heap."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # exists in glibc only
    if trim is not None:
        trim(0)


def _tidy_forever() -> None:
    pause = threading.Event()
    while not pause.wait(EVERY_S):
        give_back()
