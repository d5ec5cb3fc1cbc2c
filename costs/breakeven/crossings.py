"""Where two cost curves cross, exactly, over a thousand million volumes.

The API's cost is a straight line, the cost of self-hosting a straight line plus a staircase of GPUs. Both are kept as
integers over one common denominator, so nothing is rounded. Their difference falls inside a step and jumps up at its
end. The search asks in turn where the difference next falls to a bound and where it next rises to one. It goes from
step to step and skips those that cannot hold the answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from costs.breakeven.inputs import MOST_REQUESTS

Side = Literal["api", "selfhost"]

MOST_CROSSINGS = 200  # two nearly equal slopes can cross at every step; a longer list would not be read
# Steps that one search looks at. So many are needed only if a request costs almost the same on both sides; a crossing
# beyond that many GPUs is of no practical use, so the search gives up there.
MOST_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class Crossing:
    """The smallest whole number of requests a month from which `to` costs no more than `from`."""

    requests_per_month: int
    side_from: Side
    side_to: Side


def first_into_selfhost(crossings: Iterable[Crossing]) -> int | None:
    """The first volume, requests a month, at which our own GPUs cost no more."""
    return next((crossing.requests_per_month for crossing in crossings if crossing.side_to == "selfhost"), None)


@dataclass(frozen=True, slots=True)
class Difference:
    """Self-host minus API for n >= 1 requests a month: `step` x ceil(n x load) - `fall` x n + `base`.

    `load` is `load_num / load_den` GPUs per request. With a staircase `step` and `load` are above 0 and `fall` is not
    negative; without one `step` and `load` are 0 and a straight line remains. `at_zero` is the difference without
    requests, where the formula does not hold: no GPU is needed and the API writes no cache.
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

    The search starts at the first volume where one side is strictly cheaper: at a tie (without requests and fixed costs
    both sides cost 0) there is no side to cross from.
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
    # ceil(n x load) >= n x load: only where the line passes that lower bound can it pass the staircase. The zone of
    # such n is found by division, which skips all steps before it.
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
        # The line passes the height of the present step at this n. By then a further GPU may have been added, so the
        # next round looks again with the step at the new n.
        n = -(-excess // d.fall)
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
    # ceil(n x load) < n x load + 1: beyond the zone of that upper bound the staircase cannot reach the line.
    zone = _zone(d.fall * d.load_den - d.load_num * d.step, (d.step - need) * d.load_den, max(start, 1))
    if zone is None:
        return None
    n, last = zone
    for _ in range(MOST_STEPS):
        gpus = -(-(d.fall * n + need) // d.step)  # fewest with which the staircase reaches the line at n
        if d.gpus(n) >= gpus:
            return n
        # The first n that needs so many GPUs. The line is higher there, so the next round asks again.
        n = (gpus - 1) * d.load_den // d.load_num + 1
        if n > last:
            return None
    return None


def _linear(slope: int, room: int, start: int) -> int | None:
    """The smallest n >= start with slope x n <= room."""
    zone = _zone(slope, room, start)
    return None if zone is None else zone[0]


def _zone(slope: int, room: int, start: int) -> tuple[int, int] | None:
    """First and last n from `start` to `MOST_REQUESTS` with slope x n <= room; None if there is no such n."""
    first, last = start, MOST_REQUESTS
    if slope > 0:
        last = min(last, room // slope)
    elif slope < 0:
        first = max(first, -(room // -slope))
    elif room < 0:
        return None
    return (first, last) if first <= last else None
