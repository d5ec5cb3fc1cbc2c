"""What the tasks of a worker leave behind is given back to the machine: its memory does not grow by the hour."""

from __future__ import annotations

import ctypes
import gc
import threading

EVERY_S = 60.0


def start() -> None:
    """To be called once a worker is ready, when most of what stays is loaded."""
    gc.collect()
    # Python looks for old garbage only once it is a quarter of all that lives: with half a million objects of code
    # loaded that was hours of errors and rows. What is loaded by now stays, and does not count.
    gc.freeze()
    threading.Thread(target=_tidy_forever, name="tidying", daemon=True).start()


def give_back() -> None:
    """Frees garbage in circles, and has malloc return every free page and not those at the end of the heap alone."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; elsewhere memory is left to the system
    if trim is not None:
        trim(0)


def _tidy_forever() -> None:
    pause = threading.Event()
    while not pause.wait(EVERY_S):
        give_back()
