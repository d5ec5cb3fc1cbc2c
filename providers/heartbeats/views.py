"""Did our batch jobs run?"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.http import form_data, form_view, get_view, post_view, undoable
from lib.soft_delete import soft_delete
from providers.audit.log import changes, log, log_form
from providers.heartbeats import queries, services
from providers.heartbeats.forms import HeartbeatForm
from providers.heartbeats.page import DAYS, HeartbeatPage, HeartbeatsPage, days_until, expected, rows_of
from providers.heartbeats.report import beat_now, spans_of
from providers.models import Heartbeat
from providers.uptime import page as uptime_page

PINGS_SHOWN = 30
ORDER = {"bad": 0, "info": 1, "unknown": 2, "ok": 3}


@get_view("providers.view_heartbeat")
def heartbeats(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    beats = queries.heartbeats_now(now)
    beats.sort(key=lambda beat: (ORDER[beat.mark], beat.heartbeat.slug))
    context = {
        "page": HeartbeatsPage(beats),
        "rows": rows_of(beats, now),
        "axis": uptime_page.axis(days_until(now)),
    }
    return render(request, "providers/heartbeats/heartbeats.html", context)


@form_view("providers.add_heartbeat")
def add(request: HttpRequest) -> HttpResponse:
    return edited(request, Heartbeat(), HeartbeatForm(form_data(request), instance=Heartbeat()))


@form_view("providers.view_heartbeat")
def heartbeat(request: HttpRequest, slug: str) -> HttpResponse:
    """One heartbeat with its pings; whoever may change it gets the form and the address to ping."""
    row = queries.heartbeat_or_404(slug)
    if not request.user.has_perm("providers.change_heartbeat"):
        if request.method == "POST":
            return render(request, "403.html", status=403)
        return shown(request, row, None)
    return edited(request, row, HeartbeatForm(form_data(request), instance=row))


def edited(request: HttpRequest, row: Heartbeat, form: HeartbeatForm) -> HttpResponse:
    added = row.pk is None
    if request.method != "POST" or not form.is_valid():
        as_stored = row if added else queries.stored(row)
        return shown(request, as_stored, form, status=422 if form.errors else 200)
    filled = form.filled()
    services.save_heartbeat(heartbeat=filled, now=timezone.now())
    log_form(request, filled, form, added=added)
    messages.success(request, _("%(name)s is saved.") % {"name": filled.name})
    return redirect("providers:heartbeat", slug=filled.slug)


def shown(request: HttpRequest, row: Heartbeat, form: HeartbeatForm | None, status: int = 200) -> HttpResponse:
    now, stored = timezone.now(), not row._state.adding
    url = settings.BASE_URL + reverse("providers:ping", args=[row.ping_id])
    spans = spans_of([row], now - timedelta(days=DAYS)).get(row.pk, []) if stored else []
    beat = beat_now(row, now) if stored else None
    pings = queries.latest_pings(row, PINGS_SHOWN) if stored else []
    context = {
        "page": HeartbeatPage(beat, spans, pings),
        "heartbeat": row if stored else None,
        "beat": beat,
        "expected": expected(row),
        "form": form,
        "curl": f"curl -fsS -m 10 --retry 5 -o /dev/null {url}",
        "wrapped": f"curl -fsS -m 10 {url}/start; ./job.sh; curl -fsS -m 10 --retry 5 {url}/$?",
        "log": changes(row) if stored and form else [],
    }
    return render(request, "providers/heartbeats/heartbeat.html", context, status=status)


@post_view("providers.change_heartbeat")
def pause(request: HttpRequest, slug: str) -> HttpResponse:
    row = queries.heartbeat_or_404(slug)
    services.pause(heartbeat=row, now=timezone.now())
    log(request, row, _("Paused."))
    undoable(
        request,
        _("%(name)s is paused. No pings are expected.") % {"name": row.name},
        "providers:heartbeat-resume",
        slug,
    )
    return redirect("providers:heartbeat", slug=slug)


@post_view("providers.change_heartbeat")
def resume(request: HttpRequest, slug: str) -> HttpResponse:
    row = queries.heartbeat_or_404(slug)
    services.resume(heartbeat=row, now=timezone.now())
    log(request, row, _("Resumed."))
    messages.success(request, _("%(name)s is expected again.") % {"name": row.name})
    return redirect("providers:heartbeat", slug=slug)


@post_view("providers.change_heartbeat")
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Gone at once, its address too; the toast brings both back."""
    row = queries.heartbeat_or_404(slug)
    soft_delete(row=row, now=timezone.now())
    log(request, row, _("Deleted."), deleted=True)
    undoable(request, _("%(name)s is deleted.") % {"name": row.name}, "providers:heartbeat-undo", row.pk)
    return redirect("providers:heartbeats")


@post_view("providers.change_heartbeat")
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    row = queries.deleted_heartbeat_or_404(pk)
    if services.undelete_heartbeat(heartbeat=row, now=timezone.now()):
        log(request, row, _("Restored."))
        messages.success(request, _("%(name)s is restored with the same address.") % {"name": row.name})
    else:
        messages.warning(request, _("Another batch job has its short name now. Delete that one first."))
    return redirect("providers:heartbeats")
