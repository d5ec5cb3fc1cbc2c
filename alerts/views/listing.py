"""What needs someone now, what did before, and one alert with everything about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from alerts import reports
from alerts.kinds import KINDS
from alerts.models import Alert, Delivery, Rule, Silence
from alerts.states import State

SHOWN = 50


@login_required
@permission_required("alerts.view_alert", raise_exception=True)
@require_safe
def alerts(request: HttpRequest) -> HttpResponse:
    """Open and acknowledged alerts by urgency; what waits; which silences are in force."""
    now = timezone.now()
    shown = list(Alert.objects.shown().with_deliveries().by_urgency()[:200])
    open_ = [alert for alert in shown if alert.state == State.OPEN]
    context = {
        "open": open_,
        "worst": open_[0] if open_ else None,
        "acknowledged": [alert for alert in shown if alert.state == State.ACKNOWLEDGED],
        "pending": list(Alert.objects.filter(state=State.PENDING).select_related("rule").order_by("pending_since")),
        "silences": list(Silence.objects.in_force(now).select_related("by")),
        "undelivered": reports.undelivered(),
        "evaluated_at": reports.evaluated_at(),
        "late": reports.is_late(now),
        "pace": reports.pace(now - timedelta(days=30)),
        "noisy": reports.noisy(now - timedelta(days=30)),
        "may_act": request.user.has_perm("alerts.change_alert"),
        "may_silence": request.user.has_perm("alerts.add_silence"),
        "json_url": "/api/v1/alerts?state=open",
    }
    return render(request, "alerts/list.html", context)


@login_required
@permission_required("alerts.view_alert", raise_exception=True)
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """Alerts that are over, newest first, by kind and page."""
    kind, before = request.GET.get("kind", ""), request.GET.get("before", "")
    rows = Alert.objects.history().with_deliveries().order_by("-id")
    if kind in KINDS:
        rows = rows.filter(rule__kind=kind)
    total = rows.count()
    if before.isdecimal() and len(before) < 18:
        rows = rows.filter(id__lt=int(before))
    found = list(rows[: SHOWN + 1])
    address = f"?kind={kind}&" if kind in KINDS else "?"
    context = {
        "alerts": found[:SHOWN],
        "kind": kind,
        "kinds": [
            (name, Rule.objects.named(name) if one.shipped else _("rules of our own")) for name, one in KINDS.items()
        ],
        "total": total,
        "shown": len(found[:SHOWN]),
        "first_url": (address.rstrip("&?") or "?") if before else None,
        "next_url": f"{address}before={found[SHOWN - 1].pk}" if len(found) > SHOWN else None,
        "pace": reports.pace(timezone.now() - timedelta(days=30)),
        "json_url": "/api/v1/alerts?state=resolved",
    }
    return render(request, "alerts/history.html", context)


@login_required
@permission_required("alerts.view_alert", raise_exception=True)
@require_safe
def alert(request: HttpRequest, pk: int) -> HttpResponse:
    """One alert: what, how much, since when, why, what to do, who was told."""
    found = get_object_or_404(Alert.objects.select_related("rule", "acknowledged_by"), pk=pk)
    now = timezone.now()
    deliveries = Delivery.objects.filter(alert=found).select_related("transition").order_by("id")
    context: dict[str, Any] = {
        "alert": found,
        "kind": KINDS.get(found.rule.kind),
        "timeline": list(found.transitions.select_related("by")),
        "deliveries": list(deliveries),
        "lasted": found.lasted,
        "silences": Silence.objects.covering(found, now),
        "earlier": list(Alert.objects.earlier(found)[:10]),
        "may_act": request.user.has_perm("alerts.change_alert"),
        "live": found.state in (State.OPEN, State.ACKNOWLEDGED),
    }
    return render(request, "alerts/detail.html", context)
