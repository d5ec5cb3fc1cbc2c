"""Usage that the vendor counts on the day before or after the one on which we have it. Pure and exact.

A request that starts before midnight is billed when it ends, and a bill by another time zone moves a whole evening: one
day then has more than ours, and its neighbour as much less. What both sides have is no missing request.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction

from costs.reconciliation.token_variance import Causes

DAY = timedelta(days=1)
MORE, LESS = "unseen_requests", "not_billed"


def allocate_cutoff_shift(parts: Mapping[tuple[date, str], Causes]) -> None:
    """Move what two neighbouring days of one model have against each other to the cause `day_edge`."""
    for day, model in sorted(parts):
        here, there = parts[day, model], parts.get((day + DAY, model))
        if there is None:
            continue
        for more, less in ((here, there), (there, here)):
            moved = min(more.get(MORE, Fraction(0)), -less.get(LESS, Fraction(0)))
            if moved > 0:
                shift(more, MORE, moved)
                shift(less, LESS, -moved)


def shift(causes: Causes, name: str, amount: Fraction) -> None:
    """Return a move as two parts that cancel out, so that a month only keeps what crosses its ends."""
    causes[name] -= amount
    causes["day_edge"] = causes.get("day_edge", Fraction(0)) + amount
