"""Sessions in a table of our own, so that people can see and end theirs; and the limits of a session."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from dashboard.http.database_away import away
from dashboard.models import ADDRESS, AGENT, BEGAN, CONFIRMED, SEEN, Session
from dashboard.models import SessionStore as SessionStore  # the setting SESSION_ENGINE names this module
from lib.client_address import client_address
from traffic.ingest.context import AWAY

STEP_S = 60  # least seconds between two updates of "last seen", as each is a write
# Elements that reload themselves every few seconds (`data-poll` in the templates).
POLLS = {"accounts", "feeds", "heartbeats", "live", "overview", "progress"}
CONFIRM_S = 15 * 60  # seconds for which a password that was asked again counts


def begin(sender: object, request: HttpRequest, **kwargs: Any) -> None:
    """Start the limits of a new session; its password counts as asked just now."""
    now = timezone.now().timestamp()
    request.session[BEGAN] = request.session[SEEN] = request.session[CONFIRMED] = now
    request.session[ADDRESS] = client_address(request)
    request.session[AGENT] = request.META.get("HTTP_USER_AGENT", "").replace("\0", "")[:200]


user_logged_in.connect(begin, dispatch_uid="dashboard.signin.begin")


class SessionLimitsMiddleware:
    """Ends a session that is idle or too old; records when and from which address it was last used."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            # Without the cookie there is no session, so the database is not asked.
            if settings.SESSION_COOKIE_NAME in request.COOKIES and "_auth_user_id" in request.session:
                look_at(request, timezone.now().timestamp())
        except AWAY as error:
            return away(request, error)
        return self.get_response(request)


def look_at(request: HttpRequest, now: float) -> None:
    """End the session if it is past a limit, else record its use."""
    if over(request, now):
        logout(request)
    elif now - request.session.get(SEEN, 0) >= STEP_S and not asked_by_itself(request):
        request.session[SEEN] = now
        request.session[ADDRESS] = client_address(request)


def over(request: HttpRequest, now: float) -> bool:
    """Whether a session is past a limit; so is one of an older version, which has no beginning."""
    idle = now - request.session.get(SEEN, 0)
    age = now - request.session.get(BEGAN, 0)
    return bool(idle > settings.SESSION_IDLE_S or age > settings.SESSION_COOKIE_AGE)


def asked_by_itself(request: HttpRequest) -> bool:
    """Whether a page reloaded itself, which does not mean that a person uses it."""
    return request.method == "GET" and request.headers.get("HX-Trigger", "") in POLLS


def confirmed(request: HttpRequest) -> bool:
    """Whether the password was typed in this session within `CONFIRM_S`."""
    return bool(timezone.now().timestamp() - request.session.get(CONFIRMED, 0) < CONFIRM_S)


def confirm(request: HttpRequest) -> None:
    request.session[CONFIRMED] = timezone.now().timestamp()


def sessions_of(user_id: int) -> list[Session]:
    """A person's sessions that are still valid, the last used first."""
    now = timezone.now()
    idle = now - timedelta(seconds=settings.SESSION_IDLE_S)
    return list(Session.objects.filter(user_id=user_id, expire_date__gt=now, seen_at__gt=idle).order_by("-seen_at"))


def end(user_id: int, *, but: str = "", only: str = "") -> int:
    """End a person's sessions; returns how many. `but`: key of one that stays, `only`: `mark` of the one that ends."""
    rows = Session.objects.filter(user_id=user_id).exclude(session_key=but)
    keys = [row.session_key for row in rows if not only or mark(row) == only]
    return Session.objects.filter(session_key__in=keys).delete()[0]


def mark(session: Session) -> str:
    """A name of a session for pages. Its key must not be on a page, because it gives access to the session."""
    return sha256(f"session {session.session_key}".encode()).hexdigest()[:24]
