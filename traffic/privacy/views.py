"""Settings: deleting what is kept of an application or of a user, on request."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from lib.http import asks_for_part, form_view, get_view
from providers.audit.log import log
from traffic.applications.queries import get_application
from traffic.models import Application
from traffic.privacy import erasure as erase
from traffic.privacy import page


@form_view("traffic.delete_application")
@never_cache
def erasure_list(request: HttpRequest) -> HttpResponse:
    """What was deleted; and a user's data: counted first, deleted when that is confirmed. The name is kept nowhere."""
    rows, error = erase.latest_erasures(), ""
    counts: dict[str, int] | None = None
    user: uuid.UUID | None = None
    if request.method == "POST":
        name = request.POST.get("user", "").strip()
        if name:
            user = erase.hash_of_user(name)
            if request.POST.get("confirm") == str(user):
                return begin(request, user=user)
            counts = erase.counts(user=user)
        else:
            error = _("Enter the user’s name in the application, or the hash shown with a request.")
    context = {
        "rows": rows,
        "question": page.erasures_question(counts),
        "headline": page.erasures_headline(counts, rows),
        "what_there_is": "" if counts is None else page.what_there_is(counts),
        "user_hash": user,
        "error": error,
    }
    return render(request, "traffic/privacy/erasures.html", context, status=422 if error else 200)


@form_view("traffic.delete_application")
def application_erase(request: HttpRequest, slug: str) -> HttpResponse:
    """What there is of an application, and its short name to type where it shall go."""
    application = get_application(slug)
    wrong = request.method == "POST" and request.POST.get("confirm", "").strip() != slug
    if request.method == "POST" and not wrong:
        return begin(request, application=application)
    context = {"it": application, "counts": erase.counts(application=application), "wrong": wrong}
    return render(request, "traffic/privacy/application_erase.html", context, status=422 if wrong else 200)


def begin(
    request: HttpRequest, *, application: Application | None = None, user: uuid.UUID | None = None
) -> HttpResponse:
    erasure = erase.ask(application=application, user=user, by=request.user)
    log(request, erasure, _("Deletion started."), added=True)
    messages.success(request, _("The deletion has started. Nothing new is kept from now on."))
    return redirect("traffic:erasure", erasure.pk)


@get_view("traffic.delete_application")
def erasure_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """How far it is; htmx asks for the progress alone."""
    erasure = erase.get_erasure(pk)
    polled = asks_for_part(request, "progress")
    template = "traffic/privacy/_erasure_progress.html" if polled else "traffic/privacy/erasure.html"
    context = {"it": erasure, "headline": page.headline(erasure), "how_far": page.how_far(erasure)}
    return render(request, template, context | {"polled": polled})
