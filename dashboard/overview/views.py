"""Are we on plan, up, good enough, and should we self-host?"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from costs.plan.page import pace
from dashboard import overview as answers
from dashboard.http.demo_progress import loading


@login_required
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """The four answers; staff, who see no figures, start at Quality. htmx asks for the answers alone."""
    if not request.user.has_perm("costs.view_charge"):
        if request.user.has_perm("traffic.view_quality"):
            return redirect("traffic:quality")
        raise PermissionDenied
    facts = answers.read(timezone.now())
    worth = answers.worth(facts)
    money = answers.money(facts)
    context = {
        "facts": facts,
        "money": money,
        "pace": without_words(pace(money.month, money.status, facts.now)),
        "up": answers.serving(facts),
        "worth": worth,
        "own": answers.selfhosting(facts, worth),
        "speeds": answers.speeds(facts),
        "steps": answers.steps() if facts.empty else None,
        "loading": loading(settings.DATA_DIR) if settings.DEMO else None,
        "may_act": request.user.has_perm("alerts.change_alert"),
        "json_url": "/api/v1/phases",
    }
    page = "dashboard/overview/_overview.html" if request.htmx else "dashboard/overview/overview.html"  # type: ignore[attr-defined]
    return render(request, page, context)


def without_words(chart: dict[str, Any]) -> dict[str, Any]:
    """The Plan page's chart without the words at its end, which the heading here has."""
    return chart | {"marks": [mark for mark in chart["marks"] if mark["kind"] != "name"]}
