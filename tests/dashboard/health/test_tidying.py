"""A worker gives back what its tasks leave."""

from __future__ import annotations

import gc
import weakref

from dashboard.health import worker_memory


class Rows:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.itself = self


def test_what_holds_itself_is_freed_though_nobody_looked_for_garbage() -> None:
    gc.disable()
    try:
        rows = weakref.ref(Rows())
        assert rows() is not None
        worker_memory.give_back()
        assert rows() is None
    finally:
        gc.enable()
