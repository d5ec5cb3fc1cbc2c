"""What needed someone before: alerts that are over, by whatever the address asks for."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.inbox import queries, response_times
from alerts.inbox.page import HistoryPage
from alerts.kinds import KINDS
from alerts.models import Severity
from lib.dates import day_of
from lib.http import get_view

SHOWN = 50
ASKED = ("kind", "severity", "rule", "answered", "q", "from", "to")


@get_view("alerts.view_alert")
def history(request: HttpRequest) -> HttpResponse:
    """Newest first, a page at a time; what the address asks for and we do not know is left out."""
    params = asked_of(request)
    before = request.GET.get("before", "")
    key = int(before) if before.isdecimal() and len(before) < 18 else None
    page = queries.history_page(params, before=key, size=SHOWN)
    context = {
        "alerts": page.rows,
        "page": HistoryPage(
            page.total or 0, any(params.values()), response_times.pace(timezone.now() - timedelta(days=30))
        ),
        "asked": params,
        "from_day": params["from"],
        "kinds": [
            (name, queries.rule_name(name) if kind.shipped else _("rules of our own")) for name, kind in KINDS.items()
        ],
        "severities": Severity.choices,
        "rules": queries.rules_by_sentence(),
        "total": page.total,
        "shown": len(page.rows),
        "first_url": address(params) if before else None,
        "next_url": address(params, before=str(page.next_before)) if page.next_before is not None else None,
        "json_url": "/api/v1/alerts?state=resolved",
    }
    return render(request, "alerts/inbox/history.html", context)


def asked_of(request: HttpRequest) -> dict[str, str]:
    params = {name: request.GET.get(name, "").strip()[:200] for name in ASKED}
    choices = {"kind": set(KINDS), "severity": set(Severity.values), "answered": {"yes", "no"}}
    for name, values in choices.items():
        params[name] = params[name] if params[name] in values else ""
    for name in ("from", "to"):
        params[name] = params[name] if day_of(params[name]) else ""
    return params


def address(params: dict[str, str], **more: str) -> str:
    return "?" + urlencode({name: value for name, value in {**params, **more}.items() if value})
