"""What the pages of routes say. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from traffic.models import BudgetState, Route, Task


def conditions(route: Route) -> list[str]:
    """What must hold, one sentence part each; a rule without any holds for every request."""
    labels = {value: str(label) for value, label in Task.choices}
    states = {value: str(label) for value, label in BudgetState.choices}
    applications = [application.name for application in route.applications.all()]
    sentences = [
        (route.tasks, _("its task is %(x)s"), _or(labels.get(task, task) for task in route.tasks)),
        (applications, _("it is sent by %(x)s"), _or(applications)),
        (route.requested_models, _("it asks for %(x)s"), _or(route.requested_models)),
        (route.over_tokens or route.over_context, "%(x)s", _length(route)),
        (route.media is True, _("it carries images, documents, sound or video"), ""),
        (route.media is False, _("it is text alone"), ""),
        (route.private is True, _("it is marked private"), ""),
        (route.private is False, _("it is not marked private"), ""),
        (route.self_only_model, _("it asks for a model that only we serve"), ""),
        (route.percent is not None, _("it is of %(x)s %% of conversations"), route.percent),
        (route.budget_states, _("its application’s budget: %(x)s"), _or(states.get(s, s) for s in route.budget_states)),
    ]
    return [text % {"x": value} if "%" in text else text for holds, text, value in sentences if holds]


def headline(route: Route) -> SafeString:
    """For which requests a rule holds."""
    parts = conditions(route)
    if not parts:
        return format_html(_("<b>{name}</b> holds for every request that comes this far."), name=route.name)
    text = _("<b>{name}</b> holds for a request when {conditions}.")
    return format_html(text, name=route.name, conditions=_(" and ").join(parts))


def routes_headline(routes: Sequence[Route]) -> str:
    """How many rules are in use."""
    enabled = sum(route.enabled for route in routes)
    if not enabled:
        return _("No rule is in use, so the gateway can send no request anywhere.")
    text = ngettext(
        "<b>{n}</b> of {all} rules is in use; the first that matches decides.",
        "<b>{n}</b> of {all} rules are in use; the first that matches decides.",
        enabled,
    )
    return format_html(text, n=enabled, all=len(routes))


def _or(words: Iterable[str]) -> str:
    return str(_(" or ")).join(words)


def _length(route: Route) -> str:
    """Either limit of the prompt's length is enough."""
    tokens = f"{route.over_tokens or 0:,}"
    if not route.over_context:
        return _("it is longer than %(n)s tokens") % {"n": tokens}
    if not route.over_tokens:
        return _("it is longer than what our own machines take")
    return _("it is longer than %(n)s tokens or than what our own machines take") % {"n": tokens}
