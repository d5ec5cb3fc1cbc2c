"""What a target that refuses calls is spared: it is asked once more in a moment, and after a row of failures last.

Each process counts for itself, in its memory. When a target begins to cool down, that is written with the next reading
of the configuration and read there by the others. A failed check counts as a failed call, and a target that cools down
is checked at once, so that an outage is confirmed early; an open outage is `Target.down`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic

import psycopg

from traffic.gateway.routes import Decision, Target

BUSY = frozenset({429, 503, 529})  # said before any work is done: asking again pays nothing twice
FAULTS = BUSY | {502, 504}  # a target's own; a 500 may be the fault of one caller's body
MOST_WAIT_S = 2.0  # for a second try; who is told to wait longer is told so
FAILURES = 5  # in a row, after which a target cools down
COOL_S = 10.0
MOST_COOL_S = 60.0  # whatever its retry-after says
SHARE = """
UPDATE providers_deployment SET cooling_until = now() + %(s)s * interval '1 second',
    check_due_at = least(check_due_at, now())
WHERE id = %(id)s
"""
END = "UPDATE providers_deployment SET cooling_until = NULL WHERE id = %(id)s"


def is_failure(status: int) -> bool:
    """Whether another target may be asked instead."""
    return status == 429 or status >= 500


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait; None where it names none, or a date."""
    text = headers.get("retry-after", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


def again_in(status: int, headers: Mapping[str, str]) -> float | None:
    """In how many seconds a busy target may be asked again for the same call; None: not."""
    if status not in BUSY:
        return None
    wait = retry_after(headers)
    if wait is None:
        return random.uniform(0.2, 0.6)  # not all at once
    return wait + random.uniform(0, 0.2) if wait <= MOST_WAIT_S else None


class Cooling:
    """Which targets failed too often lately. For one event loop."""

    def __init__(self, cool_s: float = COOL_S, clock: Callable[[], float] = monotonic) -> None:
        self._cool_s = cool_s  # 0: none ever cools down
        self._clock = clock
        self._failures: dict[int, int] = {}  # in a row, by target
        self._until: dict[int, float] = {}
        self._changed: dict[int, float] = {}  # seconds to cool down by target, which the others have not read yet

    def failed(self, target: Target, wait: float | None = None) -> None:
        """It was not reached, or answered with one of FAULTS and asked to wait so many seconds."""
        failures = self._failures[target.id] = self._failures.get(target.id, 0) + 1
        if failures + target.failed_checks >= FAILURES and self._cool_s:
            seconds = min(max(wait or 0, self._cool_s), MOST_COOL_S)
            self._until[target.id] = self._clock() + seconds
            self._changed[target.id] = seconds

    def answered(self, target: Target) -> None:
        """It works."""
        if target.id in self._failures:
            del self._failures[target.id]
        if self._until.pop(target.id, None) is not None or target.cooling_until is not None:
            self._changed[target.id] = 0

    def reorder(self, decision: Decision) -> Decision:
        """The same targets, those that cool down behind the others; each is tried all the same when its turn comes."""
        if len(decision.targets) == 1 or not (
            self._until or any(target.cooling_until is not None for target in decision.targets)
        ):
            return decision
        targets = self._cold(decision.targets)
        if targets == decision.targets:
            return decision
        return replace(decision, targets=targets, instead_of=decision.instead_of or decision.targets[0].slug)

    def _cold(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        now, wall = self._clock(), datetime.now(UTC)

        def is_cold(target: Target) -> bool:
            shared = bool(self._cool_s) and target.cooling_until is not None and target.cooling_until > wall
            # What this process has just seen to work is not what the others wrote before.
            return self._until.get(target.id, 0) > now or (shared and self._changed.get(target.id) != 0)

        return tuple(sorted(targets, key=is_cold))

    def write(self, conn: psycopg.Connection) -> None:
        """Tell the other gateways; from the thread that reads the configuration. Raises psycopg.Error."""
        changed, self._changed = self._changed, {}
        for target, seconds in sorted(changed.items()):
            conn.execute(SHARE if seconds else END, {"id": target, "s": seconds})
