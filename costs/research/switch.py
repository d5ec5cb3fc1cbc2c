"""Whether a reader sees the reference case of January 2026: a choice kept in a cookie, off by default."""

from __future__ import annotations

from django.http import HttpRequest

COOKIE = "reference"
ON = "on"


def shows_reference(request: HttpRequest) -> bool:
    """Pages under their own address answer either way. The menu, Plan and Sizing leave the case out while it is off."""
    return request.COOKIES.get(COOKIE) == ON
