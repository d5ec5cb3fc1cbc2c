"""Small pages of the project: the index of settings, and the error page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from dashboard.storage.queries import storage
from lib.http import get_view

# Title, what one does there, address, the permission that opens it (None: whoever is logged in).
PLACES = (
    (_("Accounts"), _("vendors that are polled, with our keys"), "/settings/accounts/", "providers.view_account"),
    (_("Deployments"), _("models we can send requests to"), "/settings/deployments/", "providers.view_deployment"),
    (
        _("Applications and keys"),
        _("programs that send requests"),
        "/settings/applications/",
        "traffic.view_application",
    ),
    (_("Imports"), _("history from other tools' files"), "/settings/imports/", "traffic.view_import"),
    (
        _("Repricings"),
        _("stored requests costed anew, and taken back"),
        "/settings/repricings/",
        "traffic.view_repricing",
    ),
    (_("Routes"), _("which request goes where"), "/settings/routes/", "traffic.view_route"),
    (_("Prices"), _("list prices with their source"), "/settings/prices/", "providers.view_tokenprice"),
    (_("Discounts"), _("what contracts take off the list price"), "/settings/discounts/", "providers.view_discount"),
    (_("Alert rules"), _("what to watch and whom to tell"), "/alerts/rules/", "alerts.view_alert"),
    (_("Channels"), _("programs, chats and pagers that are told"), "/alerts/channels/", "alerts.view_alert"),
    (_("Alerts to you"), _("quiet hours, digest, your time zone"), "/alerts/preferences/", None),
    (
        _("Storage"),
        _("how much is kept, for how long, and what goes next"),
        "/settings/storage/",
        "providers.view_account",
    ),
    (_("People"), _("who may do what"), "/settings/people/", "auth.view_user"),
    (_("Audit log"), _("who did what, when and from where"), "/settings/audit/", "providers.view_auditentry"),
    (_("Your account"), _("where you are signed in"), "/account/", None),
    (_("Password"), _("your own"), "/password/", None),
)


@get_view()
def settings_index(request: HttpRequest) -> HttpResponse:
    """The settings that this person may open."""
    user = request.user
    places = [
        {"title": title, "about": about, "url": url}
        for title, about, url, permission in PLACES
        if permission is None or user.has_perm(permission)
    ]
    size = storage() if user.has_perm("providers.view_account") else None
    return render(request, "dashboard/http/settings.html", {"places": places, "size": size})
