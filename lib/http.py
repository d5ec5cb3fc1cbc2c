"""What views share: who may ask for them and how, the page's URL with other parameters, the data of a form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_http_methods

V = TypeVar("V", bound=Callable[..., HttpResponseBase])


def get_view(permission: str = "") -> Callable[[V], V]:
    """Decorate a view that only shows: GET and HEAD, of whoever is signed in and has the permission."""
    return _decorator(permission, ["GET", "HEAD"])


def form_view(permission: str = "") -> Callable[[V], V]:
    """Decorate a view that shows a form and takes it: GET, HEAD and POST."""
    return _decorator(permission, ["GET", "HEAD", "POST"])


def post_view(permission: str = "") -> Callable[[V], V]:
    """Decorate a view that changes something: POST alone."""
    return _decorator(permission, ["POST"])


def _decorator(permission: str, methods: Sequence[str]) -> Callable[[V], V]:
    """Who is not signed in is led to the login, who lacks the permission gets a 403, another method a 405."""

    def decorated(view: Any) -> Any:
        view = require_http_methods(list(methods))(view)
        if permission:
            view = permission_required(permission, raise_exception=True)(view)
        return login_required(view)

    return decorated


def page_url(request: HttpRequest, **changes: object) -> str:
    """The path of this page with some query parameters replaced; a value of None removes the parameter."""
    unchanged = [(key, value) for key, value in request.GET.lists() if key not in changes]
    added = [(key, [value]) for key, value in changes.items() if value is not None]
    query = urlencode([*unchanged, *added], doseq=True)
    return f"{request.path}?{query}" if query else request.path


def form_data(request: HttpRequest) -> QueryDict | None:
    """The data of a submitted form, which may be empty; None where the request is not a POST."""
    return request.POST if request.method == "POST" else None
