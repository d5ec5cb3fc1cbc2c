"""Faults on command: what a vendor does wrong for a while or for a number of calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sandbox.bends import BENT

VENDORS = ("anthropic", "google", "vast", "runpod", "lambda", "engine")

# The first seven are the contract; the others are for our own tests of bad input. Those of BENT change good answers.
BROKEN = ("429", "500", "timeout", "garbage", "html", "down", "auth", "truncated", "redirect", "huge", "spend_cap")
KINDS = (*BROKEN, *BENT)


@dataclass
class Fault:
    kind: str
    until: float | None  # on the monotonic clock
    left: int | None

    def over(self, now: float) -> bool:
        return (self.until is not None and now >= self.until) or (self.left is not None and self.left <= 0)


class Faults:
    """One fault per vendor at a time; the newest counts."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, more: Iterable[str] = ()) -> None:
        self.vendors = tuple(dict.fromkeys((*VENDORS, *more)))
        self._clock = clock
        self._faults: dict[str, Fault] = {}

    def set(self, vendor: str, kind: str, *, for_s: float | None = None, count: int | None = None) -> None:
        """Raises ValueError for an unknown vendor or kind. Without a length it lasts until it is cleared."""
        if vendor not in self.vendors:
            raise ValueError(f"vendor must be one of {', '.join(self.vendors)}")
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        self._faults[vendor] = Fault(kind, None if for_s is None else self._clock() + for_s, count)

    def clear(self, vendor: str | None = None) -> None:
        if vendor is None:
            self._faults.clear()
        else:
            self._faults.pop(vendor, None)

    def take(self, vendor: str) -> str | None:
        """The fault of the next call, counted down."""
        fault = self._faults.get(vendor)
        if fault is None:
            return None
        if fault.over(self._clock()):
            del self._faults[vendor]
            return None
        if fault.left is not None:
            fault.left -= 1
        return fault.kind

    def listed(self) -> list[dict[str, object]]:
        now = self._clock()
        return [
            {"vendor": vendor, "kind": fault.kind, "for_s": fault.until and fault.until - now, "count": fault.left}
            for vendor, fault in self._faults.items()
            if not fault.over(now)
        ]
