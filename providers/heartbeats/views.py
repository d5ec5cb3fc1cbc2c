"""Did our batch jobs run?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lib.http import form_data
from lib.soft_delete import soft_delete
from providers.audit.log import changes, log, log_form
from providers.heartbeats import queries, services
from providers.heartbeats.forms import HeartbeatForm, length
from providers.heartbeats.report import HeartbeatNow, beat_now, spans_of, uptime_of
from providers.models import Heartbeat
from providers.uptime import page as uptime_page

DAYS = 90
PINGS_SHOWN = 30
ORDER = {"bad": 0, "info": 1, "unknown": 2, "ok": 3}


@login_required
@permission_required("providers.view_heartbeat", raise_exception=True)
@require_safe
def heartbeats(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    beats = queries.heartbeats_now(now)
    beats.sort(key=lambda beat: (ORDER[beat.mark], beat.heartbeat.slug))
    context = {
        "rows": rows_of(beats, now),
        "down": [beat for beat in beats if beat.state == "down"],
        "good": [beat for beat in beats if beat.state == "up"],
        "axis": uptime_page.axis(days_until(now)),
        "days": DAYS,
    }
    return render(request, "providers/heartbeats/heartbeats.html", context)


def days_until(now: datetime) -> Any:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return uptime_page.days_of(midnight - timedelta(days=DAYS - 1), now)


def rows_of(beats: list[HeartbeatNow], now: datetime) -> list[dict[str, Any]]:
    days = days_until(now)
    spans = spans_of([beat.heartbeat for beat in beats], now - timedelta(days=DAYS))
    rows = []
    for beat in beats:
        figures = uptime_of(beat.heartbeat, spans.get(beat.heartbeat.pk, ()), days, now)
        rows.append(
            {
                "beat": beat,
                "expected": expected(beat.heartbeat),
                "uptime": figures.uptime,
                "missed": len(figures.outages),
                "cells": uptime_page.cells(figures, days, (), now),
                "label": _("%(name)s, one cell a day") % {"name": beat.heartbeat.name},
            }
        )
    return rows


def expected(heartbeat: Heartbeat) -> str:
    """`every 1 d` or the cron line."""
    if heartbeat.schedule == Heartbeat.Schedule.CRON:
        return _("%(cron)s (%(zone)s)") % {"cron": heartbeat.cron, "zone": heartbeat.time_zone}
    return _("every %(length)s") % {"length": length(heartbeat.period_s)}


@login_required
@permission_required("providers.add_heartbeat", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    return edited(request, Heartbeat(), HeartbeatForm(form_data(request), instance=Heartbeat()))


@login_required
@permission_required("providers.view_heartbeat", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
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
    context = {
        "heartbeat": row if stored else None,
        "beat": beat_now(row, now) if stored else None,
        "expected": expected(row),
        "form": form,
        "ping_url": url,
        "curl": f"curl -fsS -m 10 --retry 5 -o /dev/null {url}",
        "wrapped": f"curl -fsS -m 10 {url}/start; ./job.sh; curl -fsS -m 10 --retry 5 {url}/$?",
        "pings": queries.latest_pings(row, PINGS_SHOWN) if stored else [],
        "spans": spans,
        "log": changes(row) if stored and form else [],
    }
    return render(request, "providers/heartbeats/heartbeat.html", context, status=status)


@login_required
@permission_required("providers.change_heartbeat", raise_exception=True)
@require_POST
def pause(request: HttpRequest, slug: str) -> HttpResponse:
    row = queries.heartbeat_or_404(slug)
    services.pause(heartbeat=row, now=timezone.now())
    log(request, row, _("Paused."))
    undo = f"undo:{reverse('providers:heartbeat-resume', args=[slug])}"
    messages.success(request, _("Nobody waits for %(name)s now.") % {"name": row.name}, extra_tags=undo)
    return redirect("providers:heartbeat", slug=slug)


@login_required
@permission_required("providers.change_heartbeat", raise_exception=True)
@require_POST
def resume(request: HttpRequest, slug: str) -> HttpResponse:
    row = queries.heartbeat_or_404(slug)
    services.resume(heartbeat=row, now=timezone.now())
    log(request, row, _("Resumed."))
    messages.success(request, _("%(name)s is expected again.") % {"name": row.name})
    return redirect("providers:heartbeat", slug=slug)


@login_required
@permission_required("providers.change_heartbeat", raise_exception=True)
@require_POST
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Gone at once, its address too; the toast brings both back."""
    row = queries.heartbeat_or_404(slug)
    soft_delete(row=row, now=timezone.now())
    log(request, row, _("Deleted."), deleted=True)
    undo = f"undo:{reverse('providers:heartbeat-undo', args=[row.pk])}"
    messages.success(request, _("%(name)s is deleted.") % {"name": row.name}, extra_tags=undo)
    return redirect("providers:heartbeats")


@login_required
@permission_required("providers.change_heartbeat", raise_exception=True)
@require_POST
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    row = queries.deleted_heartbeat_or_404(pk)
    if services.undelete_heartbeat(heartbeat=row, now=timezone.now()):
        log(request, row, _("Brought back."))
        messages.success(request, _("%(name)s is back, at the same address.") % {"name": row.name})
    else:
        messages.warning(request, _("Another heartbeat has its short name now; delete that one first."))
    return redirect("providers:heartbeats")
