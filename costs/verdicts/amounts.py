"""A saving or a volume with its interval, in words; every page writes them this way."""

from __future__ import annotations

from decimal import Decimal

from django.utils.html import conditional_escape, escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from lib.confidence_intervals import Interval
from lib.formats import dollars, figure, rounded_count

Volumes = tuple[int | None, int | None]  # requests a month, low and high; a high end of None is at no volume
FAR = 20  # times the low end: a volume beyond that is on no chart


def about(value: Decimal, interval: Interval | None) -> str:
    """A saving with its interval: `about $201 (−$74 to +$534)`.

    Where the whole interval is a loss, the loss itself: `about $50 ($20 to $80)`.
    """
    if interval is None:
        return dollars(value, 0)
    return _("about %(value)s (%(low)s to %(high)s)") % _words(value, interval)


def marked_saving(text: str, value: Decimal, interval: Interval | None, scope: str = "") -> SafeString:
    """`text` for HTML; the saving that it holds in the words of `about` is marked for `manage.py audit --pages`.

    `scope` is what the figure is of, where that is not the installation at this moment: `decision 3`.
    """
    plain = conditional_escape(text)
    if interval is None:
        return plain
    words = _words(value, interval)
    meanings = {"value": ("saving", value), "low": ("saving-low", interval.low), "high": ("saving-high", interval.high)}
    if interval.high < 0:  # the loss: its low end is the other end of the saving
        meanings["low"], meanings["high"] = meanings["high"], meanings["low"]
    marks = {part: figure(words[part], *meanings[part], scope=scope) for part in words}
    marked = escape(_("about %(value)s (%(low)s to %(high)s)")) % marks
    return SafeString(plain.replace(escape(about(value, interval)), marked))


def _words(value: Decimal, interval: Interval) -> dict[str, str]:
    low, high = interval.low, interval.high
    if high < 0:
        value, low, high = -value, -high, -low
    mixed = low < 0
    return {
        "value": dollars(value, 0),
        "low": dollars(low, 0),
        "high": f"+{dollars(high, 0)}" if mixed and high > 0 else dollars(high, 0),
    }


def about_requests(volume: int | None, ends: Volumes | None) -> str:
    """Requests a month with their interval: `about 88,000 (61,000 to 140,000)`, `about 88,000 (61,000 or more)`.

    Without an interval `about 88,000`, without a volume `61,000 or more`; empty without both.
    """
    text, words = _requests(volume, ends)
    return text % words


def marked_crossing(volume: int | None, ends: Volumes | None, scope: str = "") -> SafeString:
    """The words of `about_requests` for HTML, with the crossing and its ends marked for `manage.py audit --pages`."""
    text, words = _requests(volume, ends)
    low, high = ends or (None, None)
    values = {"volume": ("crossing", volume), "low": ("crossing-low", low), "high": ("crossing-high", high)}
    return SafeString(escape(text) % {part: figure(word, *values[part], scope=scope) for part, word in words.items()})


def _requests(volume: int | None, ends: Volumes | None) -> tuple[str, dict[str, str]]:
    """The text with placeholders, and the words for them."""
    low, high = ends or (None, None)
    within, words = "", {}
    if low is not None:
        words = {"low": rounded_count(low), "high": rounded_count(high or 0)}
        if high is None or high > FAR * max(low, 1):
            within = _("%(low)s or more")
            del words["high"]
        else:
            within = _("%(low)s to %(high)s")
    if volume is None:
        return within, words
    words["volume"] = rounded_count(volume)
    return (_("about %(volume)s (") + within + ")" if within else _("about %(volume)s")), words
