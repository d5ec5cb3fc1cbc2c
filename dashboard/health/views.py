"""Endpoints for machines (liveness, readiness, metrics), and the page Health for people."""

from __future__ import annotations

from contextlib import closing

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from dashboard.health.metrics import exposition
from dashboard.health.page import health_page
from dashboard.health.readiness import Readiness, readiness_answer
from lib.errors import ApiError
from lib.http import get_view
from traffic.authentication.access import authenticate


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 whenever the process answers; nothing else is checked."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 if data can be stored and the queue is reachable, else 503 with the reasons.

    In the web process `dashboard.front` answers before this view, because it keeps its connections open.
    """
    with closing(Readiness()) as readiness:
        return readiness_answer(readiness.reasons())


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Metrics in Prometheus' text format for a key with the scope `read`; an application's key gets its own series."""
    try:
        caller = authenticate(request, "read")
    except ApiError as error:
        return error.response()
    return HttpResponse(exposition(caller.application_id), content_type=CONTENT_TYPE_LATEST)


@get_view("providers.view_account")
def health(request: HttpRequest) -> HttpResponse:
    """The parts of the installation and the feeds of its vendors."""
    now = timezone.now()
    return render(request, "dashboard/health/health.html", {"page": health_page(now), "now": now})
