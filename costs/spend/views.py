"""Where did the money go, does it match the bills, and what changed since last month?"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from costs.allocation.queries import anything_spent
from costs.dates import CLOSED_DAYS, month_asked, running_month, today
from costs.ledger.queries import first_known_day
from costs.spend.page import DIMENSIONS, SpendPage, SpendParams
from lib.dates import DAY
from lib.http import get_view
from providers.models import provider_name
from traffic.usage.filters import Filters

FILTERS = ("provider", "model", "application", "task")


@get_view("costs.view_charge")
def spend(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    query = cleaned_query(request.GET)
    params = SpendParams.of_page(
        month_asked(request, opening_month(now)), Filters.of_query(query), _by(query.get("by", ""))
    )
    page = SpendPage(params, now, first_known_day(today()))
    fields = fields_of(page, query)
    filtered = [name for field in fields[1:] for value, name in field["options"] if value in field["chosen"]]
    context = {
        "page": page,
        "answer": page.answer(filtered),
        "now": now,
        "fields": fields,
        "filtered": filtered,
        "all_url": address(query, **dict.fromkeys(FILTERS)),
        "tabs": [
            {"label": _label(name), "url": address(query, by=name) + "#users-h", "current": name == params.by}
            for name in DIMENSIONS
        ],
        "user_rows": [(row, address(query, **{params.by: row.key})) for row in page.users],
        "provider_rows": [(row, address(query, provider=row.slug)) for row in page.providers],
        "charges_month": f"{params.month:%Y-%m}",
        "json_url": "/api/v1/spend?" + _api_query(page, query),
        "changes_url": reverse("costs:changes") + address(query, by=None),
        "units_url": reverse("costs:units") + address(query),
    }
    return render(request, "costs/spend/spend.html", context)


def opening_month(now: datetime) -> date:
    """The month that pages about spend open on: in the first days of a month the one that has just closed.

    That one has all its figures; the new one has none worth comparing yet. Without anything spent in it, the new one.
    """
    running = running_month(now)
    closed = (running - DAY).replace(day=1)
    return closed if now.astimezone(UTC).day <= CLOSED_DAYS and anything_spent(closed, running) else running


def cleaned_query(query: QueryDict) -> QueryDict:
    """Drop empty values: a select's "all" is sent as an empty value and is no filter."""
    cleaned = QueryDict(mutable=True)
    for name, values in query.lists():
        cleaned.setlist(name, [value for value in values if value and "\x00" not in value][:20])
    return cleaned


def _by(text: str) -> str:
    return text if text in DIMENSIONS else DIMENSIONS[0]


def _label(name: str) -> str:
    return {
        "provider": _("Provider"), "model": _("Model"), "application": _("Application"), "task": _("Task"),
    }[name]  # fmt: skip


def address(query: QueryDict, **changes: str | None) -> str:
    """Return this page's address with some parameters changed; None removes one."""
    pairs = [(key, values) for key, values in query.lists() if key not in changes and values]
    added = [(key, [value]) for key, value in changes.items() if value]
    text = urlencode([*pairs, *added], doseq=True)
    return f"?{text}" if text else "?"


def fields_of(page: SpendPage, query: QueryDict) -> list[dict[str, Any]]:
    """The selects: month first, then one for each filter. A value that the period does not have stays chosen."""
    months = [(f"{month:%Y-%m}", date_format(month, "F Y")) for month in page.months]
    fields: list[dict[str, Any]] = [
        {"name": "month", "label": _("Month"), "options": months, "chosen": [f"{page.params.month:%Y-%m}"]}
    ]
    for name in FILTERS:
        chosen = query.getlist(name)
        offered = page.choices[name]
        values = [value for value, _label_ in offered.pairs]
        more = [(value, provider_name(value)) for value in chosen if value not in values]
        options = [*offered.pairs, *more]
        fields.append({"name": name, "label": _label(name), "options": options, "chosen": chosen, "more": offered.more})
    return fields


def _api_query(page: SpendPage, query: QueryDict) -> str:
    days = page.days
    period = [("from", days.since.isoformat()), ("to", days.until.isoformat()), ("group_by", "provider")]
    return urlencode([*period, *((name, value) for name in FILTERS for value in query.getlist(name))])
