"""Headers and checks of answers to people for all views: no caching, https only, known hosts only."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.shortcuts import render

# Programs may use any name of their network for these paths: a container's, a load balancer's, an IP address.
MACHINES = ("/api/", "/v1/", "/ingest/", "/ping/", "/healthz", "/readyz", "/metrics")
YEAR_S = 31_536_000
LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}


class PrivateAnswersMiddleware:
    """Forbids browsers and proxies to store pages and JSON (static files may be stored), and sends HSTS with https."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        if settings.HTTPS:  # on every answer, as browsers ignore the header over http
            response.headers["Strict-Transport-Security"] = f"max-age={YEAR_S}"
        return response


class HostMiddleware:
    """Serves pages only for the host of BREAKEVEN_URL, for those in BREAKEVEN_ALLOWED_HOSTS and for loopback names.

    Without BREAKEVEN_URL and a list of hosts we do not know our names, so pages are served for any.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(MACHINES) and not allowed(request.META.get("HTTP_HOST", "")):
            return render(request, "404.html", {"status": 400}, status=400)
        return self.get_response(request)


def allowed(header: str) -> bool:
    hosts: set[str] = settings.PAGE_HOSTS
    return not hosts or not header or split_domain_port(header)[0] in hosts


def page_hosts(url: str, more: str) -> set[str]:
    """Hosts for which pages are served; empty means any: `more` is `*`, or neither `url` nor `more` is set."""
    if more.strip() == "*":
        return set()
    named = {host.strip().lower() for host in more.split(",") if host.strip()}
    public = urlsplit(url).hostname if url else None
    return named | LOOPBACK | ({public} if public else set()) if public or named else set()
