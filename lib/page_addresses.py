"""What views read from a request: the page's own address with some parameters changed, and a sent form."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict


def address(request: HttpRequest, **changes: object) -> str:
    """This page with some parameters changed; None takes one away."""
    kept = [(key, value) for key, value in request.GET.lists() if key not in changes]
    added = [(key, [value]) for key, value in changes.items() if value is not None]
    query = urlencode([*kept, *added], doseq=True)
    return f"{request.path}?{query}" if query else request.path


def sent(request: HttpRequest) -> QueryDict | None:
    """The fields of a form that was sent, however few; None when the page is only looked at."""
    return request.POST if request.method == "POST" else None
