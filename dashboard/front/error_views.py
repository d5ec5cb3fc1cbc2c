"""What a view never saw: no such address, a request that Django refuses, a fault of ours."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard.front import refusals
from lib.errors import ApiError

MACHINES = ("/api/", "/v1/", "/ingest/")  # their errors have the API's shape, whatever made them


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """No such address, in the shape that the caller reads."""
    if request.path.startswith(MACHINES):
        return ApiError(404, "There is nothing at this address; see /api/v1/openapi.json.").response()
    return render(request, "404.html", status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django refuses before a view is asked: a host that is no name, a form of too many fields.

    Django's own handler looks for a CSRF token and so reads the body, which may be what is wrong.
    """
    error = ApiError(400, "This request is not understood: its host or its form is not what it should be.")
    return error.response() if request.path.startswith(MACHINES) else refusals.as_page(error)


def server_error(request: HttpRequest) -> HttpResponse:
    """A fault of ours, in the shape that the caller reads."""
    if request.path.startswith(MACHINES):
        return ApiError(500, "The fault is ours, and it is in the log.").response()
    return render(request, "500.html", status=500)
