"""What machines ask: alive, ready, metrics."""

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
    """The process answers; nothing else is asked."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Something can be stored and the queue is reachable, else 503 with why not.

    The web process answers before a view is asked (`dashboard.front`), and keeps its connections.
    """
    with closing(Readiness()) as readiness:
        return readiness_answer(readiness.reasons())


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text; a key with the scope `read`. To a key of an application: the series of its requests."""
    try:
        caller = authenticate(request, "read")
    except ApiError as error:
        return error.response()
    return HttpResponse(exposition(caller.application_id), content_type=CONTENT_TYPE_LATEST)
