"""What is up, how fast, what broke and when?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import duration
from lib.http import get_view, page_url
from lib.time_spans import Span
from providers.models.deployments import TLS_WARNS
from providers.uptime import page as uptime_page
from providers.uptime import queries
from providers.uptime.outage_cost import cost_of
from providers.uptime.page import DeploymentNow
from providers.uptime.report import DeploymentUptime

PERIODS = (7, 30, 90)
SHOWN = 50  # deployments on one page, the worst first


@get_view("providers.view_outage")
def uptime(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    days, only, page = _parameters(request)
    everyone = queries.deployments_now(now)
    chosen = [entry for entry in uptime_page.worst_first(everyone) if not only or entry.deployment.slug in only]
    shown = chosen[(page - 1) * SHOWN : page * SHOWN]
    context = {
        "answer": uptime_page.answer(chosen or everyone),
        "periods": [_period(request, choice, days) for choice in PERIODS],
        "only": only,
        "shown": len(shown),
        "total": len(chosen),
        "next_url": page_url(request, page=page + 1) if len(chosen) > page * SHOWN else None,
        "first_url": page_url(request, page=None) if page > 1 else None,
        "planned": queries.planned_maintenance(now, [entry.deployment.pk for entry in chosen] if only else None),
        **_evidence(request, shown, now, days),
    }
    return render(request, "providers/uptime/uptime.html", context)


def _parameters(request: HttpRequest) -> tuple[int, set[str], int]:
    """Days, deployments and page as the URL says; what it says wrongly is the default."""
    text = request.GET.get("days", "")
    days = next((choice for choice in PERIODS if str(choice) == text), PERIODS[-1])
    page = request.GET.get("page", "")
    return days, set(request.GET.getlist("deployment")), max(1, int(page)) if page.isdecimal() and len(page) < 6 else 1


def _period(request: HttpRequest, days: int, current: int) -> dict[str, Any]:
    label = ngettext("%(n)d day", "%(n)d days", days) % {"n": days}
    return {"label": label, "url": page_url(request, days=days, page=None), "current": days == current}


def _evidence(request: HttpRequest, shown: Sequence[DeploymentNow], now: datetime, days: int) -> dict[str, Any]:
    """Rows of the table, the strips and the outages; read over the longest period, so that every uptime is there."""
    ids = [entry.deployment.pk for entry in shown]
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first, start = (midnight - timedelta(days=n - 1) for n in (PERIODS[-1], days))
    report = queries.reports_by_slug(ids, first, now)
    reported = [(entry, report[entry.deployment.slug]) for entry in shown if entry.deployment.slug in report]
    speeds = queries.latency_by_hour(ids, now - timedelta(hours=24), now)
    windows = queries.maintenance_windows(ids, start, now)
    broke = [outage.row for _entry, figures in reported for outage in figures.outages if outage.row]
    period = uptime_page.days_of(start, now)
    return {
        "rows": [_row(request, entry, figures, speeds[entry.deployment.pk], now) for entry, figures in reported],
        "strips": [
            _strip(entry, figures, period, windows.get(entry.deployment.pk, ()), now) for entry, figures in reported
        ],
        "axis": uptime_page.axis(period),
        "record": uptime_page.record([figures for _entry, figures in reported], start, now, cost_of(broke, now)),
    }


def _row(
    request: HttpRequest, entry: DeploymentNow, figures: DeploymentUptime, speeds: Sequence[float | None], now: datetime
) -> dict[str, Any]:
    today, expires = now.astimezone(UTC).date(), entry.deployment.tls_expires_at
    return {
        "now": entry,
        "only_url": page_url(request, deployment=entry.deployment.slug, page=None),
        "uptimes": [_uptimes(figures, today, n) for n in (1, *PERIODS)],
        "speeds": speeds,
        "expires_soon": expires is not None and expires - now < TLS_WARNS,
        "limits": uptime_page.limits_used(entry.deployment, now),
    }


def _uptimes(figures: DeploymentUptime, today: date, days: int) -> dict[str, Any]:
    """Uptime of the last days; with planned windows counted only where there were any."""
    since = today - timedelta(days=days - 1)
    planned = figures.planned_since(since) > 0
    return {
        "label": ngettext("today", "%(n)d days", days) % {"n": days},
        "period": f"{days} days",
        "share": figures.uptime_since(since),
        "counted": figures.uptime_with_maintenance(since) if planned else None,
    }


def _strip(
    entry: DeploymentNow, figures: DeploymentUptime, period: Sequence[date], windows: Sequence[Span], now: datetime
) -> dict[str, Any]:
    share, down = figures.uptime_since(period[0]), timedelta(seconds=figures.down_since(period[0]))
    if down:
        lost = _("%(lost)s down") % {"lost": duration(down)}
    else:
        lost = _("not checked") if share is None else _("no downtime")
    return {
        "now": entry,
        "cells": uptime_page.cells(figures, period, windows, now),
        "uptime": share,
        "lost": lost,
        "label": _("%(name)s, one cell a day") % {"name": entry.deployment.name},
    }
