"""Are we on plan, up, good enough, and should we self-host?"""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render


@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """The four answers; staff, who see no figures, start at Quality."""
    if not request.user.has_perm("costs.view_charge"):
        return redirect("/quality/")
    return render(request, "dashboard/overview.html", {})
