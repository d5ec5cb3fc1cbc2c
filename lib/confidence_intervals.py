"""95 % intervals of shares, in Decimal and without a statistics library, and a difference of shares in words."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from lib.formats import grouped

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


def points_apart(gap: Interval) -> str:
    """A difference of two shares (-1 to 1) in percentage points: `2.9 to 15 percentage points worse`.

    Where the interval holds zero: `between 3 percentage points worse and 2 better`.
    """
    low, high = gap.low, gap.high
    if high < 0:
        return _("%(low)s to %(high)s percentage points worse") % {"low": _points(-high), "high": _points(-low)}
    if low > 0:
        return _("%(low)s to %(high)s percentage points better") % {"low": _points(low), "high": _points(high)}
    words = {"low": _points(-low), "high": _points(high)}
    return _("between %(low)s percentage points worse and %(high)s better") % words


def _points(share: Decimal) -> str:
    """Two significant digits, at most one decimal: 15, 2.9, 0.4."""
    points = abs(share) * 100
    return grouped(points, 1 if Decimal(0) < points < Decimal("9.95") and points % 1 else 0)
