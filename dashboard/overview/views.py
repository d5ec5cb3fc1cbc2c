"""The view of the Overview."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from alerts.mail.server import mail_problem
from dashboard.checklist.page import checklist
from dashboard.checklist.queries import progress
from dashboard.http.demo_progress import loading
from dashboard.menu.page import Reader
from dashboard.menu.saved import pinned_views
from dashboard.overview import page
from lib.http import asks_for_part, get_view


@get_view()
def overview(request: HttpRequest) -> HttpResponse:
    """The four answers. Staff may not see figures, so they are redirected to Quality. htmx gets only the answers."""
    if not request.user.has_perm("costs.view_charge"):
        if request.user.has_perm("traffic.view_quality"):
            return redirect("traffic:quality")
        raise PermissionDenied
    older = loading(settings.DATA_DIR) if settings.DEMO else None
    context = page.context(timezone.now())
    setting_up = not settings.DEMO and (context["facts"].empty or request.user.has_perm("providers.add_account"))
    context |= {
        "checklist": checklist(progress(), first=context["facts"].empty) if setting_up else None,
        "loading": older,
        "mail_problem": mail_problem(),
        "refresh_s": 10 if older else 30,
        "may_act": request.user.has_perm("alerts.change_alert"),
        "json_url": "/api/v1/phases",
    }
    if not asks_for_part(request):
        context["pinned"] = pinned_views(Reader(request))
    whole, part = "dashboard/overview/overview.html", "dashboard/overview/_overview.html"
    return render(request, part if asks_for_part(request) else whole, context)
