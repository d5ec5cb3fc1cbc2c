"""The only place that checks a password: it counts attempts, limits hashing, and writes failures to the audit log."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, HttpResponse

from dashboard.signin import throttle
from dashboard.signin.hashing import Busy, slots
from lib import sql
from lib.client_address import client_address
from providers.audit.counts import Kind, counts
from providers.audit.log import Action, stranger

DEVICE_DAYS = 90
SALT = "breakeven.device"


PERSON = sql.Table(User, "person")
OF_SESSION = f"""
SELECT {PERSON}, coalesce(wishes.timezone, ''), ARRAY(
    SELECT name::text FROM auth_group JOIN auth_user_groups AS member ON member.group_id = auth_group.id
    WHERE member.user_id = person.id ORDER BY auth_group.name
)
FROM auth_user AS person LEFT JOIN alerts_preference AS wishes ON wishes.person_id = person.id WHERE person.id = %s
"""


class PasswordBackend(ModelBackend):
    """Django's backend with a back-off and a limit on simultaneous hashes. Raises Throttled and Busy."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> Any:
        if username is None or password is None:
            return None
        address = client_address(request) if request is not None else ""
        counted = throttle.buckets(username, address, device_of(request, username))
        try:
            throttle.begin(counted)
        except throttle.Throttled:
            tell_failure(request, username, "in its back-off")
            raise
        try:
            with slots.one():
                user = super().authenticate(request, username=username, password=password, **kwargs)
        except Busy:
            throttle.take_back(counted)
            raise
        if user is None:
            tell_failure(request, username)
        else:
            throttle.succeed(counted)
        return user

    def get_user(self, user_id: int) -> User | None:
        """The person of a session, in one statement with what every page shows: the time zone that the person prefers
        (`reader_zone`; empty for none) and the sorted names of the person's roles (`role_names`)."""
        for user, user.reader_zone, user.role_names in sql.instances(OF_SESSION, PERSON, parameters=[user_id]):
            return user if self.user_can_authenticate(user) else None
        return None


def tell_failure(request: HttpRequest | None, username: str, why: str = "") -> None:
    """Write a failed sign-in to the audit log under the account's name. A name that belongs to no account is not
    written: it may be a password that was typed into the wrong field."""
    if request is None:
        return
    account = User.objects.filter(username=username[:150].replace("\0", "")).first()
    actor = stranger(request, account.username if account else "")
    event = Kind(Action.LOGIN_FAILED, actor, "auth.user" if account else "", str(account.pk) if account else "")
    counts.add(event, why or ("" if account else "a name that nobody has"))


# --- browsers that somebody has signed in with -----------------------------------------------------------------------


def cookie_name(secure: bool) -> str:
    return "__Host-device" if secure else "device"


def device_of(request: HttpRequest | None, username: str) -> str:
    """The mark of a browser in which this account has signed in before; empty for another browser."""
    if request is None:
        return ""
    text = request.COOKIES.get(cookie_name(settings.SESSION_COOKIE_SECURE), "")
    try:
        name, mark = signing.loads(text, salt=SALT, max_age=DEVICE_DAYS * 86_400) if text else ("", "")
    except (signing.BadSignature, ValueError, TypeError):
        return ""
    return str(mark) if name == username.casefold() else ""


def remember_device(response: HttpResponse, username: str, mark: str) -> None:
    """Set the cookie by which failures from this browser are counted separately."""
    response.set_cookie(
        cookie_name(settings.SESSION_COOKIE_SECURE), signing.dumps([username.casefold(), mark], salt=SALT),
        max_age=DEVICE_DAYS * 86_400, httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE,
    )  # fmt: skip
