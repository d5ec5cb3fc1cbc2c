"""The content-security-policy header, and refusals that are the same for all views."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from dashboard.http.database_away import INTAKE
from lib.errors import ApiError


def policy() -> str:
    return "; ".join(f"{directive} {' '.join(sources)}" for directive, sources in settings.SECURE_CSP.items())


class ContentSecurityPolicyMiddleware:
    """Sets the header on Django 5.2; Django 6 has a middleware for the same setting."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.policy = policy()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        return response


class RefusalMiddleware:
    """Answers 400 to a NUL in an address, as Postgres cannot store it; gives a 405 the API's shape for programs."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        api = request.path.startswith("/api/")
        if not api and ("%00" in request.META.get("QUERY_STRING", "") or "\0" in request.path):
            return render(request, "404.html", {"status": 400}, status=400)
        response = self.get_response(request)
        if response.status_code == 405 and (api or request.path.startswith(INTAKE)):
            allowed = response.get("Allow", "")
            refused = ApiError(405, f"{request.method} is not understood here, but {allowed}.").response()
            refused["Allow"] = allowed
            return refused
        return response


class ExploreMiddleware:
    """Answers `?explore=ID` of any page with that chart's figure alone, and 404 where the page has no such chart.

    The page is rendered as ever, so that whoever may not see it gets no figure of it; the chart's tag leaves the figure
    on the request.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.method != "GET" or response.status_code != 200 or not request.GET.get("explore"):
            return response
        figure = getattr(request, "explored", None)
        return HttpResponse(figure) if figure else HttpResponse(_("This page has no such chart."), status=404)
