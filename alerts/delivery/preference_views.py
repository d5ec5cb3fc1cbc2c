"""How the person who is logged in wants to be told."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.delivery import queries, services
from alerts.delivery.page import PreferencesPage
from alerts.delivery.preferences import PreferenceForm
from lib.http import form_view
from providers.audit.log import log_form


@form_view()
def preferences(request: HttpRequest) -> HttpResponse:
    """One's own wishes; what waits already follows them as well."""
    person = cast(AbstractUser, request.user)
    stored = queries.preference_of(person)
    form = PreferenceForm(request.POST if request.method == "POST" else None, instance=stored)
    if request.method == "POST" and form.is_valid():
        wishes = services.save_preference(form=form, address=person.email, now=timezone.now())
        log_form(request, wishes, form)
        messages.success(request, _("Saved. It applies to the next alert and to waiting ones."))
        return redirect("alerts:preferences")
    context: dict[str, Any] = {
        "page": PreferencesPage(person.email, stored, queries.deferred_count(person.email)),
        "form": form,
        "refused": queries.refused_address(person.email),
        "may_see": person.has_perm("alerts.view_alert"),
    }
    return render(request, "alerts/delivery/preferences.html", context, status=422 if form.errors else 200)
