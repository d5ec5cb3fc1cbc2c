"""What needs someone now, and one alert with everything about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from alerts.evaluation import states
from alerts.evaluation.states import State
from alerts.evaluation.write import status_of
from alerts.inbox import reports
from alerts.inbox.timeline import timeline
from alerts.kinds import KINDS
from alerts.models import Alert, Delivery, Silence
from alerts.rules import noise

PERIODS = (7, 30, 90)  # days over which people look at how they do


def period_of(request: HttpRequest) -> int:
    """Days, from the address; 30 where it says none of ours."""
    asked = request.GET.get("days", "")
    return int(asked) if asked in map(str, PERIODS) else 30


@login_required
@permission_required("alerts.view_alert", raise_exception=True)
@require_safe
def alerts(request: HttpRequest) -> HttpResponse:
    """Alerts that are not over, by who has them and by urgency; what waits; which silences are in force."""
    now = timezone.now()
    shown = list(Alert.objects.shown().with_deliveries().by_urgency()[:200])
    awake = [alert for alert in shown if not states.asleep(status_of(alert), now)]
    taken = [alert for alert in awake if alert.state == State.ACKNOWLEDGED]
    given = [alert for alert in awake if alert.state == State.OPEN and alert.assigned_to]
    open_ = [alert for alert in awake if alert.state == State.OPEN and not alert.assigned_to]
    silences = Silence.objects.in_force(now)
    days = period_of(request)
    since = now - timedelta(days=days)
    context = {
        "shown": shown,
        "open": open_,
        "worst": open_[0] if open_ else None,
        "given": given,
        "acknowledged": taken,
        "had": len(given) + len(taken),
        "pending": list(Alert.objects.filter(state=State.PENDING).select_related("rule").order_by("pending_since")),
        "silences": silences,
        "silenced": {alert.pk for alert in shown if any(silence.covers(alert) for silence in silences)},
        "undelivered": reports.undelivered(),
        "evaluated_at": reports.evaluated_at(),
        "late": reports.is_late(now),
        "days": days,
        "periods": PERIODS,
        "pace": reports.pace(since),
        "paces": reports.paces(since),
        "noisy": noise.noisy(since),
        "snoozed": [alert for alert in shown if states.asleep(status_of(alert), now)],
        "may_act": request.user.has_perm("alerts.change_alert"),
        "may_silence": request.user.has_perm("alerts.add_silence"),
        "json_url": "/api/v1/alerts?state=open",
    }
    return render(request, "alerts/inbox/list.html", context)


@login_required
@permission_required("alerts.view_alert", raise_exception=True)
@require_safe
def alert(request: HttpRequest, pk: int) -> HttpResponse:
    """One alert: what, how much, since when, why, what to do, who was told."""
    found = get_object_or_404(Alert.objects.select_related("rule", "acknowledged_by", "assigned_to"), pk=pk)
    now = timezone.now()
    deliveries = Delivery.objects.filter(alert=found).select_related("transition").order_by("id")
    context: dict[str, Any] = {
        "alert": found,
        "kind": KINDS.get(found.rule.kind),
        "timeline": list(found.transitions.select_related("by")),
        "seen": timeline(found),
        "labels": [said for name, value in found.labels.items() if (said := f"{name}:{value}") != found.subject],
        "asleep": states.asleep(status_of(found), now),
        "speaks_for": list(Alert.objects.shown().filter(covered_by=found.subject)[:50]) if found.is_shown else [],
        "deliveries": list(deliveries),
        "lasted": found.lasted,
        "silences": Silence.objects.covering(found, now),
        "earlier": list(Alert.objects.earlier(found)[:10]),
        "may_act": request.user.has_perm("alerts.change_alert"),
        "live": found.is_shown,
    }
    return render(request, "alerts/inbox/detail.html", context)
