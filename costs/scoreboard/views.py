"""Quality beside cost and speed: is the cheaper answer good enough?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.scoreboard.page import ScoreboardPage
from costs.scoreboard.queries import Scoreboard, self_hosted
from lib.http import get_view, page_url
from traffic.authentication.access import FIGURES
from traffic.models import Task
from traffic.quality.queries import PASS, deployment_names
from traffic.usage.filters import Filters


@get_view(FIGURES)
def scoreboard(request: HttpRequest) -> HttpResponse:
    names = {"deployment": deployment_names(), "task": {value: str(label) for value, label in Task.choices}}
    board = Scoreboard(timezone.now().date(), Filters.of_query(request.GET))
    page = ScoreboardPage(board, names, self_hosted())
    context = {
        "page": page,
        "mark": PASS,
        "tasks": choices(request, names["task"]),
        "json_url": "/api/v1/scoreboard?group_by=deployment",
    }
    return render(request, "costs/scoreboard/scoreboard.html", context)


def choices(request: HttpRequest, tasks: Mapping[str, str]) -> list[dict[str, Any]]:
    """Links to one task each, as shares of different tasks say little about each other, and to all of them."""
    chosen = request.GET.get("task")
    links = [{"label": label, "url": page_url(request, task=task), "current": task == chosen}
             for task, label in tasks.items()]  # fmt: skip
    return [{"label": _("All tasks"), "url": page_url(request, task=None), "current": not chosen}, *links]
