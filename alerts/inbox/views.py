"""What needs someone now, and one alert with everything about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from alerts.charts.timeline import text_in, timeline, unit_of
from alerts.delivery.queries import undelivered
from alerts.evaluation.queries import evaluated_at, is_late
from alerts.evaluation.write import status_of
from alerts.inbox import queries, response_times
from alerts.inbox.page import SORTS, AlertPage, InboxPage
from alerts.lifecycle import states
from alerts.lifecycle.states import State
from alerts.mail.server import mail_problem
from alerts.rules import noise
from lib.http import get_view
from lib.paging import in_order
from traffic.imports.loading import loading_until

PERIODS = (7, 30, 90)  # days over which people look at how they do


def period_of(request: HttpRequest) -> int:
    """Days, from the address; 30 where it says none of ours."""
    text = request.GET.get("days", "")
    return int(text) if text in map(str, PERIODS) else 30


@get_view("alerts.view_alert")
def alerts(request: HttpRequest) -> HttpResponse:
    """Alerts that are not over, by who has them and by urgency; what waits; which silences are in force."""
    now = timezone.now()
    shown = queries.shown_alerts()
    awake = [alert for alert in shown if not states.asleep(status_of(alert), now)]
    taken = [alert for alert in awake if alert.state == State.ACKNOWLEDGED]
    assigned = [alert for alert in awake if alert.state == State.OPEN and alert.assigned_to]
    open_ = [alert for alert in awake if alert.state == State.OPEN and not alert.assigned_to]
    silences = queries.silences_in_force(now)
    days, sort = period_of(request), request.GET.get("sort")
    snoozed = [alert for alert in shown if states.asleep(status_of(alert), now)]
    since = now - timedelta(days=days)
    page = InboxPage(
        late=is_late(now),
        evaluated_at=evaluated_at(),
        pace=response_times.pace(since),
        days=days,
        open=in_order(open_, SORTS, sort),
        assigned=in_order(assigned, SORTS, sort),
        acknowledged=in_order(taken, SORTS, sort),
        snoozed=in_order(snoozed, SORTS, sort),
        worst=open_[0] if open_ else None,
        noisy=noise.noisy(since),
        silences=silences,
    )
    context = {
        "page": page,
        "shown": shown,
        "pending": queries.pending_alerts(),
        "silenced": {alert.pk for alert in shown if any(silence.covers(alert) for silence in silences)},
        "undelivered": undelivered(),
        "mail_problem": mail_problem(),
        "loading": loading_until(now) is not None,
        "periods": PERIODS,
        "paces": response_times.paces(since),
        "may_act": request.user.has_perm("alerts.change_alert"),
        "json_url": "/api/v1/alerts?state=open",
    }
    return render(request, "alerts/inbox/list.html", context)


@get_view("alerts.view_alert")
def alert(request: HttpRequest, pk: int) -> HttpResponse:
    """One alert: what, how much, since when, why, what to do, who was told."""
    row = queries.alert_by_key(pk)
    now = timezone.now()
    deliveries, unit = queries.deliveries_of(row), unit_of(row)
    context: dict[str, Any] = {
        "page": AlertPage(row, deliveries),
        "alert": row,
        "timeline": [(step, text_in(unit, step.value)) for step in queries.transitions_of(row)],
        "limit": text_in(unit, row.threshold),
        "seen": timeline(row),
        "labels": [label for name, value in row.labels.items() if (label := f"{name}:{value}") != row.subject],
        "asleep": states.asleep(status_of(row), now),
        "speaks_for": queries.covered_alerts(row),
        "deliveries": deliveries,
        "silences": queries.silences_covering(row, now),
        "earlier": queries.earlier_alerts(row),
        "may_act": request.user.has_perm("alerts.change_alert"),
        "live": row.is_shown,
    }
    return render(request, "alerts/inbox/detail.html", context)
