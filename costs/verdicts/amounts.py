"""An amount with its interval, in words; every sentence about a saving writes it this way."""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext as _

from lib.confidence_intervals import Interval
from lib.formats import dollars


def about(value: Decimal, interval: Interval | None) -> str:
    """A saving with its interval: `about $201 (−$74 to +$534)`.

    Where the whole interval is a loss, the loss itself: `about $50 ($20 to $80)`.
    """
    if interval is None:
        return dollars(value, 0)
    low, high = interval.low, interval.high
    if high < 0:
        value, low, high = -value, -high, -low
    mixed = low < 0
    words = {
        "value": dollars(value, 0),
        "low": dollars(low, 0),
        "high": f"+{dollars(high, 0)}" if mixed and high > 0 else dollars(high, 0),
    }
    return _("about %(value)s (%(low)s to %(high)s)") % words
