"""A volume and a saving as cells of a table: the figure, and below it how sure it is."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.breakeven.band import Band
from costs.breakeven.saving import Saving
from costs.verdicts.amounts import about_requests
from lib.formats import count, dollars, signed_usd, state

NOT_ENOUGH, TOO_CLOSE = "not_enough_data", "too_close"  # verdicts of a saving


def volume(crossing: int | None, band: Band | None) -> SafeString:
    """The requests a month from which self-hosting costs no more, with the interval."""
    figure = _("never") if crossing is None else count(crossing)
    return format_html('{}<span class="secondary">{}</span>', figure, within(crossing, band))


def within(crossing: int | None, band: Band | None) -> str:
    """Between which volumes a crossing lies, in words; empty for one that is never in its whole interval."""
    if band is None:
        return _("not enough data")
    if crossing is None:
        low = band.crossing_low
        return "" if low is None else _("at best above %(low)s") % {"low": about_requests(low, None)}
    return about_requests(None, band.crossing_ends(crossing))


def saved(saving: Saving | None) -> SafeString:
    """USD a month with the interval, and that it is too close to call where no side is surely cheaper."""
    if saving is None:
        return format_html("{}", _("not known"))
    words = [unsure(saving)]
    if saving.interval:
        low, high = dollars(saving.interval.low, 0), dollars(saving.interval.high, 0)
        words.insert(0, _("%(low)s to %(high)s") % {"low": low, "high": high})
    shown = ", ".join(filter(None, words))
    return format_html('{}<span class="secondary">{}</span>', signed_usd(saving.amount), shown)


def unsure(saving: Saving) -> str:
    """Why no side is called cheaper; empty where one is."""
    return {NOT_ENOUGH: _("not enough data"), TOO_CLOSE: _("too close to call")}.get(saving.verdict, "")


def side(saving: Saving) -> SafeString:
    """The cheaper side as a chip, as far as the interval of the saving allows to say."""
    if saving.verdict == "api":
        return format_html("{}", _("API"))
    if saving.verdict == "selfhost":
        return state("warn", _("self-hosted, rated worse")) if saving.worse else state("ok", _("self-hosted"))
    return state("warn" if saving.verdict == TOO_CLOSE else "unknown", unsure(saving))
