"""What needed someone before: alerts that are over, by whatever the address asks for."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.inbox import queries, response_times
from alerts.inbox.page import SORTS, HistoryPage
from alerts.kinds import KINDS
from alerts.models import Severity
from lib.dates import day_of
from lib.http import get_view
from lib.paging import in_order, known_sort, page_number

SHOWN = 50
SORTED_MOST = 1_000  # alerts, the newest, that are read to put them into another order
ASKED = ("kind", "severity", "rule", "answered", "q", "from", "to")


@get_view("alerts.view_alert")
def history(request: HttpRequest) -> HttpResponse:
    """Newest first or in the order asked for, a page at a time; what we do not know of the address is left out."""
    params = asked_of(request)
    before = request.GET.get("before", "")
    key = int(before) if before.isdecimal() and len(before) < 18 else None
    sort = known_sort(request.GET.get("sort"), SORTS)
    page = queries.history_page(params, before=None if sort else key, size=SORTED_MOST if sort else SHOWN)
    rows, first_url = page.rows, address(params) if before else None
    next_url = None if page.next_before is None else address(params, before=str(page.next_before))
    if sort:
        number = page_number(request.GET.get("page", ""))
        rows = in_order(rows, SORTS, sort)[(number - 1) * SHOWN :]
        next_url = address(params, sort=sort, page=str(number + 1)) if len(rows) > SHOWN else None
        first_url = address(params, sort=sort) if number > 1 else None
        rows = rows[:SHOWN]
    context = {
        "alerts": rows,
        "page": HistoryPage(
            page.total or 0,
            any(params.values()),
            response_times.pace(timezone.now() - timedelta(days=30)),
            SORTED_MOST if sort else 0,
        ),
        "asked": params,
        "from_day": params["from"],
        "kinds": [
            (name, queries.rule_name(name) if kind.shipped else _("custom rules")) for name, kind in KINDS.items()
        ],
        "severities": Severity.choices,
        "rules": queries.rules_by_sentence(),
        "total": page.total,
        "shown": len(rows),
        "first_url": first_url,
        "next_url": next_url,
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
