"""While Postgres does not answer, requests get 503 with Retry-After, which exporters retry; they do not retry a 500."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from traffic.ingest.context import AWAY
from traffic.ingest.statement_timeout import INTAKE_S, PAGE_S, set_timeout
from traffic.ingest.store_status import send_again

RETRY_AFTER_S = 2
# Where programs send what must not be lost, and wait for few seconds.
INTAKE = ("/v1/", "/ingest/", "/api/public/", "/api/v1/requests", "/api/v1/feedback")


class DatabaseAwayMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with set_timeout(INTAKE_S if request.path.startswith(INTAKE) else PAGE_S):
            return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return away(request, error) if isinstance(error, AWAY) else None


def away(request: HttpRequest, error: Exception) -> HttpResponse:
    """503 in the shape the caller reads: a page for browsers, the API's error shape for programs."""
    if "text/html" in request.headers.get("Accept", ""):
        # Rendered without the request, whose context would query the database for the user.
        response = HttpResponse(render_to_string("503.html"), status=503)
    else:
        response = JsonResponse({"detail": send_again(error), "errors": []}, status=503)
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response


def first_line(error: Exception) -> str:
    """The first line of an error's text; the name of its class if it has none."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
