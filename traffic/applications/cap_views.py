"""Caps: hard limits of keys and applications, and what holds for all of them."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.http import form_data, form_view, post_view
from providers.audit.log import log, log_form
from traffic.applications.queries import get_application, get_key
from traffic.authentication.keys import FOR_ALL
from traffic.caps import queries, services
from traffic.caps.forms import ApplicationCapForm, CapForm, CapSettingsForm
from traffic.caps.page import cap_rows, cap_words, caps_headline
from traffic.models import Application, Key


@form_view("traffic.change_key")
def caps(request: HttpRequest) -> HttpResponse:
    """All caps with their use now, and the settings that hold for each."""
    installation = queries.installation()
    stored = {"zone": installation.cap_zone, "refuse": installation.caps_refuse}
    form = CapSettingsForm(form_data(request), initial=stored)
    if request.method == "POST" and form.is_valid():
        services.change_settings(installation, **form.cleaned_data)
        log_form(request, installation, form)
        messages.success(request, _("Saved. The gateways follow within a second."))
        return redirect("traffic:caps")
    rows = cap_rows(queries.all_caps(timezone.now()))
    context = {"rows": rows, "headline": caps_headline(rows), "form": form}
    return render(request, "traffic/caps/caps.html", context, status=422 if form.errors else 200)


@form_view("traffic.change_key")
def key_cap_add(request: HttpRequest, pk: int) -> HttpResponse:
    key = get_key(pk)
    if key.application_id is None and not request.user.has_perm(FOR_ALL):
        raise PermissionDenied(_("Only an admin makes or changes keys for the whole installation."))
    return add(request, key, CapForm(form_data(request)), "traffic:key", pk)


@form_view("traffic.change_application")
def application_cap_add(request: HttpRequest, slug: str) -> HttpResponse:
    application = get_application(slug)
    return add(request, application, ApplicationCapForm(form_data(request)), "traffic:application", slug)


def add(request: HttpRequest, owner: Key | Application, form: CapForm, back: str, argument: object) -> HttpResponse:
    """Set a cap, in place of the one that counts the same."""
    if request.method == "POST" and form.is_valid():
        cap, made = services.set_cap(owner, **form.cleaned_data)
        sentence = _("Cap set: %(cap)s.") if made else _("Cap changed: %(cap)s.")
        log(request, owner, sentence % {"cap": cap_words(cap)})
        messages.success(request, _("Saved. The gateways follow within a second."))
        return redirect(back, argument)
    context = {"form": form, "owner": owner.name, "back": back, "argument": argument}
    return render(request, "traffic/caps/cap_add.html", context, status=422 if form.errors else 200)


@post_view("traffic.change_key")
def cap_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a cap; what was counted for it goes too."""
    cap = queries.get_cap(pk)
    owner = cap.application or cap.key
    assert owner is not None
    if isinstance(owner, Key) and owner.application_id is None and not request.user.has_perm(FOR_ALL):
        raise PermissionDenied(_("Only an admin makes or changes keys for the whole installation."))
    log(request, owner, _("Cap deleted: %(cap)s.") % {"cap": cap_words(cap)})
    services.delete_cap(cap)
    messages.success(request, _("The cap is deleted. The gateways follow within a second."))
    return (
        redirect("traffic:application", owner.slug)
        if isinstance(owner, Application)
        else redirect("traffic:key", owner.pk)
    )
