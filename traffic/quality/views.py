"""Which answers are good? The scoreboard, as people rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.http import get_view
from lib.periods import Period
from traffic.authentication.access import FIGURES
from traffic.models import Task
from traffic.quality import queries
from traffic.quality.page import Answer, Named, RaterLine, Table, criteria_tables
from traffic.quality.queries import PASS, GroupBy, QualityGroup, names_of_raters
from traffic.quality.scoreboard import PERIODS, Scoreboard, period_of, scoreboard
from traffic.usage.filters import Filters
from traffic.visibility import applications_of

COMMENTS = 12


@get_view("traffic.view_quality")
def quality(request: HttpRequest) -> HttpResponse:
    days = next((choice for choice in PERIODS if request.GET.get("days") == str(choice)), PERIODS[1])
    period = period_of(days)
    filters = Filters.of_query(request.GET)
    money = request.user.has_perm(FIGURES)
    board = scoreboard(days, filters)
    kinds: tuple[GroupBy, ...] = get_args(GroupBy)
    tables = [Table(kind, named(kind, board.groups[kind]), money) for kind in kinds]
    context = {
        "answer": answer(board, tables[0].groups, days),
        "board": board,
        "tables": tables,
        "money": money,
        "criteria": criteria_tables(dict(board.criteria), names_of("deployment")) if board.criteria else [],
        "raters": rater_lines(board),
        "comments": comments(request, period, filters) if board.total else [],
        "periods": [
            {"label": ngettext("%(n)d day", "%(n)d days", n) % {"n": n}, "url": f"?days={n}", "current": n == days}
            for n in PERIODS
        ],
        "mark": PASS,
        "json_url": "/api/v1/quality?"
        + urlencode({"from": period.first_day, "to": period.end_day, "group_by": "deployment"}),
    }
    return render(request, "traffic/quality/quality.html", context)


def rater_lines(board: Scoreboard) -> list[RaterLine]:
    """Our people with a bias or a gold answer, those with the largest bias first."""
    biases = dict(board.biases)
    names = names_of_raters([*biases, *(rater for rater in board.gold if rater not in biases)])
    return [RaterLine(name, biases.get(rater), *board.gold.get(rater, (0, 0))) for rater, name in names.items()]


def answer(board: Scoreboard, groups: Sequence[Named], days: int) -> Answer:
    """The first sentence; deployments are compared on one task that both have enough ratings of."""
    if board.alike is None:
        return Answer(board.total, groups, days)
    task, alike = board.alike
    return Answer(board.total, groups, days, names_of("task").get(task, task), named("deployment", alike))


def named(kind: str, groups: Sequence[QualityGroup]) -> list[Named]:
    """Groups with the words that people read for their keys."""
    names = names_of(kind)
    return [Named(names.get(group.key or "") or group.key or _("not known"), group) for group in groups]


def names_of(kind: str) -> dict[str, str]:
    if kind == "deployment":
        return queries.deployment_names()
    return {value: str(label) for value, label in Task.choices} if kind == "task" else {}


def comments(request: HttpRequest, period: Period, filters: Filters) -> Sequence[dict[str, Any]]:
    """What raters wrote last, of requests that this person may open: a comment may quote an answer."""
    latest = queries.latest_comments(period, filters, applications_of(request.user), COMMENTS)
    return [{"rating": rating, "good": queries.acceptable(rating)} for rating in latest]
