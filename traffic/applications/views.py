"""Settings: the programs that send requests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.http import asks_for_part, form_view, get_view, post_view
from providers.audit.log import log, log_form
from providers.pricing.book import OTHER_MODEL
from traffic.answer_cache.page import cache_section
from traffic.answer_cache.services import CacheAway, purge
from traffic.applications import queries, services
from traffic.applications.forms import ApplicationForm
from traffic.applications.page import SIGNALS, ApplicationRow, application_headline, applications_headline, key_rows
from traffic.authentication.allowance import allowance_of
from traffic.caps.page import cap_rows
from traffic.caps.queries import caps_of_application
from traffic.ingest.bounds import MOST_MODELS
from traffic.ingest.dropped_signals import dropped_since
from traffic.models import Application

DAYS = 30
TRIED = 20_000  # characters of a text to try


@get_view("traffic.view_application")
def application_list(request: HttpRequest) -> HttpResponse:
    applications = queries.list_applications()
    first = timezone.now().date() - timedelta(days=DAYS - 1)
    used = queries.requests_by_application(first)
    beyond = queries.requests_by_application(first, model=OTHER_MODEL)
    rows = [
        ApplicationRow(application, used.get(application.pk, 0), beyond.get(application.pk, 0))
        for application in applications
    ]
    context = {
        "rows": rows,
        "headline": applications_headline(rows, sum(used.values()), DAYS),
        "capturing": sum(application.capture_bodies for application in applications),
        "unread": [{**row, "what": SIGNALS.get(row["signal"], row["signal"])} for row in dropped_since(first)],
        "days": DAYS,
        "most_models": MOST_MODELS,
        "other_model": OTHER_MODEL,
    }
    return render(request, "traffic/applications/applications.html", context)


@form_view("traffic.add_application")
def application_add(request: HttpRequest) -> HttpResponse:
    form = ApplicationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        application = services.add_application(form)
        log_form(request, form.instance, form, added=True)
        messages.success(request, _("%(name)s is added. It needs a key to send requests.") % {"name": application.name})
        return redirect("traffic:application", application.slug)
    return render(
        request, "traffic/applications/application_add.html", {"form": form}, status=422 if form.errors else 200
    )


@form_view("traffic.view_application")
def application_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """One application: shown to whoever may see it, changed by who may change it."""
    application = queries.get_application(slug)
    if request.method == "POST" and not request.user.has_perm("traffic.change_application"):
        return render(request, "403.html", status=403)
    form = ApplicationForm(request.POST if request.method == "POST" else None, instance=application)
    if request.method == "POST" and form.is_valid():
        services.change_application(form)
        log_form(request, form.instance, form)
        messages.success(request, _("Saved."))
        return redirect("traffic:application", slug)
    if form.errors:
        application = queries.get_application(slug)  # without what the form wrote into it
    return page(request, application, form)


@post_view("traffic.view_application")
def application_try(request: HttpRequest, slug: str) -> HttpResponse:
    """What a text would be stored as, by what is saved; the text itself is kept nowhere."""
    application = queries.get_application(slug)
    text = request.POST.get("text", "")[:TRIED]
    tried = {"text": text, "kept": application.redaction.prompt(text)}
    if asks_for_part(request):
        return render(request, "traffic/applications/_tried.html", {"tried": tried})
    return page(request, application, ApplicationForm(instance=application), tried=tried)


@post_view("traffic.change_application")
def cache_purge(request: HttpRequest, slug: str) -> HttpResponse:
    """Empty the answer cache of an application."""
    application = queries.get_application(slug)
    try:
        purge([application.pk])
    except CacheAway:
        messages.error(request, _("Valkey does not answer. The cached answers are still there."))
    else:
        log(request, application, _("Answer cache purged."))
        messages.success(request, _("The answer cache is purged."))
    return redirect("traffic:application", slug)


def page(request: HttpRequest, application: Application, form: ApplicationForm, **more: Any) -> HttpResponse:
    """The page of one application: its people, what is kept, its budget, its keys."""
    now, keys = timezone.now(), None
    if request.user.has_perm("traffic.view_key"):
        keys = key_rows(queries.keys_of(application), now)
    context = {
        "it": application, "headline": application_headline(application), "form": form, "keys": keys,
        "may_change": request.user.has_perm("traffic.change_application"),
        "caps": cap_rows(caps_of_application(application, now)),
        "allowance": allowance_of(application, now), "cache": cache_section(application, now.date()), **more,
    }  # fmt: skip
    return render(request, "traffic/applications/application.html", context, status=422 if form.errors else 200)
