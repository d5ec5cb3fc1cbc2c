"""Times of pages in the zone that the person who is signed in chose: the one of their mails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

FOR_ALL = ("/api/", "/v1/", "/ingest/", "/metrics", "/healthz", "/readyz", "/status/")  # UTC: the same for every reader


class ReaderZoneMiddleware:
    """Activates the zone of the person's preferences while a page is made, and names it in `request.reader_zone`.

    Whoever has no preferences gets UTC and an empty name: app.js shows the browser's zone then. Files are UTC.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = ""
        if not request.path.startswith(FOR_ALL) and request.GET.get("as") != "csv":
            name = preferred(request)
            request.chooses_zone = request.user.is_authenticated  # type: ignore[attr-defined]  # for the footer
        request.reader_zone = name  # type: ignore[attr-defined]  # for the footer, and for keys of caches
        with timezone.override(zone_of(name)):
            return self.get_response(request)


def preferred(request: HttpRequest) -> str:
    """The zone that the person chose; `PasswordBackend.get_user` has read it along, so this is no statement."""
    zone: str = getattr(request.user, "reader_zone", "")
    return zone


def zone_of(name: str) -> tzinfo:
    """The zone of a name; UTC for an empty one, and for one that this system no longer knows."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
