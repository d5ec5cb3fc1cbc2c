"""Measures how fast a file is read, for the remaining time that its page shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Pace:
    """Of one slice of work, over what it has committed; before its first batch that of the slice before."""

    def __init__(self, clock: Callable[[], float], before: dict[str, float] | None) -> None:
        self.clock = clock
        self.since = clock()
        self.size = self.rows = 0
        self.known = before

    def add(self, size: int, rows: int) -> None:
        """A batch is committed: so many bytes and rows."""
        self.size += size
        self.rows += rows
        seconds = self.clock() - self.since
        if seconds > 0:
            self.known = {"bytes": self.size / seconds, "rows": self.rows / seconds}


def seconds_left(size: int, offset: int, position: dict[str, Any]) -> float | None:
    """How long the rest takes at the pace of a kept position; None where that is not known yet."""
    pace = position.get("pace") or {}
    return (size - offset) / pace["bytes"] if pace.get("bytes") else None
