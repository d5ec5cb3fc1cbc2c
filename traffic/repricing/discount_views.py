"""Settings: what do our contracts take off the list price?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from lib.dates import midnight
from lib.http import form_view, post_view, undoable
from lib.tokens import TOKEN_CLASSES
from providers.audit.log import log
from providers.models import Discount, TokenPrice
from providers.pricing import services
from providers.pricing.discount_forms import DiscountForm
from providers.pricing.discounts import paid
from providers.pricing.forms import PriceForm
from traffic.repricing import price_queries
from traffic.repricing.effect import effect
from traffic.repricing.page import DiscountRow, discounts_headline


@form_view("providers.view_discount")
def discounts(request: HttpRequest) -> HttpResponse:
    """Every contract, list price against what is paid, and the form for one more."""
    may_add = request.user.has_perm("providers.add_discount")
    if request.method == "POST" and not may_add:
        return render(request, "403.html", status=403)
    form = DiscountForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        made = services.add_discount(discount=form.instance, person=request.user, now=timezone.now())
        log(request, made, added=True)
        undoable(
            request,
            _("The discount applies to new requests from now on."),
            "traffic:discount-do",
            made.pk,
            "take-back",
        )
        return redirect("traffic:discounts")
    now = timezone.now()
    rows = [row_of(discount, now) for discount in price_queries.list_discounts()]
    context = {
        "rows": rows,
        "headline": discounts_headline(sum(row.holds for row in rows)),
        "form": form,
        "may_add": may_add,
        "may_reprice": request.user.has_perm("traffic.add_repricing"),
    }
    return render(request, "traffic/repricing/discounts.html", context, status=422 if form.errors else 200)


def row_of(discount: Discount, now: datetime) -> DiscountRow:
    """A contract with its rates beside the list's, and the stored requests of its days without it."""
    today = now.astimezone(UTC).date()
    end = min(discount.ends_on or today, today) + timedelta(days=1)
    query = {
        "since": f"{discount.starts_on}", "until": f"{end - timedelta(days=1)}", "provider": discount.provider,
        "model": discount.model, "why": why(discount),
    }  # fmt: skip
    return DiscountRow(
        discount,
        today,
        rates_of(price_queries.list_price_of(discount, now), discount),
        stored_requests(discount, end) if discount.starts_on <= today else 0,
        f"{reverse('traffic:repricings')}?{urlencode(query)}",
    )


def why(discount: Discount) -> str:
    taken = _("removed") if discount.withdrawn_at else _("entered")
    return _("Discount of %(account)s %(taken)s: %(source)s") % {
        "account": discount.account, "taken": taken, "source": discount.source,
    }  # fmt: skip


def rates_of(listed: TokenPrice | None, discount: Discount) -> list[tuple[str, Any, Any]]:
    """(class, list rate, rate paid) of the model where the two differ, USD per million; empty for every model."""
    if listed is None:
        return []
    own = paid(listed, discount)
    rates = [
        (str(PriceForm.base_fields[name].label), getattr(listed, name), getattr(own, name)) for name in TOKEN_CLASSES
    ]
    return [(label, list_rate, own_rate) for label, list_rate, own_rate in rates if list_rate != own_rate]


def stored_requests(discount: Discount, end: date) -> int:
    """Requests of its days that are stored; a repricing says how many of them change."""
    since, until = (midnight(day) for day in (discount.starts_on, end))
    change = effect(
        provider=discount.provider, model=discount.model, since=since, until=until, price=lambda tokens: None
    )
    return change.requests


@post_view("providers.add_discount")
def discount_do(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Take a discount back, or let it stand again; stored requests follow by a repricing."""
    if act not in ("take-back", "restore"):
        raise Http404
    discount = price_queries.get_discount(pk)
    if act == "take-back":
        services.withdraw_discount(discount=discount, now=timezone.now())
        sentence, other = _("The discount is removed. Requests cost the list price from now on."), "restore"
    elif services.restore_discount(discount=discount):
        sentence, other = _("The discount is restored."), "take-back"
    else:
        messages.error(request, _("Another discount applies on some of its days. Remove that one first."))
        return redirect("traffic:discounts")
    log(request, discount, sentence)
    undoable(request, sentence, "traffic:discount-do", pk, other)
    return redirect("traffic:discounts")
