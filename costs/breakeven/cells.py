"""A volume and a saving as cells of a table: the figure, and below it how sure it is."""

from __future__ import annotations

from decimal import Decimal

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.breakeven.band import Band
from costs.breakeven.saving import Saving
from costs.verdicts.amounts import about_requests
from lib.formats import count, dollars, figure, signed_usd, state

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


def saved(saving: Saving | None, *, marked: bool = False) -> SafeString:
    """USD a month with the interval, and that it is too close to call where no side is surely cheaper.

    `marked`: the saving is the one of every page, so that an audit compares it.
    """
    if saving is None:
        return format_html("{}", _("not known"))

    def shown(text: str, name: str, value: Decimal) -> str:
        return figure(text, name, value) if marked else text

    ends, why = SafeString(), unsure(saving)
    if saving.interval:
        low, high = saving.interval.low, saving.interval.high
        words = {"low": shown(dollars(low, 0), "saving-low", low), "high": shown(dollars(high, 0), "saving-high", high)}
        ends = format_html("{}{}", SafeString(escape(_("%(low)s to %(high)s")) % words), ", " if why else "")
    amount = shown(signed_usd(saving.amount), "saving", saving.amount)
    return format_html('{}<span class="secondary">{}{}</span>', amount, ends, why)


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
