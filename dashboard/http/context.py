"""The template context of every page: the navigation, alerts that need a person, whether vendors are simulated."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from alerts.models import Alert
from dashboard.http.demo_progress import loading
from traffic.models import Application

# Label, address, the permission that opens it (None: whoever is logged in) and the key after `g`.
PAGES = (
    (_("Overview"), "/", "costs.view_charge", "o"),
    (_("Spend"), "/spend/", "costs.view_charge", "s"),
    (_("Plan"), "/plan/", "costs.view_phase", "p"),
    (_("Break-even"), "/break-even/", "costs.view_charge", "b"),
    (_("Providers"), "/providers/", "providers.view_offer", "v"),
    (_("Uptime"), "/uptime/", "providers.view_outage", "u"),
    (_("Requests"), "/requests/", None, "r"),
    (_("Quality"), "/quality/", "traffic.view_quality", "q"),
    (_("Alerts"), "/alerts/", "alerts.view_alert", "a"),
    (_("Decide"), "/decide/", "costs.view_charge", "d"),
    (_("Settings"), "/settings/", None, "e"),
)

# Who sees no figures has instead, for owning an application, what that costs.
OWN = (_("Statements"), "/spend/statements/", "s")


def page(request: HttpRequest) -> dict[str, Any]:
    """Context of every template; what costs a query is read only where a template asks."""
    # An error page may be rendered before the session was read; then there is no user.
    user = getattr(request, "user", None)
    return {
        "nav": SimpleLazyObject(lambda: navigation(request)),
        "roles": SimpleLazyObject(
            lambda: list(Group.objects.filter(user=request.user.pk).values_list("name", flat=True))
        ),
        "demo": settings.DEMO,
        "demo_loading": SimpleLazyObject(lambda: loading(settings.DATA_DIR)) if settings.DEMO else None,
        "mail_url": "/mail/" if settings.DEMO and user and user.has_perm("alerts.view_alert") else "",
    }


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Pages that this person may open."""
    user = request.user
    if not user.is_authenticated:
        return []
    pages = [(label, url, key) for label, url, needs, key in PAGES if needs is None or user.has_perm(needs)]
    if not user.has_perm("costs.view_charge") and Application.objects.filter(owner=user.pk).exists():
        pages.insert(-1, OWN)  # before the settings
    return [
        {
            "label": label,
            "url": address,
            "key": key,
            "current": request.path == address or (address != "/" and request.path.startswith(address)),
            "count": Alert.objects.waiting(timezone.now()).count() if address == "/alerts/" else 0,
        }
        for label, address, key in pages
    ]
