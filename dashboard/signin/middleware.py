"""Middleware: asks for the password again where that is required, and writes refusals to the audit log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from dashboard.access import ACCESS
from dashboard.http.database_away import away
from dashboard.signin.sessions import confirmed
from lib.client_address import client_address
from providers.audit.counts import Kind, counts
from providers.audit.log import Action, Actor, ActorKind, person, record, stranger
from traffic.ingest.context import AWAY


class ConfirmMiddleware:
    """Asks for the password before keys, roles and people are changed; see `confirm` in the access table."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        access = ACCESS.get(request.resolver_match.view_name) if request.resolver_match else None
        if access is None or not access.confirm:
            return None
        try:
            if not request.user.is_authenticated or confirmed(request):
                return None
        except AWAY as error:
            return away(request, error)
        if request.method in ("GET", "HEAD") and access.confirm != "all":
            return None
        back = request.get_full_path() if request.method in ("GET", "HEAD") else page_of(request)
        return HttpResponseRedirect(f"{reverse('confirm')}?{urlencode({'next': back})}")


def page_of(request: HttpRequest) -> str:
    """The page with the form of a POST, by the Referer header; the settings without one."""
    parts = urlsplit(request.headers.get("Referer", ""))
    return parts.path if parts.netloc == request.get_host() and parts.path else reverse("settings")


class EventsMiddleware:
    """Writes refusals (401 and 403) and downloads of every view to the audit log."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        try:
            tell(request, response)
        except AWAY as error:
            return away(request, error)
        return response


def tell(request: HttpRequest, response: HttpResponse) -> None:
    """Count a refusal, or record a download before it is sent."""
    if response.status_code in (401, 403):
        text = f"{request.method} {request.path[:200]}: {response.status_code}"
        counts.add(Kind(Action.REFUSED, actor_of(request), object_name=name_of(request)), text)
    elif response.status_code == 200 and response.get("Content-Disposition", "").startswith("attachment"):
        address = request.get_full_path()[:500]
        record(
            Action.EXPORT, actor=actor_of(request), object_type="file", object_name=name_of(request), message=address
        )


def name_of(request: HttpRequest) -> str:
    return request.resolver_match.view_name if request.resolver_match else ""


def actor_of(request: HttpRequest) -> Actor:
    """The key, the person or a stranger; a session is read only if the request has a session cookie."""
    caller = getattr(request, "shown_key", None)
    if caller is not None:
        return Actor(ActorKind.KEY, caller.name, caller.key_id, client_address(request))
    return person(request) if settings.SESSION_COOKIE_NAME in request.COOKIES else stranger(request)
