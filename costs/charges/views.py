"""Entered charges: what no vendor reports, by a person, with a way back."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from costs.charges.corrections import correct, standing
from costs.charges.forms import ChargeForm, today
from costs.charges.ledger_forms import CorrectionForm
from costs.charges.recurrences import skip, unskip
from costs.models import Charge, Provenance, Recurrence
from costs.spend.months import month_or_all
from costs.spend.queries import ZERO
from costs.spend.rows import provider_name
from providers.audit import log as audit_log
from providers.audit.log import Action
from providers.models import PROVIDER_NAMES

PER_PAGE = 50
UNDO_KEY, UNDO_KEPT = "deleted_charges", 5
COLUMNS = (
    "key", "provider", "day", "starts_at", "ends_at", "category", "provenance", "amount", "original_amount",
    "currency", "rate", "rate_source", "resource", "application_id", "task", "description", "invoice_month",
    "entered_by_id", "recurrence_id", "receipt_id", "corrects_id", "created_at",
)  # fmt: skip


@login_required
@permission_required("costs.view_charge", raise_exception=True)
@require_safe
def charges(request: HttpRequest) -> HttpResponse:
    month = month_or_all(request)
    entered = Charge.objects.filter(provenance=Provenance.ENTERED)
    if month:
        entered = entered.filter(day__year=month.year, day__month=month.month)
    number = _number(request.GET.get("page", ""))
    whole = entered.select_related("entered_by", "application", "receipt", "recurrence", "closing").order_by(
        "-day", "-pk"
    )
    rows = list(whole[(number - 1) * PER_PAGE :][: PER_PAGE + 1])
    context = {
        "month": month,
        "charges": rows[:PER_PAGE],
        "total": entered.count(),
        "sum": entered.aggregate(sum=Sum("amount"))["sum"] or ZERO,
        "by_provider": _by_provider(entered),
        "today": today(),
        "repeating": Recurrence.objects.going_on(today()).count(),
        "next_url": _page(month, number + 1) if len(rows) > PER_PAGE else None,
        "first_url": _page(month, 1) if number > 1 else None,
    }
    return render(request, "costs/charges/charges.html", context)


@login_required
@permission_required("costs.add_charge", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def charge_add(request: HttpRequest) -> HttpResponse:
    form = ChargeForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["repeats"]:
            return _repeat(request, form)
        charge = form.save(request.user)
        _log(request, charge, Action.ADDED, _words(charge))
        messages.success(request, _("Entered: %(what)s.") % {"what": _words(charge)})
        return redirect("costs:charges")
    return _form(request, form)


@login_required
@permission_required("costs.add_charge", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def charge_edit(request: HttpRequest, pk: int) -> HttpResponse:
    charge = _entered(pk)
    if elsewhere := _elsewhere(request, charge):
        return elsewhere
    before = _words(charge)
    form = ChargeForm(request.POST or None, request.FILES or None, charge=charge)
    if request.method == "POST" and form.is_valid():
        charge = form.save(request.user)
        _log(
            request,
            charge,
            Action.CHANGED,
            _("%(before)s; now %(after)s") % {"before": before, "after": _words(charge)},
        )
        messages.success(request, _("Saved: %(what)s.") % {"what": _words(charge)})
        return redirect("costs:charges")
    return _form(request, form)


@login_required
@permission_required("costs.add_charge", raise_exception=True)
@require_POST
def charge_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete at once; the toast brings it back."""
    charge = _entered(pk)
    if elsewhere := _elsewhere(request, charge):
        return elsewhere
    skip(charge)
    _log(request, charge, Action.DELETED, _words(charge))
    deleted = dict(request.session.get(UNDO_KEY, {}))
    deleted[str(pk)] = {name: _text(getattr(charge, name)) for name in COLUMNS}
    request.session[UNDO_KEY] = dict(list(deleted.items())[-UNDO_KEPT:])
    charge.delete()
    undo = reverse("costs:charge-undo", args=[pk])
    messages.success(request, _("Deleted: %(what)s.") % {"what": _words(charge)}, extra_tags=f"undo:{undo}")
    return redirect("costs:charges")


@login_required
@permission_required("costs.add_charge", raise_exception=True)
@require_POST
def charge_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Put back what this person deleted in this session; a second time changes nothing."""
    deleted = dict(request.session.get(UNDO_KEY, {}))
    values = deleted.pop(str(pk), None)
    if values is None:
        messages.warning(request, _("This charge can no longer be brought back from here; enter it again."))
        return redirect("costs:charges")
    request.session[UNDO_KEY] = deleted
    charge, made = Charge.objects.get_or_create(key=values["key"], defaults=_values(values))
    if made:
        unskip(charge)
        _log(request, charge, Action.ADDED, _("brought back: %(what)s") % {"what": _words(charge)})
        messages.success(request, _("Back again: %(what)s.") % {"what": _words(charge)})
    return redirect("costs:charges")


@login_required
@permission_required("costs.add_charge", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def charge_correct(request: HttpRequest, pk: int) -> HttpResponse:
    """A charge of a month that is final stays; what was wrong with it is a line of today."""
    charge = _entered(pk)
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
    context = {"form": form, "charge": charge, "standing": standing(charge), "corrections": charge.corrections.all()}
    return render(request, "costs/charges/charge_correct.html", context, status=422 if form.errors else 200)


def _repeat(request: HttpRequest, form: ChargeForm) -> HttpResponse:
    made = form.save_recurrence(request.user)
    audit_log.log(request, made, str(made), added=True)
    messages.success(request, _("Entered, and again %(every)s.") % {"every": made.get_every_display()})
    return redirect("costs:recurrences")


def _entered(pk: int) -> Charge:
    """A charge of a person, or of a bill that a person entered as a file; what we make of bills and leases is not."""
    return get_object_or_404(
        Charge.objects.select_related("application", "receipt", "corrects", "closing", "bill_import"),
        pk=pk,
        provenance=Provenance.ENTERED,
    )


def _elsewhere(request: HttpRequest, charge: Charge) -> HttpResponse | None:
    """Where a charge is put right that cannot be changed in place: of a month that is final, or of a bill's file."""
    if charge.is_final(today()):
        return redirect("costs:charge-correct", charge.pk)
    if charge.bill_import is None:
        return None
    message = _(
        "Nothing was changed: this charge is a line of %(file)s, which counts as its vendor wrote it. Take that bill "
        "back and bring in the right one; once the month is final, a line can be corrected."
    )
    messages.warning(request, message % {"file": charge.bill_import.file_name})
    return redirect("costs:bill", charge.bill_import.pk)


def _form(request: HttpRequest, form: ChargeForm) -> HttpResponse:
    context = {"form": form, "charge": form.charge, "providers": sorted(PROVIDER_NAMES.items())}
    return render(request, "costs/charges/charge_form.html", context, status=422 if form.errors else 200)


def _words(charge: Charge) -> str:
    """`upkeep, Self-hosted, 2026-11-03, 50.00 USD`: enough for the log to tell charges apart."""
    when = charge.invoice_month if charge.of_a_month else charge.day.isoformat()
    name = provider_name(charge.provider)
    return f"{charge.get_category_display()}, {name}, {when}, {charge.original_amount:,.2f} {charge.currency}"


def _log(request: HttpRequest, charge: Charge, action: str, message: str) -> None:
    audit_log.record(action, actor=audit_log.person(request), thing=charge, message=message)


def _text(value: Any) -> Any:
    return (
        value
        if value is None or isinstance(value, int)
        else value.isoformat()
        if hasattr(value, "isoformat")
        else str(value)
    )


def _values(stored: dict[str, Any]) -> dict[str, Any]:
    """The columns of a kept charge with their types again."""
    values = {name: value for name, value in stored.items() if name in COLUMNS}
    for name in ("starts_at", "ends_at", "created_at"):
        values[name] = parse_datetime(values[name])
    for name in ("amount", "original_amount", "rate"):
        values[name] = None if values[name] is None else Decimal(values[name])
    return values | {"day": date.fromisoformat(values["day"])}


def _by_provider(entered: Any) -> list[dict[str, Any]]:
    rows = entered.values("provider").annotate(sum=Sum("amount")).order_by("-sum")
    return [{"name": provider_name(row["provider"]), "sum": row["sum"]} for row in rows]


def _number(text: str) -> int:
    return max(1, int(text)) if text.isdecimal() and len(text) < 6 else 1


def _page(month: date | None, number: int) -> str:
    only = f"month={month:%Y-%m}&" if month else ""
    return f"?{only}page={number}"
