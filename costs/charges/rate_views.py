"""Exchange rates: what is known, one more by hand, or the European Central Bank's file."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.charges import queries
from costs.charges.exchange_rates import save_rates
from costs.charges.ledger_forms import RateForm, RatesFileForm
from costs.charges.page import rates_headline
from costs.charges.recurrences import post_recurrences
from costs.dates import today
from lib.http import form_view
from providers.audit import log as audit_log

SHOWN = 60


@form_view("costs.view_charge")
def rates(request: HttpRequest) -> HttpResponse:
    """`what` says which form was sent."""
    sent, may = request.POST.get("what", ""), request.user.has_perm("costs.add_charge")
    if request.method == "POST" and not may:
        raise PermissionDenied
    by_hand = RateForm(request.POST if sent == "rate" else None)
    by_file = RatesFileForm(request.POST if sent == "file" else None, request.FILES if sent == "file" else None)
    form = by_file if sent == "file" else by_hand
    if request.method == "POST" and form.is_valid():
        return _saved(request, form)
    currency = request.GET.get("currency", "").replace("\x00", "")[:3]
    currencies, newest = queries.currencies(), queries.newest_rates(currency, SHOWN)
    context = {
        "by_hand": by_hand,
        "by_file": by_file,
        "answer": rates_headline(newest, len(currencies)),
        "currencies": currencies,
        "rates": newest,
    }
    return render(request, "costs/charges/rates.html", context, status=422 if form.errors else 200)


def _saved(request: HttpRequest, form: RateForm | RatesFileForm) -> HttpResponse:
    """Write the rates, and the charges that waited for them."""
    count = save_rates(rates=form.rates(), source=form.source_said, user=request.user)
    post_recurrences(today())
    message = ngettext("%(n)d exchange rate from %(source)s.", "%(n)d exchange rates from %(source)s.", count)
    message %= {"n": count, "source": form.source_said}
    first = form.rates()[0]
    audit_log.log(request, queries.exchange_rate(first.currency, first.day), message, added=True)
    messages.success(request, _("Saved: %(what)s") % {"what": message})
    return redirect("costs:rates")
