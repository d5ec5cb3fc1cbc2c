"""What machines ask: alive, ready, metrics."""

from __future__ import annotations

import redis
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from dashboard.metrics import exposition
from providers.rest.errors import ApiError
from traffic.access import authenticate
from traffic.services import AWAY


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers; nothing else is asked."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Database and queue are reachable, else 503 with what is not."""
    reasons = [reason for reason in (database_reason(), queue_reason()) if reason]
    answer = {"status": "unavailable", "reasons": reasons} if reasons else {"status": "ok"}
    return JsonResponse(answer, status=503 if reasons else 200)


def database_reason() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except AWAY as error:
        return f"The database does not answer: {str(error).splitlines()[0]}"
    return ""


def queue_reason() -> str:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    try:
        client.ping()
    except redis.RedisError as error:
        return f"The queue does not answer: {error}"
    finally:
        client.close()
    return ""


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text; a key with the scope `read`."""
    try:
        authenticate(request, "read")
    except ApiError as error:
        return error.response()
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)
