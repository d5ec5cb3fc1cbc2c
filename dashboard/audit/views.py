"""The settings page of the audit log with filters, and its export as a file."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy

from dashboard.audit.page import (
    ACTS,
    ALL,
    COLUMNS,
    PAGE,
    REFUSED,
    AuditFilter,
    address_of,
    audit_filter,
    counted,
    empty_words,
    entries,
    headline,
    log_heading,
    names,
    older_than,
    plain_rows,
    thing_in_words,
)
from lib.http import get_view
from providers.models import Action
from traffic.requests.export import as_csv, as_jsonl

MARKS = {
    Action.ADDED: "ok",
    Action.DELETED: "bad",
    Action.LOGIN_FAILED: "warn",
    Action.REFUSED: "warn",
    Action.REVOKED_KEY: "bad",
}
SHOWS = {ACTS: gettext_lazy("What was done"), REFUSED: gettext_lazy("What was refused"), ALL: gettext_lazy("All")}
FILES = {"csv": (as_csv, "text/csv; charset=utf-8"), "jsonl": (as_jsonl, "application/x-ndjson")}


@get_view("providers.view_auditentry")
def audit(request: HttpRequest) -> HttpResponse:
    """Who did what, newest first. Refusals are on a tab of their own, because there are so many of them."""
    chosen, before = audit_filter(request.GET, show=ACTS), number(request.GET.get("before", ""))
    rows, here = entries(chosen), reverse("audit")
    batch = list((older_than(rows, before) if before else rows)[: PAGE + 1])
    page, total = batch[:PAGE], counted(rows)
    context = {
        "rows": [
            {"it": entry, "mark": MARKS.get(Action(entry.action), "info"), "thing": thing_in_words(entry)}
            for entry in page
        ],
        "answer": headline(chosen, page[0] if page and not before else None, total),
        "log_heading": log_heading(chosen),
        "empty": empty_words(chosen),
        "chosen": chosen,
        "filtered": chosen.is_filtered,
        "shows": [
            (show, label, address_of(here, replace(chosen, show=show, action=""))) for show, label in SHOWS.items()
        ],
        "all_url": address_of(here, AuditFilter(show=chosen.show)),
        "names": names(),
        "actions": [(value, label, value == chosen.action) for value, label in Action.choices],
        "files": [(kind, address_of(reverse("audit-export"), chosen, format=kind)) for kind in FILES],
        "first_url": address_of(here, chosen) if before else None,
        "next_url": address_of(here, chosen, before=page[-1].pk) if len(batch) > PAGE else None,
    }
    return render(request, "dashboard/audit/audit.html", context)


@get_view("providers.view_auditentry")
def audit_export(request: HttpRequest) -> StreamingHttpResponse:
    """The same entries as a file, CSV or JSON lines. Like every download it is recorded in the log itself."""
    kind = request.GET.get("format", "csv")
    write, media_type = FILES.get(kind, FILES["csv"])
    chosen = audit_filter(request.GET, show=ALL)
    extension = kind if kind in FILES else "csv"
    headers = {"Content-Disposition": f'attachment; filename="audit-log.{extension}"'}
    return StreamingHttpResponse(write(COLUMNS, plain_rows(chosen)), content_type=media_type, headers=headers)


def number(text: str) -> int:
    """A number in the query string; 0 if it is missing or no number."""
    return int(text) if text.isdecimal() and len(text) < 19 else 0
