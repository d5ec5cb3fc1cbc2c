"""What changed since last month, or against the plan: every step with the rows behind it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.dates import month_asked, today
from costs.ledger.queries import first_known_day
from costs.spend.page import SpendPage, SpendParams
from costs.spend.views import address, cleaned_query, fields_of, opening_month
from costs.variance import queries as steps
from lib.formats import month
from lib.http import get_view
from traffic.usage.filters import Filters


@get_view("costs.view_charge")
def changes(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    query = cleaned_query(request.GET)
    params = SpendParams.of_page(month_asked(request, opening_month(now)), Filters.of_query(query))
    page = SpendPage(params, now, first_known_day(today()))
    against = "plan" if query.get("against") == "plan" else "month"
    plan = steps.planned(page.days) if against == "plan" else None
    bridge = steps.against_plan(plan, page.data) if plan else page.change
    rows = steps.named_steps(bridge, page.days, page.known_applications)
    context: dict[str, Any] = {
        "page": page,
        "days": page.days,
        "bridge": bridge,
        "rows": rows,
        "answer": steps.headline(bridge, rows, page.days, plan),
        "period": steps.period(page.days, plan),
        "drawn": steps.waterfall(bridge, rows, _("Plan") if plan else month(page.days.before), month(page.days.since)),
        "against": against,
        "plan": plan,
        "fields": fields_of(page, query),
        "filtered": any(query.getlist(name) for name in ("provider", "model", "application", "task")),
        "tabs": [
            (_("Last month"), address(query, against=None), against == "month"),
            (_("Plan"), address(query, against="plan"), against == "plan"),
        ],
    }
    return render(request, "costs/variance/changes.html", context)
