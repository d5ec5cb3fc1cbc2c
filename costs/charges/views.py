"""Entered charges: what no vendor reports, by a person, with a way back."""

from __future__ import annotations

from datetime import date

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from costs.charges import page, queries, services
from costs.charges.corrections import amount_with_corrections, correct
from costs.charges.forms import ChargeForm
from costs.charges.ledger_forms import CorrectionForm
from costs.dates import month_or_all, today
from costs.models import Charge
from lib.http import form_view, get_view, post_view, undoable
from lib.paging import page_number
from providers.audit import log as audit_log
from providers.audit.log import Action
from providers.models import provider_name, provider_names

PER_PAGE = 50
UNDO_KEY, UNDO_KEPT = "deleted_charges", 5


@get_view("costs.view_charge")
def charges(request: HttpRequest) -> HttpResponse:
    month = month_or_all(request)
    entered = queries.entered_charges(month)
    number = page_number(request.GET.get("page", ""))
    rows = queries.page_of_charges(entered, (number - 1) * PER_PAGE, PER_PAGE + 1)
    total, amount = queries.count_and_sum(entered)
    context = {
        "month": month,
        "rows": [page.ChargeRow(charge, today()) for charge in rows[:PER_PAGE]],
        "answer": page.charges_headline(month, total, amount),
        "largest": page.largest_text(queries.sums_by_provider(entered)),
        "next_url": _page(month, number + 1) if len(rows) > PER_PAGE else None,
        "first_url": _page(month, 1) if number > 1 else None,
    }
    return render(request, "costs/charges/charges.html", context)


@form_view("costs.add_charge")
def charge_add(request: HttpRequest) -> HttpResponse:
    form = ChargeForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["repeats"]:
            return _repeat(request, form)
        charge = form.save_charge(request.user)
        _log(request, charge, Action.ADDED, _words(charge))
        messages.success(request, _("Entered: %(what)s.") % {"what": _words(charge)})
        return redirect("costs:charges")
    return _form(request, form)


@form_view("costs.add_charge")
def charge_edit(request: HttpRequest, pk: int) -> HttpResponse:
    charge = queries.entered_charge(pk)
    if elsewhere := _elsewhere(request, charge):
        return elsewhere
    before = _words(charge)
    form = ChargeForm(request.POST or None, request.FILES or None, charge=charge)
    if request.method == "POST" and form.is_valid():
        charge = form.save_charge(request.user)
        _log(
            request,
            charge,
            Action.CHANGED,
            _("%(before)s, now %(after)s") % {"before": before, "after": _words(charge)},
        )
        messages.success(request, _("Saved: %(what)s.") % {"what": _words(charge)})
        return redirect("costs:charges")
    return _form(request, form)


@post_view("costs.add_charge")
def charge_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete at once; the toast brings it back."""
    charge = queries.entered_charge(pk)
    if elsewhere := _elsewhere(request, charge):
        return elsewhere
    _log(request, charge, Action.DELETED, _words(charge))
    deleted = dict(request.session.get(UNDO_KEY, {}))
    deleted[str(pk)] = services.as_text(charge)
    request.session[UNDO_KEY] = dict(list(deleted.items())[-UNDO_KEPT:])
    services.delete_charge(charge)
    undoable(request, _("Deleted: %(what)s.") % {"what": _words(charge)}, "costs:charge-undo", pk)
    return redirect("costs:charges")


@post_view("costs.add_charge")
def charge_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Put back what this person deleted in this session; a second time changes nothing."""
    deleted = dict(request.session.get(UNDO_KEY, {}))
    values = deleted.pop(str(pk), None)
    if values is None:
        messages.warning(request, _("This entry can no longer be restored here. Enter it again."))
        return redirect("costs:charges")
    request.session[UNDO_KEY] = deleted
    charge, made = services.restore_charge(values)
    if made:
        _log(request, charge, Action.ADDED, _("restored: %(what)s") % {"what": _words(charge)})
        messages.success(request, _("Restored: %(what)s.") % {"what": _words(charge)})
    return redirect("costs:charges")


@form_view("costs.add_charge")
def charge_correct(request: HttpRequest, pk: int) -> HttpResponse:
    """A charge of a month that is final stays; what was wrong with it is a line of today."""
    charge = queries.entered_charge(pk)
    if not charge.is_final(today()):
        return redirect("costs:charge", pk)
    form = CorrectionForm(request.POST or None, charge=charge)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        made = correct(charge=charge, right=data["right"], reason=data["reason"], user=request.user, today=today())
        message = _("%(what)s, for a correction of: %(before)s") % {"what": _words(made), "before": _words(charge)}
        _log(request, made, Action.ADDED, message)
        messages.success(request, _("Entered: %(what)s.") % {"what": _words(made)})
        return redirect("costs:charges")
    context = {
        "form": form,
        "charge": charge,
        "standing": amount_with_corrections(charge),
        "corrections": queries.corrections_of(charge),
    }
    return render(request, "costs/charges/charge_correct.html", context, status=422 if form.errors else 200)


@get_view("costs.view_charge")
def receipt(request: HttpRequest, pk: int) -> HttpResponse:
    """Only ever a download: nothing that a person uploaded is shown or run inside our pages."""
    stored = queries.receipt(pk)
    answer = HttpResponse(bytes(stored.content), content_type=stored.content_type)
    answer["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=stored.name)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer


def _repeat(request: HttpRequest, form: ChargeForm) -> HttpResponse:
    made = form.save_recurrence(request.user)
    audit_log.log(request, made, str(made), added=True)
    messages.success(request, _("Entered. It repeats %(every)s.") % {"every": made.get_every_display()})
    return redirect("costs:recurrences")


def _elsewhere(request: HttpRequest, charge: Charge) -> HttpResponse | None:
    """Where a charge is put right that cannot be changed in place: of a month that is final, or of a bill's file."""
    if charge.is_final(today()):
        return redirect("costs:charge-correct", charge.pk)
    if charge.bill_import is None:
        return None
    message = _(
        "Not changed. This entry is a line of %(file)s. Undo that bill and import the correct file. "
        "After the month is final, you can correct the line."
    )
    messages.warning(request, message % {"file": charge.bill_import.file_name})
    return redirect("costs:bill", charge.bill_import.pk)


def _form(request: HttpRequest, form: ChargeForm) -> HttpResponse:
    context = {"form": form, "charge": form.charge, "providers": sorted(provider_names().items())}
    return render(request, "costs/charges/charge_form.html", context, status=422 if form.errors else 200)


def _words(charge: Charge) -> str:
    """`upkeep, Self-hosted, 2026-11-03, 50.00 USD`: enough for the log to tell charges apart."""
    when = charge.invoice_month if charge.of_a_month else charge.day.isoformat()
    name = provider_name(charge.provider)
    return f"{charge.get_category_display()}, {name}, {when}, {charge.original_amount:,.2f} {charge.currency}"


def _log(request: HttpRequest, charge: Charge, action: str, message: str) -> None:
    audit_log.record(action, actor=audit_log.person(request), thing=charge, message=message)


def _page(month: date | None, number: int) -> str:
    only = f"month={month:%Y-%m}&" if month else ""
    return f"?{only}page={number}"
