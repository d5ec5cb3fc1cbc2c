"""95 % intervals of shares and means, in Decimal and without a statistics library."""

from __future__ import annotations

from collections.abc import Sequence
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


def mean_interval(values: Sequence[Decimal]) -> Interval | None:
    """Student's interval of a mean, as of paired differences of ratings; None with fewer than two values."""
    n = len(values)
    if n < 2:
        return None
    mean = sum(values, Decimal(0)) / n
    variance = sum(((value - mean) ** 2 for value in values), Decimal(0)) / (n - 1)
    half = student(n - 1) * (variance / n).sqrt()
    return Interval(mean - half, mean + half)


# Student's t, two-sided 95 %, where the expansion below is not yet good.
FEW = ("12.7062", "4.3027", "3.1824", "2.7764", "2.5706", "2.4469", "2.3646", "2.3060", "2.2622", "2.2281")


def student(degrees: int) -> Decimal:
    """Quantile of Student's t, two-sided 95 %: a table up to 10 degrees, then Cornish and Fisher's expansion."""
    if degrees <= len(FEW):
        return Decimal(FEW[degrees - 1])
    first = (Z**3 + Z) / 4
    second = (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96
    third = (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384
    return Z + first / degrees + second / degrees**2 + third / degrees**3
