"""Do the bills match what we know, and if not, why?"""

from __future__ import annotations

from datetime import date
from urllib.parse import urlencode

from django.contrib import messages
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.dates import month_asked, month_in, months_since, today
from costs.ledger.queries import first_known_day
from costs.models import Closing
from costs.reconciliation import keys, month_close
from costs.reconciliation.forms import ClosingCorrectionForm, InvoiceForm, ToleranceForm
from costs.reconciliation.page import ReconciliationPage
from costs.reconciliation.tolerances import set_tolerance, tolerance_of, words_of
from lib.http import form_view, get_view, post_view, undoable
from providers.audit import log as audit_log
from providers.models import provider_name
from traffic.usage.filters import Filters


@get_view("costs.view_charge")
def reconciliation(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    month = month_asked(request)
    provider = [slug for slug in request.GET.getlist("provider") if slug][:1]
    page = ReconciliationPage(month, now, Filters(provider=provider))
    query = {"month": f"{month:%Y-%m}"} | ({"provider": provider[0]} if provider else {})
    context = {
        "page": page,
        "month": month,
        "months": months_since(first_known_day(now.date()), now.date(), month),
        "provider": provider[0] if provider else "",
        "rows": page.provider_rows(),
        "days": page.day_rows(),
        "keys": keys.key_rows(page.coverages) if page.coverages else [],
        "spaces": keys.space_rows(page.coverages) if page.coverages else [],
        "applications": keys.application_names() if page.coverages else [],
        "other": keys.OTHER,
        "reopen": {closed.closing.pk for closed in page.closed if month_close.may_reopen(closed.closing, today())},
        "json_url": f"{reverse('api:get_reconciliation')}?{urlencode(query | {'by': 'day'})}",
    }
    return render(request, "costs/reconciliation/reconciliation.html", context)


@form_view("costs.add_charge")
def reconciliation_close(request: HttpRequest) -> HttpResponse:
    initial = {name: request.GET.get(name, "") for name in ("provider", "month")}
    form = InvoiceForm(request.POST or None, request.FILES or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            closing = form.close_month(request.user)
        except IntegrityError:
            form.add_error("month", _("Another person has just closed this month."))
        else:
            message = _("%(what)s closed at %(sum)s USD") % {"what": _words(closing), "sum": f"{closing.amount:,.2f}"}
            audit_log.log(request, closing, message, added=True)
            undoable(request, f"{message}.", "costs:reconciliation-reopen", closing.pk)
            return redirect(_address(closing.month))
    context = {"form": form}
    return render(
        request, "costs/reconciliation/reconciliation_close.html", context, status=422 if form.errors else 200
    )


@post_view("costs.add_charge")
def reconciliation_reopen(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a closing of today back; later ones are corrected."""
    closing = month_close.closing_of(pk)
    month = closing.month
    if not month_close.may_reopen(closing, today()):
        messages.warning(
            request, _("A month can be reopened only on the day it was closed. Enter a correction instead.")
        )
        return redirect("costs:reconciliation-correct", pk)
    message = _("%(what)s reopened") % {"what": _words(closing)}
    audit_log.log(request, closing, message)
    month_close.reopen(closing)
    messages.success(request, f"{message}.")
    return redirect(_address(month))


@form_view("costs.add_charge")
def reconciliation_correct(request: HttpRequest, pk: int) -> HttpResponse:
    closing = month_close.closing_of(pk)
    form = ClosingCorrectionForm(request.POST or None, closing=closing)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        made = month_close.correct_closing(
            closing=closing, right=data["right"], reason=data["reason"], user=request.user, today=today()
        )
        message = _("%(what)s corrected by %(sum)s USD: %(why)s")
        message %= {"what": _words(closing), "sum": f"{made.amount:+,.2f}", "why": data["reason"]}
        audit_log.log(request, closing, message)
        messages.success(request, message)
        return redirect(_address(closing.month))
    context = {
        "form": form,
        "closing": closing,
        "corrections": month_close.corrections(closing),
        "now": month_close.amount_now(closing),
    }
    return render(
        request, "costs/reconciliation/reconciliation_correct.html", context, status=422 if form.errors else 200
    )


@form_view("costs.add_charge")
def reconciliation_tolerance(request: HttpRequest, provider: str) -> HttpResponse:
    tolerance = tolerance_of(provider)
    form = ToleranceForm(request.POST or None, initial=ToleranceForm.initial_of(tolerance))
    if request.method == "POST" and form.is_valid():
        made = set_tolerance(provider=provider, share=form.share, amount=form.cleaned_data["usd"], user=request.user)
        audit_log.log(request, made, str(made), added=tolerance is None)
        messages.success(request, _("Tolerance of %(name)s saved.") % {"name": provider_name(provider)})
        return redirect(_address(None))
    context = {"form": form, "answer": words_of(tolerance, provider_name(provider))}
    return render(
        request, "costs/reconciliation/reconciliation_tolerance.html", context, status=422 if form.errors else 200
    )


@post_view("costs.add_charge")
def reconciliation_key(request: HttpRequest) -> HttpResponse:
    """Say whose a vendor's key is; saying nothing makes it anybody's again."""
    account = keys.account(request.POST.get("account", ""))
    key, owner = request.POST.get("key", "")[:200], request.POST.get("owner", "")
    if not key:
        raise Http404
    application = None if owner in ("", keys.OTHER) else keys.application(owner)
    if owner:
        key_owner = keys.set_owner(account=account, api_key=key, application=application, user_id=request.user.pk)
        words = application.name if application else _("another tool")
        audit_log.log(request, key_owner, _("key %(key)s: %(owner)s") % {"key": key, "owner": words})
    else:
        keys.clear_owner(account=account, api_key=key)
        words = _("any application")
        audit_log.log(request, account, _("key %(key)s: %(owner)s") % {"key": key, "owner": words})
    messages.success(request, _("Key %(key)s is assigned to %(owner)s.") % {"key": key, "owner": words})
    return redirect(f"{_address(month_in(request.POST.get('month', '')))}#keys-h")


def _words(closing: Closing) -> str:
    return f"{closing.provider_name}, {closing.month:%Y-%m}"


def _address(month: date | None) -> str:
    page = reverse("costs:reconciliation")
    return f"{page}?month={month:%Y-%m}" if month else page
