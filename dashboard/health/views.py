"""Endpoints for machines: liveness, readiness, metrics."""

from __future__ import annotations

from contextlib import closing

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from dashboard.health.metrics import exposition
from dashboard.health.readiness import Readiness, readiness_answer
from lib.errors import ApiError
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
