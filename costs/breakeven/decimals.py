"""From exact fractions to the Decimal amounts that are stored and shown."""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction

PLACES = 12  # what the database keeps of an amount
EXACT = Context(prec=60)
TWELVE_PLACES = Decimal(1).scaleb(-PLACES)


def decimal(number: Fraction) -> Decimal:
    """A fraction to twelve places, rounded half to even."""
    return divided(number.numerator, number.denominator)


def divided(amount: int, by: int) -> Decimal:
    """The same of an amount over a denominator that need not be reduced."""
    return EXACT.divide(Decimal(amount), Decimal(by)).quantize(TWELVE_PLACES, context=EXACT)


def decimal_text(amount: Decimal) -> str:
    """A decimal string without exponent: all digits that matter, at least two after the point."""
    digits = f"{amount:f}"
    if "." not in digits:
        return digits + ".00"
    whole, part = digits.split(".")
    part = part.rstrip("0")
    return f"{whole}.{part.ljust(2, '0')}"
