"""Charges that come again: what there is, changing a series from a day on, stopping it and going on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from costs.charges import queries
from costs.charges.ledger_forms import RecurrenceForm
from costs.charges.page import RecurrenceRow, recurrences_headline
from costs.charges.recurrences import change, next_day, resume, stop, waiting
from costs.dates import today
from costs.models import Recurrence
from lib.http import form_view, get_view, post_view, undoable
from providers.audit import log as audit_log
from providers.models import provider_names

UNDO_KEY = "changed_recurrence"
CHANGING = ("every", "category", "provider", "currency", "application_id", "description", "receipt_id")


@get_view("costs.view_charge")
def recurrences(request: HttpRequest) -> HttpResponse:
    day = today()
    series = queries.all_recurrences()
    waits = waiting(series, day)
    rows = [RecurrenceRow(recurrence, next_day(recurrence, day), waits.get(recurrence.pk, [])) for recurrence in series]
    context = {"rows": rows, "answer": recurrences_headline(rows)}
    return render(request, "costs/charges/recurrences.html", context)


@form_view("costs.add_charge")
def recurrence_edit(request: HttpRequest, pk: int) -> HttpResponse:
    recurrence = queries.recurrence(pk)
    before, values = str(recurrence), _values(recurrence)
    form = RecurrenceForm(request.POST or None, request.FILES or None, recurrence=recurrence)
    if request.method == "POST" and form.is_valid():
        form.save_recurrence(request.user)
        message = _("%(before)s, from %(day)s on %(after)s")
        audit_log.log(
            request, recurrence, message % {"before": before, "day": recurrence.counts_from, "after": recurrence}
        )
        request.session[UNDO_KEY] = {"pk": pk, "since": recurrence.counts_from.isoformat(), "values": values}
        undoable(request, _("Saved. Entries from that day were made again."), "costs:recurrence-undo", pk)
        return redirect("costs:recurrences")
    context = {"form": form, "recurrence": recurrence, "providers": sorted(provider_names().items())}
    return render(request, "costs/charges/recurrence_form.html", context, status=422 if form.errors else 200)


def _values(recurrence: Recurrence) -> dict[str, Any]:
    """What a change may change, as a session keeps it."""
    amount, until = str(recurrence.original_amount), recurrence.until.isoformat() if recurrence.until else None
    return {name: getattr(recurrence, name) for name in CHANGING} | {"original_amount": amount, "until": until}


@post_view("costs.add_charge")
def recurrence_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take this person's last change of a series back from the day on that it counted; twice changes nothing."""
    recurrence, undo = queries.recurrence(pk), request.session.get(UNDO_KEY)
    if not undo or undo["pk"] != pk:
        messages.warning(request, _("This change can no longer be undone here."))
        return redirect("costs:recurrences")
    del request.session[UNDO_KEY]
    values, until = undo["values"], undo["values"]["until"]
    values |= {"original_amount": Decimal(values["original_amount"])}
    values |= {"until": date.fromisoformat(until) if until else None}
    change(recurrence=recurrence, since=date.fromisoformat(undo["since"]), today=today(), **values)
    audit_log.log(request, recurrence, _("change undone: %(what)s") % {"what": recurrence})
    messages.success(request, _("Change undone."))
    return redirect("costs:recurrences")


@post_view("costs.add_charge")
def recurrence_stop(request: HttpRequest, pk: int) -> HttpResponse:
    """No further charge is made; the toast lets it go on."""
    if stop(pk):
        recurrence = queries.recurrence(pk)
        audit_log.log(request, recurrence, _("stopped"))
        undoable(request, _("Stopped. No further entries are made."), "costs:recurrence-resume", pk)
    return redirect("costs:recurrences")


@post_view("costs.add_charge")
def recurrence_resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Go on as if it had never been stopped: what was due meanwhile is made now."""
    recurrence = queries.recurrence(pk)
    if resume(pk, today()):
        audit_log.log(request, recurrence, _("resumed"))
        messages.success(request, _("Resumed. Missed entries are made."))
    return redirect("costs:recurrences")
