"""The settings pages of people and their roles."""

from __future__ import annotations

from collections import Counter
from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache

from alerts.mail.server import has_mail_server
from dashboard.people import page, queries, services
from dashboard.people.forms import NO_ADMIN_ANY_MORE, ROLE_LABELS, PersonForm, role_of
from dashboard.signin import links, sessions
from dashboard.signin.browsers import browser_of
from dashboard.signin.tasks import mail_link
from lib.http import form_view, get_view, post_view
from providers.audit.log import Action, log, log_form, record
from providers.audit.log import person as audit_person
from traffic.applications.page import KeyRow
from traffic.authentication.keys import callers


@get_view("auth.view_user")
def people(request: HttpRequest) -> HttpResponse:
    everyone = queries.people()
    makers = queries.makers_of_keys_for_all()
    rows = [{"it": person, "role": role_of(person), "keys": person.pk in makers} for person in everyone]
    active = [row for row in rows if row["it"].is_active]  # type: ignore[attr-defined]  # a row's `it` is a User
    by_role = Counter(str(row["role"]) for row in active)
    context = {
        "rows": rows,
        "answer": page.people_headline(by_role),
        "roles": [{"name": role, "about": about, "people": by_role[role]} for role, about in ROLE_LABELS.items()],
        "without_mail": sum(not row["it"].email for row in active),  # type: ignore[attr-defined]  # as above
    }
    return render(request, "dashboard/people/people.html", context)


@form_view("auth.add_user")
def person_add(request: HttpRequest) -> HttpResponse:
    form = PersonForm(request.POST if request.method == "POST" else None, by=me(request))
    if request.method == "POST" and form.is_valid():
        person = services.save_person(form=form)
        log_form(request, person, form, added=True)
        return show_link(request, person)
    context = {
        "form": form,
        "answer": _("A person needs a name, an e-mail address and one role."),
        "form_heading": _("New user"),
    }
    return render(request, "dashboard/people/person.html", context, status=422 if form.errors else 200)


@form_view("auth.change_user")
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """One person: name, e-mail, role, sessions, and a link for a new password."""
    user = queries.person_by_key(pk)
    form = PersonForm(request.POST if request.method == "POST" else None, instance=user, by=me(request))
    if request.method == "POST" and services.save_if_valid(
        form=form, record=lambda saved: log_form(request, saved, form)
    ):
        messages.success(request, _("Saved: %(name)s.") % {"name": user.get_username()})
        return redirect("people")
    keys = queries.keys_made_by(user)
    rows = sessions.sessions_of(pk)
    context = {
        "it": user,
        "answer": page.person_headline(user),
        "form_heading": _("Your own role") if user.pk == request.user.pk else _("Role and address"),
        "form": form,
        "self": user.pk == request.user.pk,
        "keys": [KeyRow(key, timezone.now()) for key in keys],
        "keys_for_all": [key for key in keys if key.application is None],
        "all": True,
        "sessions": [(row, browser_of(row.agent)) for row in rows],
    }
    return render(request, "dashboard/people/person.html", context, status=422 if form.errors else 200)


@post_view("auth.change_user")
def person_switch(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a person in or lock them out, as the form says; sending it twice changes nothing. Nobody can lock themselves
    out. With `keys=revoke` the keys that they made for the whole installation are revoked too.
    """
    user = queries.person_by_key(pk)
    active = request.POST.get("active") == "1"
    if user.pk == request.user.pk and not active:
        messages.warning(request, _("Nothing was changed: you cannot deactivate yourself."))
        return redirect("people")
    done = _("Reactivated.") if active else _("Deactivated.")
    if not services.switch(person=user, active=active, by=me(request), record=lambda: log(request, user, done)):
        messages.warning(request, NO_ADMIN_ANY_MORE)
        return redirect("people")
    if not active and request.POST.get("keys") == "revoke":
        revoke_keys_for_all(request, user)
    callers.clear()
    text = (
        _("%(name)s is reactivated and can sign in.")
        if active
        else _("%(name)s is deactivated. Open sessions have ended.")
    )
    messages.success(request, text % {"name": user.get_username()})
    return redirect("people")


def revoke_keys_for_all(request: HttpRequest, maker: User) -> None:
    for key in services.revoke_keys_for_all(maker=maker, now=timezone.now()):
        log(request, key, _("Revoked."))


@post_view("auth.change_user")
@never_cache
def person_link(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a one-time link with which a person sets a new password; the present one is valid until then."""
    person = queries.active_person_by_key(pk)
    log(request, person, _("One-time link for a new password."))
    return show_link(request, person)


def show_link(request: HttpRequest, person: User) -> HttpResponse:
    """The page that shows a link once: anybody who opens the link can set the password."""
    mailed = False
    if has_mail_server():
        mail_link.delay(person.email)
        mailed = True
    days = settings.PASSWORD_RESET_TIMEOUT // 86_400
    context = {"it": person, "link": links.link(person), "days": days, "mailed": mailed}
    return render(request, "dashboard/people/person_link.html", context)


@post_view("auth.change_user")
def person_sessions(request: HttpRequest, pk: int) -> HttpResponse:
    """End every session of a person, except the one that asks for it."""
    person = queries.person_by_key(pk)
    ended = sessions.end(pk, but=request.session.session_key or "")
    if ended:
        record(Action.SESSION, actor=audit_person(request), thing=person, message=_("%(n)s of theirs") % {"n": ended})
    messages.success(request, ngettext("%(n)s session has ended.", "%(n)s sessions have ended.", ended) % {"n": ended})
    return redirect("person", pk)


def me(request: HttpRequest) -> User:
    """The signed-in person; all views that use it require a login."""
    return cast(User, request.user)
