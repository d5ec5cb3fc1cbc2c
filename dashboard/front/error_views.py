"""Answers to requests that no view answered: unknown address, a request that Django refuses, an error of ours."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard.front import refusals
from lib.errors import ApiError

MACHINES = ("/api/", "/v1/", "/ingest/")  # all errors under these paths have the shape of the API


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404 as JSON to a program, as a page to a browser."""
    if request.path.startswith(MACHINES):
        return ApiError(404, "There is nothing at this address. All addresses are in /api/v1/openapi.json.").response()
    return render(request, "404.html", status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400 for what Django refuses before a view: an invalid host name, a form with too many fields.

    Replaces Django's handler, which reads the body for a CSRF token, and the body may be what is wrong.
    """
    error = ApiError(400, "This request is not understood: its host or its form is not what it should be.")
    return error.response() if request.path.startswith(MACHINES) else refusals.as_page(error)


def server_error(request: HttpRequest) -> HttpResponse:
    """500 as JSON to a program, as a page to a browser."""
    if request.path.startswith(MACHINES):
        return ApiError(500, "The fault is ours, and it is in the log.").response()
    return render(request, "500.html", status=500)
