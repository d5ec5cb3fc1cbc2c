"""Dividing an amount so that the parts add up to it exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from math import floor
from typing import TypeVar

from lib.money import CENT, COST_STEP

K = TypeVar("K")


def divide(amount: Decimal, weights: Sequence[tuple[K, Decimal | int]]) -> list[tuple[K, Decimal]]:
    """Shares of `amount` by weight, each a whole number of steps: largest remainder first, ties in the given order.

    Weights of zero in all give an empty list: there is nobody to give it to.
    """
    total = sum((Decimal(weight) for _, weight in weights), Decimal(0))
    if total <= 0:
        return []
    exact = [(key, amount * weight / total) for key, weight in weights]
    shares = [(key, value.quantize(COST_STEP, rounding=ROUND_FLOOR)) for key, value in exact]
    missing = int((amount - sum((share for _, share in shares), Decimal(0))) / COST_STEP)
    by_remainder = sorted(range(len(exact)), key=lambda place: shares[place][1] - exact[place][1])
    for place in by_remainder[:missing]:
        key, share = shares[place]
        shares[place] = (key, share + COST_STEP)
    return shares


def in_steps(parts: Mapping[K, Fraction], total: Decimal) -> dict[K, Decimal]:
    """Exact parts at the stored precision, largest remainder first, so that they still add up to `total`."""
    exact = {key: part / Fraction(COST_STEP) for key, part in parts.items() if part}
    steps = {key: floor(part) for key, part in exact.items()}
    missing = int(total / COST_STEP) - sum(steps.values())
    for key in sorted(steps, key=lambda key: steps[key] - exact[key])[:missing]:
        steps[key] += 1
    return {key: count * COST_STEP for key, count in steps.items() if count}


def in_cents(parts: Mapping[K, Decimal], total: Decimal) -> dict[K, Decimal]:
    """Parts as whole cents that add up to `total`, itself in cents and less than one from their exact sum.

    Largest remainder first, so that no part is a cent or more from what it is exactly.
    """
    cents = {key: part.quantize(CENT, rounding=ROUND_FLOOR) for key, part in parts.items()}
    missing = int((total - sum(cents.values(), Decimal(0))) / CENT)
    for key in sorted(cents, key=lambda key: cents[key] - parts[key])[:missing]:
        cents[key] += CENT
    return cents
