"""How often a key may call, with those that replace it: a bucket in the memory of each process. For the gateway too:
without Django.

See docs/decisions/0005-limits-of-keys-are-kept-in-memory.md for what that approximates.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock

MOST_KEYS = 10_000


class Buckets:
    """A minute's worth of calls may come at once; from then on one comes free every 60 s / limit."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._free_at: dict[int, float] = {}  # when a key's bucket is full again
        self._lock = Lock()

    def take(self, key: int, per_minute: int) -> int:
        """0 where the call may go on and is counted; else the whole seconds after which one may."""
        step = 60 / per_minute
        now = self._clock()
        with self._lock:
            full_at = max(self._free_at.get(key, now), now)
            if full_at - now + step > 60 + 1e-6:
                return max(1, math.ceil(full_at + step - 60 - now))
            if len(self._free_at) > MOST_KEYS:
                self._free_at = {key_id: at for key_id, at in self._free_at.items() if at > now}
            self._free_at[key] = full_at + step
            return 0

    def clear(self) -> None:
        with self._lock:
            self._free_at.clear()


MOST_ADDRESSES = 10_000
EVERYBODY = ""


class UnknownKeys:
    """How often keys may come that nobody knows: each is a look into the database, and most are guesses.

    From one address 60 at once and then one a second, from all together ten times as many. For live keys nothing of
    this holds.
    """

    AT_ONCE, ALL_AT_ONCE = 60, 600

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()  # by network: when its bucket is full again
        self._lock = Lock()

    def take(self, address: str) -> int:
        """0 where the key may be looked up; else the whole seconds after which one may."""
        network, now = network_of(address), self._clock()
        with self._lock:
            wait = self._wait(network, 1.0, self.AT_ONCE, now) or self._wait(EVERYBODY, 0.1, self.ALL_AT_ONCE, now)
            if not wait:
                self._count(network, 1.0, now)
                self._count(EVERYBODY, 0.1, now)
            return wait

    def give_back(self, address: str) -> None:
        """Undo `take` for a key that turned out to be live."""
        with self._lock:
            for network, step in ((network_of(address), 1.0), (EVERYBODY, 0.1)):
                if network in self._full_at:
                    self._full_at[network] -= step

    def _wait(self, network: str, step: float, most: int, now: float) -> int:
        over = max(self._full_at.get(network, now), now) - now + step - most * step
        return math.ceil(over) if over > 1e-6 else 0

    def _count(self, network: str, step: float, now: float) -> None:
        self._full_at[network] = max(self._full_at.get(network, now), now) + step
        self._full_at.move_to_end(network)
        if len(self._full_at) > MOST_ADDRESSES:
            self._full_at.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._full_at.clear()


def network_of(address: str) -> str:
    """The network that an address is counted under: of IPv6 the first 64 bits, for one household has 2^64 addresses."""
    return ":".join(address.split(":")[:4]) if ":" in address else address or "?"


def too_often(per_minute: int) -> str:
    """The message for a key that exceeds its calls a minute."""
    return f"This key may call {'once' if per_minute == 1 else f'{per_minute:,} times'} a minute."


def period_end(period: str, now: datetime) -> datetime:
    """When a quota of a `day` or a `month` begins anew: both are UTC's, as money is."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        return today + timedelta(days=1)
    return (today.replace(day=1) + timedelta(days=32)).replace(day=1)


def seconds_until(moment: datetime, now: datetime) -> int:
    """Whole seconds until a moment, at least one, for Retry-After."""
    return max(1, math.ceil((moment - now).total_seconds()))
