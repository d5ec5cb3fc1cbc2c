"""What a key of an application gets at each address: `dashboard.access` declares it, `traffic.authentication.access`
enforces it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from dashboard.access import ACCESS, Access


class ConfinementMiddleware:
    """Sets on each request what its address gives to a key of an application, before the view checks the key."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        access = ACCESS.get(address_of(request, view)) or Access()
        request.key_reach = access.key, access.why, access.withheld  # type: ignore[attr-defined]  # read by traffic.authentication.access alone


def address_of(request: HttpRequest, view: Any) -> str:
    """The URL name of a request in the access table; of several ninja operations on a path that of the method."""
    name = request.resolver_match.view_name if request.resolver_match else ""
    operations = getattr(getattr(view, "__self__", None), "operations", ())
    for operation in operations:
        if request.method in operation.methods:
            namespace = name.rpartition(":")[0]
            return f"{namespace}:{operation.view_func.__name__}"
    return name
