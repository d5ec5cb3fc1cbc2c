"""How fast are answers, how often do they fail, and since when? By deployment, model, application or task."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lib.dates import DAY, day_of, midnight
from lib.http import get_view
from lib.periods import Period
from traffic.latency import page as latency_page
from traffic.latency.queries import By
from traffic.requests.facets import FilterChoices
from traffic.requests.params import address, choices, ignored_params, rollup_filter, unknown_values
from traffic.requests.request_filter import RequestFilter

PERIODS = (1, 7, 30, 90)
LONGEST = timedelta(days=400)
WAYS: dict[str, Any] = {
    "deployment": gettext_lazy("Deployment"), "model": gettext_lazy("Model"),
    "application": gettext_lazy("Application"), "task": gettext_lazy("Task"),
}  # fmt: skip
FIELDS = ("provider", "model", "deployment", "application", "task")
DAYS = ("from", "to", "against")
TAKEN = {*FIELDS, *DAYS, "by", "days"}


@get_view()
def latency(request: HttpRequest) -> HttpResponse:
    request_filter = rollup_filter(request)
    period, days = period_of(request)
    against = against_of(request, period)
    group_by = request.GET.get("by", "")
    by: By = next((way for way in get_args(By) if way == group_by), "deployment")
    offered = choices(request_filter)
    context = {
        "page": latency_page.page(
            period,
            against,
            by,
            request_filter.visible_filters(),
            {value: str(label) for value, label in offered[by].pairs},
            filtered=any(request.GET.get(name) for name in FIELDS),
            no_applications=request_filter.applications is not None and not request_filter.applications,
        ),
        "by": by,
        "by_word": WAYS[by],
        "ways": [
            {"label": label, "url": address(request, by=way), "current": way == by} for way, label in WAYS.items()
        ],
        "periods": [
            {
                "label": _("24 hours") if n == 1 else ngettext("%(n)d day", "%(n)d days", n) % {"n": n},
                "url": address(request, **{"days": str(n), "from": None, "to": None}),
                "current": n == days,
            }
            for n in PERIODS
        ],
        "fields": fields_of(request, offered),
        "not_taken": not_taken(request, request_filter),
        "hidden": [(name, request.GET[name]) for name in ("by", "days", "from", "to") if request.GET.get(name)],
        "against": request.GET.get("against", ""),
        "requests_url": requests_url(request, period),
        "json_urls": [
            (word, f"{path}?{urlencode({**more, 'from': iso(period.since), 'to': iso(period.until)})}")
            for word, path, more in (
                (_("percentiles"), "/api/v1/latency", {"group_by": by}),
                (_("heat map"), "/api/v1/latency/heat", {"step": "hour" if days == 1 else "day"}),
                (_("errors"), "/api/v1/errors", {"group_by": by}),
            )
        ],
    }
    return render(request, "traffic/latency/latency.html", context)


def not_taken(request: HttpRequest, request_filter: RequestFilter) -> list[str]:
    """Sentences on what of the address changes nothing, or can hold for no request."""
    query = request.GET
    sentences = ignored_params(query, TAKEN) + unknown_values(query, request_filter)
    for name in DAYS:
        if (text := query.get(name, "").strip()) and day_of(text) is None:
            sentences.append(_("“%(text)s” is not a day. Write it as 2026-11-01.") % {"text": text[:40]})
    if (text := query.get("days", "")) and text not in map(str, PERIODS):
        sentences.append(_("“%(text)s” is not a period. These are the last 7 days.") % {"text": text[:40]})
    if (text := query.get("by", "")) and text not in WAYS:
        sentences.append(_("“%(text)s” is not a grouping. This is by deployment.") % {"text": text[:40]})
    return sentences


def requests_url(request: HttpRequest, period: Period) -> str:
    """The list of the requests that are shown, for more parameters to be put behind it: its days are whole."""
    pairs = [(name, value) for name in FIELDS for value in request.GET.getlist(name) if value]
    days = [("from", f"{period.first_day}"), ("to", f"{period.end_day}")]
    return f"{reverse('traffic:requests')}?{urlencode([*days, *pairs])}"


def period_of(request: HttpRequest) -> tuple[Period, int | None]:
    """The period of the address, and how many days back from now where it is such a one."""
    now = timezone.now()
    first, end = day_of(request.GET.get("from", "")), day_of(request.GET.get("to", ""))
    if first is not None and end is not None and first < end and end - first <= LONGEST:
        return Period(midnight(first), midnight(end)), None
    days = next((n for n in PERIODS if str(n) == request.GET.get("days")), 7)
    if days == 1:
        end_hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        return Period(end_hour - DAY, end_hour), days
    tomorrow = now.astimezone(UTC).date() + DAY
    return Period(midnight(tomorrow - DAY * days), midnight(tomorrow)), days


def against_of(request: HttpRequest, period: Period) -> Period:
    """The period it is compared with: of the same length from the day that is named, else the one just before."""
    span = period.until - period.since
    start = day_of(request.GET.get("against", ""))
    if start is None or start.year < 2000:
        return Period(period.since - span, period.since)
    return Period(midnight(start), midnight(start) + span)


def iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def fields_of(request: HttpRequest, offered: Mapping[str, FilterChoices]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "label": _("Provider") if name == "provider" else WAYS[name],
            "options": [(value, label, value in request.GET.getlist(name)) for value, label in offered[name].pairs],
            "more": offered[name].more,
        }
        for name in FIELDS
    ]
