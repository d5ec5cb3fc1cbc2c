"""Where two cost curves cross, exactly, over a thousand million volumes.

The API is a straight line, self-hosting a staircase on a straight line. Both are kept as integers over one common
denominator, so that nothing is rounded and a comparison is a comparison of integers. Their difference falls inside a
step and jumps up at its edge; two questions are asked of it in turn: where does it next come down to a bound, where
does it next rise to one. Both are answered by a walk over the GPUs, which leaves out steps that cannot hold the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from costs.breakeven.inputs import MOST_REQUESTS

Side = Literal["api", "selfhost"]

MOST_CROSSINGS = 200  # nobody reads more, and two near-equal slopes can cross at every step
# GPUs that one walk looks at. So many are needed only where a request costs almost exactly the same on both sides, and
# more than these nobody rents: what might follow is not looked for.
MOST_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class Crossing:
    """The smallest whole number of requests a month from which `to` costs no more than `from`."""

    requests_per_month: int
    side_from: Side
    side_to: Side


@dataclass(frozen=True, slots=True)
class Difference:
    """Self-host minus API for n >= 1 requests a month: `step` x ceil(n x load) - `fall` x n + `base`.

    `load` is `load_num / load_den` GPUs per request. A staircase has step and load above 0 and never a negative fall;
    without one both are 0 and the rest is a straight line. `at_zero` is the difference without any request, where the
    formula does not hold: no GPU is needed and the API writes no cache.
    """

    step: int
    load_num: int
    load_den: int
    fall: int
    base: int
    at_zero: int

    def at(self, n: int) -> int:
        if n == 0:
            return self.at_zero
        return self.step * self.gpus(n) - self.fall * n + self.base

    def gpus(self, n: int) -> int:
        return -(-n * self.load_num // self.load_den)

    @property
    def stepped(self) -> bool:
        return bool(self.step and self.load_num)


def find_crossings(difference: Difference, most: int = MOST_CROSSINGS) -> tuple[list[Crossing], bool]:
    """Every crossing up to `MOST_REQUESTS` in order, and whether there are more than `most`.

    Before anything is strictly cheaper (no request and no fixed cost: 0 against 0) there is no side to cross from.
    """
    crossings: list[Crossing] = []
    opening = _next_strict(difference, 0)
    if opening is None:
        return crossings, False
    n, side = opening
    while len(crossings) <= most:
        step = _next_change(difference, n, side)
        if step is None:
            return crossings, False
        n, other = step
        crossings.append(Crossing(n, side, other))
        side = other
    return crossings[:most], True


def _next_change(difference: Difference, n: int, side: Side) -> tuple[int, Side] | None:
    """The next volume after n where the other side costs no more; after a tie, where it costs strictly less."""
    other: Side = "selfhost" if side == "api" else "api"
    if difference.at(n) == 0:
        strict = _next_strict(difference, n + 1)
        if strict is None:
            return None
        if strict[1] == other:
            return strict
        n = strict[0]
    at = first_at_most(difference, n + 1, 0) if side == "api" else first_at_least(difference, n + 1, 0)
    return None if at is None else (at, other)


def _next_strict(difference: Difference, n: int) -> tuple[int, Side] | None:
    """The first volume from n on where one side is strictly cheaper, and which."""
    if n > MOST_REQUESTS:
        return None
    if now := difference.at(n):
        return n, "api" if now > 0 else "selfhost"
    below = first_at_most(difference, n, -1)
    above = first_at_least(difference, n, 1)
    if below is None or (above is not None and above < below):
        return None if above is None else (above, "api")
    return below, "selfhost"


def first_at_most(difference: Difference, start: int, bound: int) -> int | None:
    """The smallest n from `start` to `MOST_REQUESTS` with a difference <= bound, None where there is none."""
    if start == 0 and difference.at_zero <= bound:
        return 0
    d, room = difference, bound - difference.base
    if not d.stepped:
        return _linear(-d.fall, room, max(start, 1))
    # The staircase is nowhere under n x load, so the line must be above that first.
    zone = _zone(d.load_num * d.step - d.fall * d.load_den, room * d.load_den, max(start, 1))
    if zone is None:
        return None
    n, last = zone
    for _ in range(MOST_STEPS):
        excess = d.step * d.gpus(n) - room
        if excess <= d.fall * n:
            return n
        if d.fall == 0:
            return None
        n = -(-excess // d.fall)  # where the line is above the step that n is on; there the step may be another
        if n > last:
            return None
    return None


def first_at_least(difference: Difference, start: int, bound: int) -> int | None:
    """The smallest n from `start` to `MOST_REQUESTS` with a difference >= bound, None where there is none."""
    if start == 0 and difference.at_zero >= bound:
        return 0
    d, need = difference, bound - difference.base
    if not d.stepped:
        return _linear(d.fall, -need, max(start, 1))
    # The staircase is everywhere under n x load + 1.
    zone = _zone(d.fall * d.load_den - d.load_num * d.step, (d.step - need) * d.load_den, max(start, 1))
    if zone is None:
        return None
    n, last = zone
    for _ in range(MOST_STEPS):
        gpus = -(-(d.fall * n + need) // d.step)  # that would lift the staircase to the line
        if d.gpus(n) >= gpus:
            return n
        n = (gpus - 1) * d.load_den // d.load_num + 1
        if n > last:
            return None
    return None


def _linear(slope: int, room: int, start: int) -> int | None:
    """The smallest n >= start with slope x n <= room."""
    zone = _zone(slope, room, start)
    return None if zone is None else zone[0]


def _zone(slope: int, room: int, start: int) -> tuple[int, int] | None:
    """First and last n from `start` on with slope x n <= room, which is one unbroken run; None where it is empty."""
    first, last = start, MOST_REQUESTS
    if slope > 0:
        last = min(last, room // slope)
    elif slope < 0:
        first = max(first, -(room // -slope))
    elif room < 0:
        return None
    return (first, last) if first <= last else None
