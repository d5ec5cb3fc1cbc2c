"""Addresses of the page at hand with some of its parameters changed."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest


def address(request: HttpRequest, **changes: object) -> str:
    """This page with some parameters changed; None takes one away."""
    kept = [(key, value) for key, value in request.GET.lists() if key not in changes]
    added = [(key, [value]) for key, value in changes.items() if value is not None]
    query = urlencode([*kept, *added], doseq=True)
    return f"{request.path}?{query}" if query else request.path
