"""Settings: stored requests costed anew. Choose a period, see the difference, start, watch, take back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.http import asks_for_part, form_view, get_view, post_view
from providers.audit.log import changes, log
from providers.models import provider_names
from traffic.models import Repricing
from traffic.repricing import queries
from traffic.repricing import services as repricings
from traffic.repricing.forms import RepricingForm
from traffic.repricing.page import RepricingPage, mark_of, repricings_headline
from traffic.repricing.services import Refused


@form_view("traffic.view_repricing")
def repricing_list(request: HttpRequest) -> HttpResponse:
    """What was repriced so far, and the form for one more; the address may fill it in."""
    may_add = request.user.has_perm("traffic.add_repricing")
    if request.method == "POST" and not may_add:
        return render(request, "403.html", status=403)
    form = RepricingForm(request.POST) if request.method == "POST" else RepricingForm(initial=initial(request))
    if request.method == "POST" and form.is_valid():
        made = repricings.plan(scope=form.scope(), person=request.user.pk)
        log(request, made, added=True)
        return redirect("traffic:repricing", made.pk)
    rows = queries.latest_repricings()
    context = {
        "rows": [{"it": row, "mark": mark_of(row), "last": row.until - timedelta(days=1)} for row in rows],
        "headline": repricings_headline(queries.totals()),
        "form": form,
        "providers": provider_names().items(),
        "may_add": may_add,
    }
    return render(request, "traffic/repricing/repricings.html", context, status=422 if form.errors else 200)


def initial(request: HttpRequest) -> dict[str, Any]:
    """This month so far, unless the address says otherwise."""
    today = timezone.now().date()
    named = {
        name: request.GET[name].replace("\x00", "")[:200]
        for name in ("since", "until", "provider", "model", "why")
        if name in request.GET
    }
    return {"since": today.replace(day=1), "until": today, **named}


@get_view("traffic.view_repricing")
def repricing_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """What it would change or has changed, by model and by day; htmx asks again while it is at work."""
    repricing = queries.get_repricing(pk)
    changed = queries.changes_of(repricing, planned=repricing.started_at is None)
    context = {
        "it": repricing,
        "page": RepricingPage(repricing, changed),
        "may_change": request.user.has_perm("traffic.add_repricing"),
    }
    if asks_for_part(request, "progress"):
        return render(request, "traffic/repricing/_repricing_work.html", context | {"polled": True})
    return render(request, "traffic/repricing/repricing.html", {**context, "log": changes(repricing)})


ACTS = {
    "start": gettext_lazy("Started: each request is priced again."),
    "cancel": gettext_lazy("Cancelled. Its changes so far stay until you undo them."),
    "take-back": gettext_lazy("Every request gets its earlier cost again."),
    "discard": gettext_lazy("Discarded. Nothing was changed."),
}


def act_on(act: str, repricing: Repricing, person: int | None) -> bool:
    if act == "start":
        return repricings.start(repricing=repricing)
    if act == "cancel":
        return repricings.cancel(repricing=repricing)
    if act == "take-back":
        return repricings.undo(repricing=repricing, person=person)
    return repricings.discard(repricing=repricing)


@post_view("traffic.add_repricing")
def repricing_do(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Start or go on, cancel, take back, discard; what cannot be done now says why."""
    if act not in ACTS:
        raise Http404
    repricing = queries.get_repricing(pk)
    try:
        moved = act_on(act, repricing, request.user.pk)
    except Refused as refused:
        messages.error(request, str(refused))
        return redirect("traffic:repricing", pk)
    if not moved:
        messages.info(request, _("Nothing was changed: its state has changed meanwhile."))
        return redirect("traffic:repricing", pk)
    if act == "discard":
        messages.success(request, ACTS[act])
        return redirect("traffic:repricings")
    log(request, repricing, str(ACTS[act]))
    undo = reverse("traffic:repricing-do", args=[pk, "take-back"]) if act == "start" else ""
    messages.success(request, ACTS[act], extra_tags=f"undo:{undo}" if undo else "")
    return redirect("traffic:repricing", pk)
