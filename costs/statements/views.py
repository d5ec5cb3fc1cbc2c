"""What does each application or owner have to carry? Statements of a month, as pages to print and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.dates import month_asked, month_in, months_since, today
from costs.focus.cells import text
from costs.ledger.queries import first_known_day
from costs.statements.queries import SORTS, By, Statement, Statements, csv_rows, statements
from lib.http import get_view
from lib.paging import in_order

WAYS: tuple[By, ...] = ("application", "owner")


@get_view()
def statement_list(request: HttpRequest) -> HttpResponse:
    now = today()
    month, by = month_asked(request, default=last_month(now)), _by(request.GET.get("by", ""))
    month_statements = seen(request, month, by)
    context = {
        "month_statements": month_statements,
        "rows": in_order(month_statements.statements, SORTS, request.GET.get("sort")),
        "ways": [(way, way_name(way), f"?month={month:%Y-%m}&by={way}") for way in WAYS],
        "months": months_since(first_known_day(now), now, month),
        "sharing_url": reverse("costs:sharing"),
        "json_url": f"/api/v1/statements?month={month:%Y-%m}&by={by}",
    }
    return render(request, "costs/statements/statements.html", context)


@get_view()
def statements_csv(request: HttpRequest) -> HttpResponse:
    """All statements of a month in one file."""
    month_statements = _all(request)
    return as_csv(
        month_statements,
        month_statements.statements,
        f"statements-{month_statements.month:%Y-%m}-by-{month_statements.by}",
    )


@get_view()
def statement(request: HttpRequest, month: str, by: By, key: str) -> HttpResponse:
    month_statements, chosen = _one(request, month, by, key)
    groups: dict[str, list[Any]] = {}
    for row in chosen.rows:
        groups.setdefault(row.key.application, []).append(row)
    context = {
        "month_statements": month_statements,
        "statement": chosen,
        "answer": month_statements.headline_of(chosen),
        "groups": [
            (
                month_statements.names.get(slug, ""),
                rows,
                sum(row.cents for row in rows),
                chosen.unpriced_of.get(slug, 0),
            )
            for slug, rows in groups.items()
        ],
    }
    return render(request, "costs/statements/statement.html", context)


@get_view()
def statement_csv(request: HttpRequest, month: str, by: By, key: str) -> HttpResponse:
    month_statements, chosen = _one(request, month, by, key)
    return as_csv(month_statements, [chosen], f"statement-{month_statements.month:%Y-%m}-{file_name(chosen)}")


@get_view()
def statements_pdf(request: HttpRequest) -> HttpResponse:
    """All statements of a month to print or to file."""
    month_statements = _all(request)
    return as_pdf(
        month_statements,
        month_statements.statements,
        f"statements-{month_statements.month:%Y-%m}-by-{month_statements.by}",
    )


@get_view()
def statement_pdf(request: HttpRequest, month: str, by: By, key: str) -> HttpResponse:
    month_statements, chosen = _one(request, month, by, key)
    return as_pdf(month_statements, [chosen], f"statement-{month_statements.month:%Y-%m}-{file_name(chosen)}")


def seen(request: HttpRequest, month: date, by: By) -> Statements:
    """All statements for whoever sees figures; for anybody else those of the applications that they own."""
    month_statements = statements(month, by, today())
    return month_statements if request.user.has_perm("costs.view_charge") else month_statements.of_owner(request.user)


def _all(request: HttpRequest) -> Statements:
    """Of the month and way asked for; a file for people who own nothing does not exist."""
    text = request.GET.get("month", "")
    month = month_in(text) if text else last_month(today())
    if month is None or month > today():
        raise Http404(_("“%(text)s” is not a past or current month. Write it as 2026-10.") % {"text": text[:40]})
    month_statements = seen(request, month, _by(request.GET.get("by", "")))
    if not month_statements.whole and not month_statements.statements:
        raise Http404(_("You have no statement for this month."))
    return month_statements


def _one(request: HttpRequest, month: str, by: str, key: str) -> tuple[Statements, Statement]:
    first = month_in(month)
    if first is None or first > today() or by not in WAYS:
        raise Http404
    month_statements = seen(request, first, _by(by))
    chosen = month_statements.get(key)
    if chosen is None:
        raise Http404(_("There is no such statement for this month."))
    return month_statements, chosen


def file_name(statement: Statement) -> str:
    return "".join(letter for letter in statement.key if letter.isalnum() or letter in "-_") or "statement"


def as_pdf(month_statements: Statements, chosen: Sequence[Statement], name: str) -> HttpResponse:
    from costs.statements.pdf import pdf  # the library is large, and most processes never need it

    answer = HttpResponse(pdf(month_statements, chosen, timezone.now()), content_type="application/pdf")
    answer["Content-Disposition"] = f'attachment; filename="{name}.pdf"'
    return answer


def as_csv(month_statements: Statements, chosen: Iterable[Statement], name: str) -> HttpResponse:
    """Amounts may begin with a minus; every other cell is kept from being taken for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for row in csv_rows(month_statements, chosen):
        *words, cents, exact, least = (str(cell) for cell in row)
        writer.writerow([*(text(word) for word in words), cents, exact, least])
    answer = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def last_month(now: date) -> date:
    return (now.replace(day=1) - timedelta(days=1)).replace(day=1)


def _by(text: str) -> By:
    return "application" if text == "application" else "owner"


def way_name(way: By) -> str:
    return _("By application") if way == "application" else _("By owner")
