"""The volumes that a chart draws: an even spread, both sides of every step, the crossings and our run rate."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from costs.breakeven.crossings import Crossing
from costs.breakeven.inputs import MOST_REQUESTS

EVEN = 40  # points of the even spread
EDGES = 60  # steps drawn exactly with two points each; more steps look like a straight line in the chart
REACH = 20  # a crossing beyond this many times our volume is left out, because it would flatten the rest of the chart
SMALLEST = 1000  # requests a month that a chart spans at least


def volumes(n: int, crossings: list[Crossing], load: Fraction, upto: int | None = None) -> list[int]:
    """Volumes to draw in requests a month, ascending, about 200 at most; `n` is our run rate, `upto` the last one."""
    last = min(upto if upto is not None else span(n, crossings), MOST_REQUESTS)
    at = {last * i // EVEN for i in range(EVEN + 1)}
    at.update(_edges(load, last))
    inside = [crossing.requests_per_month for crossing in crossings if crossing.requests_per_month <= last]
    at.update(inside[: EVEN // 2])
    if n <= last:
        at.add(n)
    return sorted(at)


def span(n: int, crossings: list[Crossing]) -> int:
    """The last volume of the chart, rounded up, past the run rate `n` and the crossings that are not too far off."""
    wanted = max(2 * n, SMALLEST)
    reach = max(REACH * n, REACH * SMALLEST)
    for place, crossing in enumerate(crossings):
        # The first crossing is the answer of the page, so it is shown however far it is.
        if place == 0 or crossing.requests_per_month <= reach:
            wanted = max(wanted, crossing.requests_per_month * 5 // 4)
    return min(_round_up(wanted), MOST_REQUESTS)


def _edges(load: Fraction, last: int) -> Iterable[int]:
    """The last volume of each step and the first of the next."""
    if not load or last * load > EDGES:
        return ()
    steps = range(1, int(last * load) + 1)
    ends = [step * load.denominator // load.numerator for step in steps]
    return [at for end in ends for at in (end, end + 1) if at <= last]


def _round_up(n: int) -> int:
    """The next 1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten."""
    power: int = 10 ** (len(str(n)) - 1)
    return next(step * power // 2 for step in (2, 3, 4, 6, 8, 10, 12, 16, 20) if step * power // 2 >= n)
