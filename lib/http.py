"""What a view reads from its request: the page's URL with other parameters, and the data of a form."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict


def page_url(request: HttpRequest, **changes: object) -> str:
    """The path of this page with some query parameters replaced; a value of None removes the parameter."""
    unchanged = [(key, value) for key, value in request.GET.lists() if key not in changes]
    added = [(key, [value]) for key, value in changes.items() if value is not None]
    query = urlencode([*unchanged, *added], doseq=True)
    return f"{request.path}?{query}" if query else request.path


def form_data(request: HttpRequest) -> QueryDict | None:
    """The data of a submitted form, which may be empty; None where the request is not a POST."""
    return request.POST if request.method == "POST" else None
