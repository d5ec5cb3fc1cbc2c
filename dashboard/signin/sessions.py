"""Sessions in a table of our own, so that people see theirs and end one; and how long a session lasts."""

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

STEP_S = 60  # how exactly "last seen" is known: each step is one write
# Elements that ask for themselves anew every few seconds (`data-poll` in the templates).
POLLS = {"accounts", "feeds", "heartbeats", "live", "overview", "progress"}
CONFIRM_S = 15 * 60  # how long a password that was asked again counts


def begin(sender: object, request: HttpRequest, **kwargs: Any) -> None:
    """A sign-in: the limits of its session count from now, and its password was typed just now."""
    now = timezone.now().timestamp()
    request.session[BEGAN] = request.session[SEEN] = request.session[CONFIRMED] = now
    request.session[ADDRESS] = client_address(request)
    request.session[AGENT] = request.META.get("HTTP_USER_AGENT", "").replace("\0", "")[:200]


user_logged_in.connect(begin, dispatch_uid="dashboard.signin.begin")


class SessionLimitsMiddleware:
    """Ends a session that lies idle or is too old; notes when and from where it was seen last."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            # Whoever has no cookie has no session, and nothing is read for them.
            if settings.SESSION_COOKIE_NAME in request.COOKIES and "_auth_user_id" in request.session:
                look_at(request, timezone.now().timestamp())
        except AWAY as error:
            return away(request, error)
        return self.get_response(request)


def look_at(request: HttpRequest, now: float) -> None:
    """End the session where it is over, else note that it is used."""
    if over(request, now):
        logout(request)
    elif now - request.session.get(SEEN, 0) >= STEP_S and not asked_by_itself(request):
        request.session[SEEN] = now
        request.session[ADDRESS] = client_address(request)


def over(request: HttpRequest, now: float) -> bool:
    """Whether a session has come to its end; one without a beginning is of an older version, and over."""
    idle = now - request.session.get(SEEN, 0)
    age = now - request.session.get(BEGAN, 0)
    return bool(idle > settings.SESSION_IDLE_S or age > settings.SESSION_COOKIE_AGE)


def asked_by_itself(request: HttpRequest) -> bool:
    """A page that renews itself is no sign that anybody sits before it."""
    return request.method == "GET" and request.headers.get("HX-Trigger", "") in POLLS


def confirmed(request: HttpRequest) -> bool:
    """Whether the password was typed in this session a short while ago."""
    return bool(timezone.now().timestamp() - request.session.get(CONFIRMED, 0) < CONFIRM_S)


def confirm(request: HttpRequest) -> None:
    request.session[CONFIRMED] = timezone.now().timestamp()


def sessions_of(user_id: int) -> list[Session]:
    """A person's sessions that could still be used, the latest first."""
    now = timezone.now()
    idle = now - timedelta(seconds=settings.SESSION_IDLE_S)
    return list(Session.objects.filter(user_id=user_id, expire_date__gt=now, seen_at__gt=idle).order_by("-seen_at"))


def end(user_id: int, *, but: str = "", only: str = "") -> int:
    """End a person's sessions: all, all but one, or one; returns how many. Keys are the sessions' own, or `mark`s."""
    rows = Session.objects.filter(user_id=user_id).exclude(session_key=but)
    keys = [row.session_key for row in rows if not only or mark(row) == only]
    return Session.objects.filter(session_key__in=keys).delete()[0]


def mark(session: Session) -> str:
    """A name of a session that opens nothing: its key would, and belongs on no page."""
    return sha256(f"session {session.session_key}".encode()).hexdigest()[:24]
