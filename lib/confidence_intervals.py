"""95 % intervals of shares, in Decimal and without a statistics library."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

Z = Decimal("1.959963984540054")  # of the normal distribution, two-sided 95 %


@dataclass(frozen=True, slots=True)
class Interval:
    low: Decimal
    high: Decimal


def wilson(successes: int, total: int) -> Interval | None:
    """Wilson's score interval of a share; None without a trial.

    It stays inside 0 to 1 and holds its level for few trials and shares near the ends, where the plain one does not.
    """
    if total == 0:
        return None
    n, share, square = Decimal(total), Decimal(successes) / total, Z * Z
    middle = share + square / (2 * n)
    half = Z * ((share * (1 - share) + square / (4 * n)) / n).sqrt()
    scale = 1 + square / n
    # Without a success the low end is exactly 0, without a failure the high end is exactly 1, whatever rounding leaves.
    low = (middle - half) / scale if successes else Decimal(0)
    high = (middle + half) / scale if successes < total else Decimal(1)
    return Interval(low, high)
