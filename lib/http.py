"""What views share: who may ask for them and how, the page's URL with other parameters, the data of a form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
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
    """Who is not signed in is led to the login, who lacks the permission gets a 403, another method a 405.

    The view has the permission as its attribute `permission`.
    """

    def decorated(view: Any) -> Any:
        view = require_http_methods(list(methods))(view)
        if permission:
            view = permission_required(permission, raise_exception=True)(view)
        view = login_required(view)
        view.permission = permission  # the menu shows a page to whoever has it
        return view

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


def undoable(request: HttpRequest, sentence: str, name: str, *args: object) -> None:
    """Say what was done, beside a button that takes it back by a POST to the URL of this name."""
    messages.success(request, sentence, extra_tags=f"undo:{reverse(name, args=args)}")


def asks_for_part(request: HttpRequest, target: str = "") -> bool:
    """Whether htmx asks for a part of the page: for the one of this id, where one is given."""
    htmx: Any = request.htmx  # type: ignore[attr-defined]  # set by django-htmx's middleware
    return bool(htmx) and target in ("", htmx.target)


def render_tested(
    request: HttpRequest, page: str, part: str, context: Mapping[str, Any], status: int = 200
) -> HttpResponse:
    """Render a form's page, or for htmx the result of its "test this" alone, so that a typed key stays in its field."""
    tested = request.method == "POST" and request.POST.get("action") == "test"
    return render(request, part if tested and asks_for_part(request) else page, context, status=status)


def posted_text(request: HttpRequest, name: str) -> str:
    """A text of a posted form that no form class checks: at most 5,000 characters, without NUL, which is no text."""
    return request.POST.get(name, "").replace("\0", "")[:5_000]
