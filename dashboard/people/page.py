"""Headlines of the pages of people and roles."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib.auth.models import Group, User
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.people.forms import ROLE_LABELS
from lib.formats import ago, sentences


def people_headline(by_role: Mapping[str, int]) -> SafeString:
    """How many people can sign in, by role; `by_role` counts those without a role under ""."""
    number = sum(by_role.values())
    text = ngettext("<b>One person</b> can sign in", "<b>{n} people</b> can sign in", number)
    roles = ", ".join(f"{by_role[role]} {role}" for role in ROLE_LABELS if by_role.get(role))
    without = _(", %(n)s without a role") % {"n": by_role[""]} if by_role.get("") else ""
    return format_html("{}{}{}{}.", format_html(text, n=number), ": " if roles else "", roles, without)


def person_headline(person: User) -> SafeString:
    """Whether a person may sign in, and when they last did."""
    text = _("<b>{name}</b> is active and has never signed in.")
    if not person.is_active:
        text = _("<b>{name}</b> is deactivated and cannot sign in.")
    elif person.last_login:
        text = _("<b>{name}</b> is active and last signed in {ago}.")
    return format_html(text, name=person.get_username(), ago=ago(person.last_login))


def lost_headline(group: Group, people: int, rights: int, *, nothing_left: bool) -> SafeString:
    """How many rights a role would lose, and how many people have it."""
    text = ngettext("<b>{role}</b> would lose <b>{n} right</b>.", "<b>{role}</b> would lose <b>{n} rights</b>.", rights)
    if nothing_left:
        text = _("<b>{role}</b> would lose every right.")
    concerned = ngettext("{n} person has this role.", "{n} people have this role.", people)
    return sentences(format_html(text, role=group.name, n=rights), format_html(concerned, n=people))
