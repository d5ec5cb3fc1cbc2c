"""The disk of the data directory and its floor: with less room than that nothing more is taken in.

What is left below the floor is for what must go on: calls that the gateway has paid for, the database's own log, and
the retention that makes room.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from pathlib import Path
from typing import NamedTuple

from lib.events import log_event

logger = logging.getLogger(__name__)

LEAST_FLOOR, MOST_FLOOR = 1 << 30, 10 << 30  # bytes
FLOOR_ELSEWHERE = 32 << 20  # where the database is on another disk: this one holds the gateway's spool and logs
REMEMBERED_S = 1.0


class Disk(NamedTuple):
    """Bytes of a disk."""

    total: int
    used: int
    free: int
    floor: int

    @property
    def low(self) -> bool:
        return self.free < self.floor


def floor_of(total: int) -> int:
    """3 % of a disk, between 1 and 10 GiB, and of a small disk an eighth at most; in bytes."""
    return min(max(total * 3 // 100, LEAST_FLOOR), MOST_FLOOR, total // 8)


def disk_of(data_dir: Path) -> Disk | None:
    """The disk that a data directory is on; None where there is no such directory on this machine."""
    if not data_dir.exists():
        return None
    total, used, free = shutil.disk_usage(data_dir)
    embedded = (data_dir / "postgres" / "data" / "PG_VERSION").exists()
    return Disk(total, used, free, floor_of(total) if embedded else min(FLOOR_ELSEWHERE, floor_of(total)))


class DiskWatch:
    """Whether a disk is below its floor, looked at once a second at most; each change is logged once."""

    def __init__(self) -> None:
        self._low = False
        self._until = float("-inf")
        self._lock = threading.Lock()

    def is_low(self, data_dir: Path) -> bool:
        with self._lock:
            if time.monotonic() >= self._until:
                disk = disk_of(data_dir)
                low = disk is not None and disk.low
                if disk is not None and low != self._low:
                    log_event(
                        logger, logging.WARNING if low else logging.INFO, "disk_low" if low else "disk_has_room",
                        free=disk.free, floor=disk.floor,
                    )  # fmt: skip
                self._low, self._until = low, time.monotonic() + REMEMBERED_S
            return self._low
