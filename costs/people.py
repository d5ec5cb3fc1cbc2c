"""The person behind a request."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest


def person(request: HttpRequest) -> AbstractUser:
    """Who is signed in; every view that asks requires a login."""
    assert isinstance(request.user, AbstractUser), "who is signed in is a person"
    return request.user
