"""Batches are worked out one after the other: threads that all want the interpreter only get in each other's way.

Passed around every few milliseconds, none of them is done sooner, each finds the processor's caches full of another's
batch, and a page has to wait for all of them instead of one. Measured: with four exporters a quarter more spans.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext

SMALL_BYTES, SMALL_ROWS = 1 << 20, 2_000
_turn = threading.RLock()
_at_once = nullcontext()


def parse_lock(*, size: int = 0, rows: int = 0) -> AbstractContextManager[object]:
    """Around what takes milliseconds and waits for nothing. A large batch takes none: small ones would wait.

    Around as much as can be done with a batch before the database is asked, so that the first is written while the
    next is worked out.
    """
    return _turn if size <= SMALL_BYTES and rows <= SMALL_ROWS else _at_once
