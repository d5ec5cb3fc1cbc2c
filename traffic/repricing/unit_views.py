"""What does everything besides tokens cost, and what do tiers and regions make of the tokens' price?"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from lib.http import form_view, post_view, undoable
from providers.audit.log import log
from providers.models import Priced, UnitPrice, provider_names
from providers.pricing import services
from providers.pricing.unit_forms import UnitPriceForm
from traffic.repricing import price_queries
from traffic.repricing.page import UnitReview, unit_prices_headline


@form_view("providers.view_tokenprice")
def unit_prices(request: HttpRequest) -> HttpResponse:
    """What holds now, what waits for a factor, and the form; a price is shown against the standing one first."""
    may_add = request.user.has_perm("providers.add_tokenprice")
    if request.method == "POST":
        if not may_add:
            raise PermissionDenied
        form = UnitPriceForm(request.POST)
        if form.is_valid() and "change" not in request.POST:
            price = form.instance  # nothing is saved yet
            return _save(request, price) if "confirmed" in request.POST else _review(request, form, price)
        return render(
            request, "traffic/repricing/unit_prices.html", _listed(request, form), status=422 if form.errors else 200
        )
    return render(request, "traffic/repricing/unit_prices.html", _listed(request, _empty(request) if may_add else None))


def _empty(request: HttpRequest) -> UnitPriceForm:
    """Filled in with what the address says, as the link of a waiting tier does."""
    names = ("kind", "provider", "name", "variant")
    fields = {name: request.GET.get(name, "")[:200].replace("\x00", "") for name in names}
    return UnitPriceForm(initial={**fields, "starts_at": timezone.now().replace(second=0, microsecond=0)})


def _listed(request: HttpRequest, form: UnitPriceForm | None) -> dict[str, Any]:
    now = timezone.now()
    text = request.GET.get("q", "").strip()[:100].replace("\x00", "")
    kind = request.GET.get("kind", "")
    page, waiting = price_queries.unit_prices_in_force(now, text, kind), price_queries.waiting_tiers(now)
    return {
        "headline": unit_prices_headline(len(waiting), len(page.prices)),
        "text": text,
        "kind": kind,
        "kinds": Priced.choices,
        "rows": page.prices,
        "more": page.more,
        "history": price_queries.history_of(page.prices[0]) if len(page.prices) == 1 else [],
        "waiting": waiting,
        "form": form,
        "providers": provider_names().items(),
    }


def _review(request: HttpRequest, form: UnitPriceForm, price: UnitPrice) -> HttpResponse:
    """Old against new; nothing is saved yet."""
    standing, following = price_queries.neighbours_of(price)
    context = {"form": form, "page": UnitReview(price, standing, following)}
    return render(request, "traffic/repricing/unit_price_review.html", context)


def _save(request: HttpRequest, price: UnitPrice) -> HttpResponse:
    services.add_unit_price(price=price, person_id=request.user.pk, now=timezone.now())
    log(request, price, added=True)
    undoable(request, _("Saved: %(price)s.") % {"price": price}, "traffic:unit-price-undo", price.pk)
    return redirect(f"{reverse('traffic:unit-prices')}?{urlencode({'kind': price.kind})}")


@post_view("providers.add_tokenprice")
def unit_price_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a price out again that a person entered; a tier's only while no request was costed with it."""
    price = price_queries.get_entered_unit_price(pk)
    if price.kind == Priced.TIER and price_queries.is_tier_used(price):
        messages.error(request, _("Requests were priced with it already. Enter the correct factor, then re-price."))
    else:
        log(request, price, _("Removed: %(price)s, %(amount)s") % {
            "price": price, "amount": f"{price.amount.normalize():f}",
        })  # fmt: skip
        services.remove_price(price)
        messages.success(request, _("Removed: %(price)s.") % {"price": price})
    return redirect("traffic:unit-prices")
