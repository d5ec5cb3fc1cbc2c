"""Is a month on plan? What was spent and the forecast's interval, compared with what the month may cost. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.verdicts.verdict import State, Verdict, compare
from lib.confidence_intervals import Interval
from lib.formats import count, dollars, known_part
from lib.formats import month as month_name

FEWEST_DAYS = 3  # of a month, before its forecast says more than the first entered charge


def on_plan(
    month: date,
    *,
    spent: Decimal,
    limit: Decimal | None,
    forecast: Interval | None,
    median: Decimal | None,
    days: int,
    is_over: bool = False,
    unpriced: int = 0,
) -> Verdict:
    """Compare a month with its limit; all money in USD.

    `limit` is None or 0 where nothing is planned. `forecast` holds the month's end with 80 %, `median` is its middle.
    `days` are the whole days of the month behind us. `is_over`: the month has ended, so that only `spent` counts.
    `unpriced` requests have no known cost, so that `spent` is a lower bound: it can be over its limit, never within it.
    """
    words = {"month": month_name(month), "spent": known_part(dollars(spent, 0), unpriced)}
    if not limit:
        text = _("%(month)s has no budget. Spent: %(spent)s.") if spent else _("%(month)s has no budget and no spend.")
        return Verdict("plan", State.NOT_ENOUGH, text % words, spent)
    words |= {"limit": dollars(limit, 0)}
    if spent > limit:
        words["spent"] = known_part(dollars(spent), unpriced)  # to the cent, or one cent over would read as none
    if is_over:
        return _ended(spent, limit, words, unpriced)
    if spent > limit:
        text = _("%(month)s is over its budget: %(spent)s of %(limit)s is spent.")
        return Verdict("plan", State.NOT_MET, text % words, spent, limit, forecast)
    if days < FEWEST_DAYS or forecast is None or median is None:
        return _early(spent, limit, days, words)
    words |= {"median": dollars(median, 0), "low": dollars(forecast.low, 0), "high": dollars(forecast.high, 0)}
    texts = {
        State.MET: _("%(month)s stays within its budget: about %(median)s (%(low)s–%(high)s) of %(limit)s."),
        State.NOT_MET: _("%(month)s will go over its budget: about %(median)s (%(low)s–%(high)s) of %(limit)s."),
        State.TOO_CLOSE: _("%(month)s is close to its budget: about %(median)s (%(low)s–%(high)s) of %(limit)s."),
    }
    # To spend exactly the budget is to stay within it.
    reached = compare(forecast, limit + Decimal("0.01"), "below")
    if reached == State.MET and unpriced:
        text = _("%(month)s’s known cost will be about %(median)s (%(low)s–%(high)s) of %(limit)s.")
        return _at_least(text % words, Verdict("plan", State.NOT_ENOUGH, "", median, limit, forecast), unpriced)
    needed = _("The forecast narrows with each day.") if reached == State.TOO_CLOSE else ""
    return Verdict("plan", reached, texts[reached] % words, median, limit, forecast, needed=needed)


def in_short(verdict: Verdict, spent: Decimal) -> str:
    """The verdict in two or three words, as a subject or a title begins; `spent` is in USD."""
    if verdict.threshold is not None and spent > verdict.threshold:
        return _("Over budget")
    undecided = _("No budget") if verdict.threshold is None else _("No forecast yet")
    if verdict.because:
        undecided = _("Cost incomplete")
    return {
        State.MET: _("Within budget"),
        State.NOT_MET: _("Heading over budget"),
        State.TOO_CLOSE: _("Close to budget"),
        State.NOT_ENOUGH: undecided,
    }[verdict.state]


def _ended(spent: Decimal, limit: Decimal, words: dict[str, str], unpriced: int) -> Verdict:
    if spent > limit:
        text = _("%(month)s went over its budget: %(spent)s of %(limit)s.")
        return Verdict("plan", State.NOT_MET, text % words, spent, limit)
    if unpriced:
        text = _("%(month)s cost %(spent)s of %(limit)s.") % {**words, "spent": known_part(dollars(spent), unpriced)}
        return _at_least(text, Verdict("plan", State.NOT_ENOUGH, "", spent, limit), unpriced)
    text = _("%(month)s stayed within its budget: %(spent)s of %(limit)s.")
    return Verdict("plan", State.MET, text % words, spent, limit)


def _at_least(known: str, verdict: Verdict, unpriced: int) -> Verdict:
    """The verdict where only a lower bound is within the limit; `known` is the sentence about it."""
    text = ngettext("The cost of %(n)s request is not known.", "The cost of %(n)s requests is not known.", unpriced)
    because = text % {"n": count(unpriced)}
    return replace(verdict, sentence=f"{known} {because}", because=because, needed=_("Add the missing prices."))


def _early(spent: Decimal, limit: Decimal, days: int, words: dict[str, str]) -> Verdict:
    """Too few days for a forecast; in the first days of a month one entered charge would be taken for the pace."""
    text = _("%(month)s has cost %(spent)s of %(limit)s. It is too early to forecast its end.")
    missing = max(FEWEST_DAYS - days, 1)
    needed = ngettext("It needs %(n)s more day of data.", "It needs %(n)s more days of data.", missing) % {"n": missing}
    return Verdict("plan", State.NOT_ENOUGH, text % words, spent, limit, needed=needed)
