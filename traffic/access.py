"""Who may call the JSON API: a key with the scope, in the one error shape when not."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja.security.base import AuthBase

from providers.rest.errors import ApiError
from traffic.keys import Caller, callers, secret_of


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


FIGURES = "costs.view_charge"


def in_browser(request: HttpRequest) -> bool:
    """A logged-in person who follows a page's link to its JSON; only to look, so that no other site can act by it."""
    return request.method == "GET" and not secret_of(request) and request.user.is_authenticated


def sees_figures(request: HttpRequest) -> Any:
    """The person. Raises ApiError (403) for one who may not see figures."""
    if not request.user.has_perm(FIGURES):
        raise ApiError(403, "You may not see figures.")
    return request.user


def authenticate(request: HttpRequest, scope: str) -> Caller:
    """The caller of a request. Raises ApiError: 401 without a live key, 403 without the scope."""
    secret = secret_of(request)
    if not secret:
        raise ApiError(401, "Send a key: Authorization: Bearer KEY.")
    caller = callers.find(secret)
    if caller is None:
        raise ApiError(401, "This key is unknown, expired or revoked.")
    if scope not in caller.scopes:
        raise ApiError(403, f"This key lacks the scope {scope!r}.")
    request.caller = caller  # type: ignore[attr-defined]  # read back by caller_of alone
    return caller


_needs: dict[str, KeyAuth] = {}


def needs(scope: str) -> KeyAuth:
    """The authentication of operations that ask for a scope."""
    return _needs.setdefault(scope, KeyAuth(scope))


def caller_of(request: HttpRequest) -> Caller:
    """Who `authenticate` let in."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    return caller
