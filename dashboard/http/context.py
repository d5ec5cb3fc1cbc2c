"""The template context of every page: the menu, the roles of the person, whether vendors are simulated."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from costs.research.switch import shows_reference
from dashboard.http.demo_progress import loading
from dashboard.menu.page import Menu, menu_of


def page(request: HttpRequest) -> dict[str, Any]:
    """Context of every template; what costs a query is read only where a template asks."""
    # An error page may be rendered before the session was read; then there is no user.
    user = getattr(request, "user", None)
    return {
        "menu": SimpleLazyObject(lambda: menu_of(request) if user else Menu()),
        "roles": getattr(user, "role_names", []),  # read with the person of the session
        "reference": shows_reference(request),
        "demo": settings.DEMO,
        "demo_loading": SimpleLazyObject(lambda: loading(settings.DATA_DIR)) if settings.DEMO else None,
        "mail_url": "/mail/" if settings.DEMO and user and user.has_perm("alerts.view_alert") else "",
    }
