"""Which answers are good? The scoreboard, as people rate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, get_args
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.dates import midnight
from lib.http import get_view
from lib.periods import Period
from traffic.authentication.access import FIGURES
from traffic.models import Task
from traffic.quality import queries as scoreboard
from traffic.quality.criteria import by_criterion
from traffic.quality.page import Answer, Named, RaterLine, Table, criteria_tables
from traffic.quality.queries import PASS, GroupBy, QualityGroup
from traffic.usage.filters import Filters
from traffic.visibility import applications_of

PERIODS = (7, 30, 90)
COMMENTS = 12


@get_view("traffic.view_quality")
def quality(request: HttpRequest) -> HttpResponse:
    days = next((choice for choice in PERIODS if request.GET.get("days") == str(choice)), PERIODS[1])
    period = period_of(days)
    filters = Filters.of_query(request.GET)
    money = request.user.has_perm(FIGURES)
    kinds: tuple[GroupBy, ...] = get_args(GroupBy)
    shared = scoreboard.shared(period, filters)
    agreed = shared.agreed
    tables = [table(kind, period, filters, agreed, money=money) for kind in kinds]
    rated = scoreboard.quality(period, "", filters, agreed=agreed)
    context = {
        "answer": answer(rated[0] if rated else None, tables[0].groups, days, filters),
        "tables": tables,
        "money": money,
        "criteria": criteria_tables(by_criterion(period, "deployment", filters), names_of("deployment"))
        if rated
        else [],
        "raters": [RaterLine(name, bias) for name, bias in scoreboard.without_hidden(shared.biases)],
        "comments": comments(request, period, filters) if rated else [],
        "periods": [
            {"label": ngettext("%(n)d day", "%(n)d days", n) % {"n": n}, "url": f"?days={n}", "current": n == days}
            for n in PERIODS
        ],
        "mark": PASS,
        "json_url": "/api/v1/quality?"
        + urlencode({"from": period.first_day, "to": period.end_day, "group_by": "deployment"}),
    }
    return render(request, "traffic/quality/quality.html", context)


def answer(total: QualityGroup | None, groups: Sequence[Named], days: int, filters: Filters) -> Answer:
    """The first sentence; deployments are compared on one task that both have enough ratings of."""
    pair = scoreboard.like_with_like(timezone.now().date(), filters) if total and total.enough else None
    if pair is None:
        return Answer(total, groups, days)
    task, alike = pair
    names = names_of("deployment")
    named = [Named(names.get(group.key or "") or str(group.key), group) for group in alike]
    return Answer(total, groups, days, names_of("task").get(task, task), named)


def period_of(days: int) -> Period:
    end = midnight(timezone.now().date() + timedelta(days=1))
    return Period(end - timedelta(days=days), end)


def table(kind: GroupBy, period: Period, filters: Filters, agreed: Any, *, money: bool) -> Table:
    """One grouping with the words that people read for its keys, and what an answer costs for who may see `money`."""
    names = names_of(kind)
    groups = [
        Named(names.get(group.key or "") or group.key or _("not known"), group)
        for group in scoreboard.quality(period, kind, filters, agreed=agreed)
    ]
    return Table(kind, groups, money)


def names_of(kind: str) -> dict[str, str]:
    if kind == "deployment":
        return scoreboard.deployment_names()
    return {value: str(label) for value, label in Task.choices} if kind == "task" else {}


def comments(request: HttpRequest, period: Period, filters: Filters) -> Sequence[dict[str, Any]]:
    """What raters wrote last, of requests that this person may open: a comment may quote an answer."""
    latest = scoreboard.latest_comments(period, filters, applications_of(request.user), COMMENTS)
    return [{"rating": rating, "good": scoreboard.acceptable(rating)} for rating in latest]
