"""A worker gives back what its tasks leave."""

from __future__ import annotations

import gc
import weakref

from dashboard.health import worker_memory


class Rows:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.itself = self


def test_cyclic_garbage_is_freed_while_the_collector_is_off() -> None:
    gc.disable()
    try:
        rows = weakref.ref(Rows())
        assert rows() is not None
        worker_memory.give_back()
        assert rows() is None
    finally:
        gc.enable()
