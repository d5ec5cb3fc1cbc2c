"""Where two cost curves cross, exactly, over a thousand million volumes and without walking them.

The API is a straight line, self-hosting a staircase on a straight line. Both are kept as integers over one common
denominator, so that nothing is rounded and a comparison is a comparison of integers. Their difference falls inside a
step and jumps up at its edge; two questions are asked of it in turn: where does it next come down to a bound, where
does it next rise to one. A few jumps from edge to line answer nearly always; where the two slopes almost agree they
would be millions, and the count of lattice points between line and staircase, which a Euclid-like recursion gives in
some fifty steps, is bisected instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from costs.breakeven.inputs import MOST_REQUESTS

Side = Literal["api", "selfhost"]

MOST_CROSSINGS = 200  # nobody reads more, and two near-equal slopes can cross at every step
JUMPS = 64  # tried before counting


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
        return self.step * -(-n * self.load_num // self.load_den) - self.fall * n + self.base

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
    for _ in range(JUMPS):
        gpus = -(-n * d.load_num // d.load_den)
        excess = d.step * gpus - room
        if excess <= d.fall * n:
            return n
        if d.fall == 0:
            return None
        n = -(-excess // d.fall)
        if n > last:
            return None

    def between(upto: int) -> int:
        """Pairs (n, whole GPUs) with n x load <= GPUs <= the line, of the volumes from n to `upto`."""
        count = upto - n + 1
        line = floor_sum(count, d.step, d.fall, d.fall * n + room)
        stairs = floor_sum(count, d.load_den, -d.load_num, -d.load_num * n)
        return line + stairs + count

    return _first_counted(between, n, last)


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
    for _ in range(JUMPS):
        gpus = -(-(d.fall * n + need) // d.step)  # that would lift the staircase to the line
        if -(-n * d.load_num // d.load_den) >= gpus:
            return n
        n = (gpus - 1) * d.load_den // d.load_num + 1
        if n > last:
            return None

    def between(upto: int) -> int:
        """Pairs (n, whole GPUs) with the line - 1 <= GPUs < n x load, of the volumes from n to `upto`."""
        count = upto - n + 1
        line = floor_sum(count, d.step, -d.fall, -(d.fall * n + need))
        stairs = floor_sum(count, d.load_den, -d.load_num, -d.load_num * n)
        return line - stairs + count

    return _first_counted(between, n, last)


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


def _first_counted(count: Callable[[int], int], first: int, last: int) -> int | None:
    """The smallest n in first..last with count(n) >= 1, for a count that never falls."""
    width = 1
    while count(min(first + width - 1, last)) < 1:
        if first + width - 1 >= last:
            return None
        width *= 2
    low, high = first + width // 2, min(first + width - 1, last)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if count(middle) >= 1 else (middle + 1, high)
    return low


def floor_sum(count: int, modulus: int, slope: int, offset: int) -> int:
    """Sum of floor((slope x i + offset) / modulus) for i from 0 to count - 1; modulus > 0, the others of any sign."""
    total = 0
    while count > 0:
        whole, slope = divmod(slope, modulus)
        total += whole * (count * (count - 1) // 2)
        whole, offset = divmod(offset, modulus)
        total += whole * count
        top = slope * count + offset
        if top < modulus:
            break
        # Counting the lattice points by rows instead of columns swaps slope and modulus, as Euclid does.
        count, offset = divmod(top, modulus)
        modulus, slope = slope, modulus
    return total
