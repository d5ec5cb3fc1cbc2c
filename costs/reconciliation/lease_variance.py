"""Why the bill of a rented machine for one day is not what we estimated from its hours and price. Pure and exact."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

from costs.reconciliation.token_variance import Causes

MACHINE = frozenset({"gpu", "cpu", "vm"})  # what the price of a lease's hour is mainly for
DAY_HOURS = 24
FLOAT_NOISE = Fraction(1, 10**6)  # share of an amount that is ignored, because most vendors compute in floats


@dataclass
class LeaseDay:
    """One lease on one day: USD by category of the bill, our estimate, and the `hours` that we saw it run."""

    billed: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    lines: int = 0
    estimated: Fraction = Fraction(0)
    hours: Fraction = Fraction(0)
    ever_seen: bool = False  # whether we watched this lease at any time of the month

    @property
    def bill(self) -> Fraction:
        return sum(self.billed.values(), Fraction(0))


def explain(day: LeaseDay, step: Fraction) -> Causes:
    """Causes of the difference; they add up to it."""
    difference = day.bill - day.estimated
    if not difference:
        return {}
    if not day.estimated:
        return {"lease_hours" if day.ever_seen else "lease_unseen": difference}
    if not day.bill:
        return {"lease_not_billed": difference}
    if small(difference, day, step):
        return {"rounding": difference}
    # Our estimate is hours x price of the machine. Disk or network on the bill is a cause of its own if the rest of the
    # bill is not below the estimate. If it is below, the lease's price contains them: only the sum can be compared.
    besides = {name: amount for name, amount in day.billed.items() if name not in MACHINE}
    rest = difference - sum(besides.values(), Fraction(0))
    if besides and (small(rest, day, step) or rest > 0):
        return {**besides, **machine(rest, day, step)}
    return machine(difference, day, step)


def machine(difference: Fraction, day: LeaseDay, step: Fraction) -> Causes:
    """Explain the difference by hours that we did not see, as far as the day has any left; else by another price."""
    if not difference:
        return {}
    if small(difference, day, step):
        return {"rounding": difference}
    # Polls may miss the begin and the end of a lease, so a higher bill is explained by hours, up to those that the day
    # has left. Beyond that, and for a lower bill, the price must be different.
    price = day.estimated / day.hours if day.hours else Fraction(0)
    unwatched = DAY_HOURS - day.hours
    if price and 0 < difference <= price * unwatched * (1 + FLOAT_NOISE):
        return {"lease_hours": difference}
    return {"lease_price": difference}


def small(difference: Fraction, day: LeaseDay, step: Fraction) -> bool:
    return abs(difference) <= max(day.lines * step / 2, day.bill * FLOAT_NOISE)
