"""From exact fractions to the Decimal amounts that are stored and shown."""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction

PLACES = 12  # decimals that the database keeps of an amount
EXACT = Context(prec=60)
TWELVE_PLACES = Decimal(1).scaleb(-PLACES)


def decimal(number: Fraction) -> Decimal:
    """A fraction to twelve places, rounded half to even."""
    return divided(number.numerator, number.denominator)


def divided(amount: int, by: int) -> Decimal:
    """`amount / by` to twelve places, rounded half to even, without reducing the fraction first."""
    return EXACT.divide(Decimal(amount), Decimal(by)).quantize(TWELVE_PLACES, context=EXACT)


def decimal_text(amount: Decimal) -> str:
    """The amount without exponent and trailing zeros, with at least two digits after the point."""
    digits = f"{amount:f}"
    if "." not in digits:
        return digits + ".00"
    whole, part = digits.split(".")
    part = part.rstrip("0")
    return f"{whole}.{part.ljust(2, '0')}"
