"""Who may call the JSON API: a key with the scope, in the one error shape when not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja.security.base import AuthBase

from lib.client_address import client_address
from lib.disk import DiskWatch
from lib.errors import ApiError
from traffic.authentication.keys import Caller, TooManyUnknown, buckets, callers, secret_of, tell_dead_key
from traffic.authentication.limits import seconds_until, too_often


class KeyAuth(AuthBase):
    """A live key that holds a scope; the caller is kept on the request."""

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_name = "key"

    def __init__(self, scope: str) -> None:
        self.scope = scope
        super().__init__()

    def __call__(self, request: HttpRequest) -> Any:
        return (
            sees_figures(request) if self.scope == "read" and in_browser(request) else authenticate(request, self.scope)
        )


class TrialReadAuth(KeyAuth):
    """A key that may read figures, or one that may start trials, which follows its own."""

    def __call__(self, request: HttpRequest) -> Any:
        try:
            return super().__call__(request)
        except ApiError as error:
            if error.status != 403 or not secret_of(request):
                raise
            return authenticate(request, "trials")


FIGURES = "costs.view_charge"


def in_browser(request: HttpRequest) -> bool:
    """A logged-in person who follows a page's link to its JSON; only to look, so that no other site can act by it."""
    return request.method == "GET" and not secret_of(request) and request.user.is_authenticated


def sees_figures(request: HttpRequest) -> Any:
    """The person. Raises ApiError (403) for one who may not see figures."""
    if not request.user.has_perm(FIGURES):
        raise ApiError(403, "You may not see figures.")
    return request.user


def too_many_unknown(error: TooManyUnknown) -> ApiError:
    """The answer to an address that guesses keys."""
    return ApiError(429, "Too many unknown keys came from this address.", retry_after=error.wait)


def authenticate(request: HttpRequest, scope: str, secret: str | None = None) -> Caller:
    """The caller of a request, by the key that it carries or by `secret`.

    Raises ApiError: 401 without a live key, 403 without the scope, 429 past a limit, 503 on a full disk.
    """
    secret = secret_of(request) if secret is None else secret
    if not secret:
        raise ApiError(401, "Send a key: Authorization: Bearer KEY.")
    try:
        caller = callers.find(secret, client_address(request))
    except TooManyUnknown as error:
        raise too_many_unknown(error) from None
    if caller is None:
        tell_dead_key(secret, client_address(request))
        raise ApiError(401, "This key is unknown, expired or revoked.")
    request.shown_key = caller  # type: ignore[attr-defined]  # for the audit log, also of what is refused below
    if scope in caller.lapsed:
        raise ApiError(403, "The creator of this key may no longer use keys of the whole installation.")
    if scope not in caller.scopes:
        raise ApiError(403, f"This key lacks the scope {scope!r}.")
    confine(request, caller)
    enforce_limits(caller, scope)
    request.caller = caller  # type: ignore[attr-defined]  # read back by caller_of and application_of_key
    return caller


def confine(request: HttpRequest, caller: Caller) -> None:
    """Hold an application's key to what its application has at this address, as `dashboard.access` declares it.

    Every read takes the filter `application`, so here it becomes the key's own, whatever was asked for; what takes none
    asks `application_of_key`. Raises ApiError (403) for another application, for what is the whole installation's, and
    for an address that nobody has decided about.
    """
    if caller.application_id is None:
        return
    reach, why, withheld = getattr(request, "key_reach", (None, "", ()))
    if named := [name for name in withheld if name in request.GET]:
        raise ApiError(403, f"A key of an application cannot ask by {named[0]!r} here.")
    if reach == "public":
        return
    if reach != "own":
        raise ApiError(403, why or "Keys of an application have nothing to do here.")
    if set(request.GET.getlist("application")) - {caller.application}:
        raise ApiError(403, f"This key is of the application {caller.application!r} only.")
    if request.method == "GET":
        narrowed = request.GET.copy()
        narrowed.setlist("application", [str(caller.application)])
        request.GET = narrowed  # type: ignore[assignment]  # typed as Django makes it; nobody writes into it


STORING = ("ingest", "rate")
disk_watch = DiskWatch()
DISK_LOW = "The disk of the data directory is nearly full. Send the same again when there is room."
DISK_LOW_RETRY_S = 30


def enforce_limits(caller: Caller, scope: str) -> None:
    """Raises ApiError with the seconds to wait: 429 past a limit, 503 while the disk is too full to store anything.

    What is used up is of what is stored, so reading goes on without it.
    """
    if caller.per_minute is not None and (wait := buckets.take(caller.line, caller.per_minute)):
        raise ApiError(429, too_often(caller.per_minute), retry_after=wait)
    if scope in STORING and disk_watch.is_low(Path(settings.DATA_DIR)):
        raise ApiError(503, DISK_LOW, retry_after=DISK_LOW_RETRY_S)
    now = timezone.now()
    if scope == "ingest" and caller.spent_until is not None and caller.spent_until > now:
        wait = seconds_until(caller.spent_until, now)
        raise ApiError(429, caller.spent, retry_after=wait)


_needs: dict[str, KeyAuth] = {}


def needs(scope: str) -> KeyAuth:
    """The authentication of operations that ask for a scope."""
    return _needs.setdefault(scope, KeyAuth(scope))


def application_of_key(request: HttpRequest) -> str | None:
    """The application that a call is confined to: its key's. None: a key for the whole installation, or a person."""
    caller: Caller | None = getattr(request, "caller", None)
    return caller.application if caller is not None else None


def caller_of(request: HttpRequest) -> Caller:
    """Who `authenticate` let in."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    return caller
