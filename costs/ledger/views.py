"""Which lines make the month's total, and which of them may still change?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from costs.dates import month_asked, months_since, today
from costs.labels import category_name
from costs.ledger.page import SORTS, LedgerRow, headline, ledger_rows
from costs.ledger.queries import first_known_day
from costs.models import Provenance
from lib.http import get_view
from lib.money import ZERO
from lib.paging import in_order, known_sort, page_number
from providers.models import provider_name

PER_PAGE = 100
FILTERS = ("provider", "category", "provenance")


@get_view("costs.view_charge")
def ledger(request: HttpRequest) -> HttpResponse:
    now = today()
    month = month_asked(request)
    everything = ledger_rows(month)
    filters = {name: request.GET.get(name, "") for name in FILTERS}
    rows = [
        row for row in everything if all(not value or getattr(row, name) == value for name, value in filters.items())
    ]
    number, sort = page_number(request.GET.get("page", "")), known_sort(request.GET.get("sort"), SORTS)
    shown = in_order(rows, SORTS, sort)[(number - 1) * PER_PAGE :][:PER_PAGE]
    query = {"month": f"{month:%Y-%m}", **{name: value for name, value in filters.items() if value}}
    query |= {"sort": sort} if sort else {}
    context = {
        "month": month,
        "today": now,
        "months": months_since(first_known_day(now), now, month),
        "rows": shown,
        "count": len(rows),
        "sum": total(rows),
        "answer": headline(month, len(rows), total(rows), total(row for row in rows if row.final_on > now)),
        "categories": by_category(rows),
        "fields": fields(everything, filters),
        "filtered": any(filters.values()),
        "next_url": f"?{urlencode(query | {'page': number + 1})}" if len(rows) > number * PER_PAGE else None,
        "first_url": f"?{urlencode(query)}" if number > 1 else None,
        "json_url": f"/api/v1/spend?{urlencode({'from': month.isoformat(), 'group_by': 'category'})}",
    }
    return render(request, "costs/ledger/ledger.html", context)


def total(rows: Iterable[LedgerRow]) -> Decimal:
    return sum((row.amount for row in rows), ZERO)


def by_category(rows: list[LedgerRow]) -> list[tuple[str, Decimal]]:
    """Names and sums, the dearest first."""
    amounts: dict[str, Decimal] = {}
    for row in rows:
        amounts[row.category] = amounts.get(row.category, ZERO) + row.amount
    return [(category_name(slug), amount) for slug, amount in sorted(amounts.items(), key=lambda item: -item[1])]


def fields(rows: list[LedgerRow], chosen: dict[str, str]) -> list[dict[str, object]]:
    """A select for each filter, with what occurs in the month."""
    labels = {"provider": _("Provider"), "category": _("For"), "provenance": _("Source")}
    names: dict[str, Callable[[str], str]] = {
        "provider": provider_name,
        "category": category_name,
        "provenance": lambda slug: str(Provenance(slug).label) if slug in Provenance.values else slug,
    }
    return [
        {
            "name": name,
            "label": labels[name],
            "chosen": chosen[name],
            "options": sorted(
                ((slug, names[name](slug)) for slug in {getattr(row, name) for row in rows} | {chosen[name]} if slug),
                key=lambda option: option[1],
            ),
        }
        for name in FILTERS
    ]
