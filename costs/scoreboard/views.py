"""Quality beside cost and speed: is the cheaper answer good enough?"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from costs.scoreboard.page import ScoreboardPage
from costs.scoreboard.queries import Scoreboard, self_hosted
from lib.http import get_view
from traffic.authentication.access import FIGURES
from traffic.models import Task
from traffic.quality.queries import PASS, deployment_names
from traffic.usage.filters import Filters


@get_view(FIGURES)
def scoreboard(request: HttpRequest) -> HttpResponse:
    names = {"deployment": deployment_names(), "task": {value: str(label) for value, label in Task.choices}}
    board = Scoreboard(timezone.now().date(), Filters.of_query(request.GET))
    page = ScoreboardPage(board, names, self_hosted())
    context = {"page": page, "mark": PASS, "json_url": "/api/v1/scoreboard?group_by=deployment"}
    return render(request, "costs/scoreboard/scoreboard.html", context)
