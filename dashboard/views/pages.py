"""Small pages of the project: where settings are, the legend, the theme."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

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
    (_("Routes"), _("which request goes where"), "/settings/routes/", "traffic.view_route"),
    (_("Prices"), _("list prices with their source"), "/settings/prices/", "providers.view_tokenprice"),
    (_("Alert rules"), _("what to watch and whom to tell"), "/alerts/rules/", "alerts.view_alert"),
    (_("People"), _("who may do what"), "/settings/people/", "auth.view_user"),
    (_("Audit log"), _("who changed what"), "/settings/audit/", "admin.view_logentry"),
    (_("Password"), _("your own"), "/password/", None),
)
A_YEAR_S = 31_536_000


@login_required
def settings_index(request: HttpRequest) -> HttpResponse:
    """The settings that this person may open."""
    user = request.user
    places = [
        {"title": title, "about": about, "url": url}
        for title, about, url, permission in PLACES
        if permission is None or user.has_perm(permission)
    ]
    return render(request, "dashboard/settings.html", {"places": places})


@login_required
def legend(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/legend.html")


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the theme that a person chose, or follow the system again."""
    target = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(target, allowed_hosts=None):
        target = "/"
    response = HttpResponseRedirect(target)
    chosen = request.POST.get("theme", "")
    if chosen in ("dark", "light"):
        response.set_cookie("theme", chosen, max_age=A_YEAR_S, samesite="Lax", httponly=True)
    else:
        response.delete_cookie("theme")
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """A fault of ours, in the shape that the caller reads."""
    if request.path.startswith(("/api/", "/v1/", "/ingest/")):
        from providers.rest.errors import ApiError

        return ApiError(500, "The fault is ours, and it is in the log.").response()
    return render(request, "500.html", status=500)
