"""What the pages of unit costs say, from their figures."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.dates import from_first, too_early
from costs.units.queries import FEWEST_REQUESTS, Incidents, UnitCosts
from costs.units.users import UserUnits
from lib.formats import count, dollars, sentences, signed_percent, usd, usd4


def headline(costs: UnitCosts) -> str:
    """What a request and an accepted answer cost, and how that has moved since the month before."""
    if not costs.whole.requests:
        return _("No traffic in these days yet, so there are no unit costs.")
    text = _("A request costs <b>${request}</b> (mean of {requests})")
    if costs.whole.per_accepted is not None:
        text += _(", an accepted answer <b>${accepted}</b>")
    if costs.whole.change is not None:
        text += _(". That is {change} compared with {days}")
    answer = format_html(
        text + ".",
        request=usd4(costs.whole.per_request),
        requests=count(costs.whole.requests),
        accepted=usd4(costs.whole.per_accepted),
        change=signed_percent(costs.whole.change),
        days=from_first(costs.days.before_last),
    )
    return sentences(answer, _not_compared(costs))


def _not_compared(costs: UnitCosts) -> str:
    """Why the costs of a request are not compared as a percentage; empty where they are, or nothing was before."""
    if costs.whole.change is not None or costs.whole.per_request_before is None:
        return ""
    if costs.days.is_early:
        return too_early(costs.days)
    text = _("Fewer than %(fewest)s requests are too few to compare with %(days)s.")
    return text % {"fewest": count(FEWEST_REQUESTS), "days": from_first(costs.days.before_last)}


def incidents_headline(incidents: Incidents) -> str:
    """How often our own deployments broke, and what each time cost to put right."""
    if not incidents.count:
        return _("No incidents of self-hosted deployments")
    text = ngettext(
        "%(n)s incident of self-hosted deployments: %(each)s of upkeep",
        "%(n)s incidents of self-hosted deployments: %(each)s of upkeep each",
        incidents.count,
    )
    return text % {"n": incidents.count, "each": dollars(incidents.upkeep_each)}


def users_headline(user_costs: UserUnits) -> str:
    """How many users there are and what the dearest costs; else why none has a cost."""
    if not user_costs.requests:
        return _("No traffic in these days yet, so there are no costs of users.")
    if not user_costs.rows:
        text = ngettext(
            "The one request of these days names no user.",
            "None of the {requests} requests of these days names a user.",
            user_costs.requests,
        )
        return format_html(text, requests=count(user_costs.requests))
    text = ngettext(
        "<b>One user</b>, who costs <b>${amount}</b> in {requests} requests.",
        "<b>{users} users</b>. The most expensive costs <b>${amount}</b> in {requests} requests.",
        user_costs.users,
    )
    dearest = user_costs.rows[0]
    return format_html(
        text, users=count(user_costs.users), amount=usd(dearest.amount), requests=count(dearest.requests)
    )
