"""What one request, one accepted answer, a million tokens or an incident costs, and how that moves."""

from __future__ import annotations

from datetime import UTC, timedelta
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.dates import compared, month_asked, month_of, today
from costs.ledger.queries import first_known_day
from costs.spend.page import SpendPage, SpendParams
from costs.spend.views import address, cleaned_query, fields_of, opening_month
from costs.units import page
from costs.units.queries import BYS, By, UnitCosts
from costs.units.users import application_of, user_units
from lib.http import get_view
from traffic.usage.filters import Filters


@get_view("costs.view_charge")
def units(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    query = cleaned_query(request.GET)
    by: By = next((name for name in BYS if name == query.get("by")), "application")
    params = SpendParams.of_page(month_asked(request, opening_month(now)), Filters.of_query(query), by)
    spend = SpendPage(params, now, first_known_day(today()))
    costs = UnitCosts(spend, by, request.GET.get("sort", ""))
    labels = {"application": _("Application"), "task": _("Task"), "model": _("Model"), "provider": _("Provider")}
    context = {
        "days": spend.days,
        "costs": costs,
        "answer": page.headline(costs),
        "period": compared(spend.days),
        "incidents_headline": page.incidents_headline(costs.incidents),
        "whole": costs.whole,
        "label": labels[by],
        "tabs": [(labels[name], address(query, by=name) + "#units-h", name == by) for name in BYS],
        "by": by,
        "fields": fields_of(spend, query),
        "json_url": "/api/v1/unit-costs?" + urlencode({"month": f"{spend.days.since:%Y-%m}", "group_by": by}),
    }
    return render(request, "costs/units/units.html", context)


@get_view("costs.view_charge")
def unit_users(request: HttpRequest, slug: str) -> HttpResponse:
    """The dearest users of one application in a month."""
    application = application_of(slug)
    now = timezone.now()
    month = month_asked(request, opening_month(now))
    until = min(month_of(month)[1], now.astimezone(UTC).date()) + timedelta(days=1)
    user_costs = user_units(application, month, until)
    context = {
        "user_costs": user_costs,
        "answer": page.users_headline(user_costs),
        "month": month,
        "last": until - timedelta(days=1),
        "json_url": f"/api/v1/unit-costs/{slug}/users?month={month:%Y-%m}",
    }
    return render(request, "costs/units/unit_users.html", context)
