"""How the person who is logged in wants to be told."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from alerts.delivery import grouping
from alerts.delivery.preferences import PreferenceForm
from alerts.models import Address, Delivery, Preference
from providers.audit.log import log_form


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest) -> HttpResponse:
    """One's own wishes; what waits already follows them as well."""
    person = cast(AbstractUser, request.user)
    found = Preference.objects.filter(person=person.pk).first() or Preference(person=person)  # type: ignore[misc]  # the user model is a setting
    form = PreferenceForm(request.POST if request.method == "POST" else None, instance=found)
    if request.method == "POST" and form.is_valid():
        wishes = form.save()
        log_form(request, wishes, form)
        if person.email:
            grouping.reschedule(person.email, wishes, timezone.now())
        messages.success(request, _("Saved: it holds for the next alert, and for what waits."))
        return redirect("alerts:preferences")
    context: dict[str, Any] = {
        "form": form,
        "wishes": found,
        "email": person.email,
        "waiting": Delivery.objects.held_for(person.email).count() if person.email else 0,
        "refused": Address.objects.filter(address__iexact=person.email, disabled_at__isnull=False).first(),
        "may_see": person.has_perm("alerts.view_alert"),
    }
    return render(request, "alerts/delivery/preferences.html", context, status=422 if form.errors else 200)
