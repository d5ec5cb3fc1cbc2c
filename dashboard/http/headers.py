"""What answers to people carry against being kept, framed or read by a wrong host; each in one place for all views."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.shortcuts import render

# Programs reach these by whatever name their network has for us: a container's, a load balancer's, an address.
MACHINES = ("/api/", "/v1/", "/ingest/", "/ping/", "/healthz", "/readyz", "/metrics")
YEAR_S = 31_536_000
LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}


class PrivateAnswersMiddleware:
    """Pages and JSON are kept by no browser and no proxy (static files are, by their names); https once is https."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        if settings.HTTPS:  # said whatever the proxy says of the connection: over http a browser does not believe it
            response.headers["Strict-Transport-Security"] = f"max-age={YEAR_S}"
        return response


class HostMiddleware:
    """Pages are for the host of BREAKEVEN_URL, for those in BREAKEVEN_ALLOWED_HOSTS, and for this machine itself.

    Where BREAKEVEN_URL is not set nobody has said how people reach us, and any name is answered.
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
    """Hosts that pages are answered at; empty for any: `more` is `*`, or neither a public URL nor a list was set."""
    if more.strip() == "*":
        return set()
    named = {host.strip().lower() for host in more.split(",") if host.strip()}
    public = urlsplit(url).hostname if url else None
    return named | LOOPBACK | ({public} if public else set()) if public or named else set()
