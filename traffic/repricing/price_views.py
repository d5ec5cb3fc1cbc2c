"""What does each model cost, from when on, and who says so?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from lib.errors import ApiError
from lib.http import form_view, get_view, page_url, post_view, undoable
from lib.paging import decode_cursor, encode_cursor
from lib.tokens import TOKEN_CLASSES
from providers.audit.log import log
from providers.models import TokenPrice, provider_names
from providers.pricing import services
from providers.pricing.discounts import paid, standing_discounts
from providers.pricing.forms import PriceForm
from providers.pricing.rules import discount_in_force, in_force
from traffic.repricing import price_queries
from traffic.repricing.effect import waiting_for_price
from traffic.repricing.page import ModelPage, PricedModel, book_heading, book_headline
from traffic.repricing.review import is_used, review_of

WAITING_SHOWN = 20
COPIED = ("batch_factor", "over_tokens", *TOKEN_CLASSES, *(f"over_{name}" for name in TOKEN_CLASSES))


@get_view("providers.view_tokenprice")
def prices(request: HttpRequest) -> HttpResponse:
    """The whole book, searched and paged; with provider and model in the address, that model's versions."""
    priced = PricedModel.of(request)
    return book(request) if priced is None else model_page(request, priced, None)


def book(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    text = request.GET.get("q", "").strip()[:100].replace("\x00", "")
    try:
        after = decode_cursor(request.GET.get("cursor"), (str, str))
    except ApiError:
        after = None
    page = price_queries.prices_in_force(now, text, after)
    last = page.prices[-1] if page.more else None
    waiting = [] if text or after else waiting_for_price(now.date())
    context = {
        "text": text,
        "rows": page.prices,
        "headline": book_headline(price_queries.book_counts()),
        "heading": book_heading(text, page.total),
        "total": page.total,
        "shown": len(page.prices),
        "next_url": page_url(request, cursor=encode_cursor(last.provider, last.model)) if last else None,
        "first_url": page_url(request, cursor=None) if after else None,
        "waiting": price_queries.with_nearest(waiting[:WAITING_SHOWN]),
        "waiting_count": len(waiting),
        "may_add": request.user.has_perm("providers.add_tokenprice"),
    }
    return render(request, "traffic/repricing/prices.html", context)


def model_page(request: HttpRequest, priced: PricedModel, form: PriceForm | None, status: int = 200) -> HttpResponse:
    """Every version of one model's price and, for who may, the form of the next one."""
    now = timezone.now()
    may_add = request.user.has_perm("providers.add_tokenprice")
    versions = price_queries.versions_of(priced.provider, priced.model)
    like = start_of(priced, versions) if may_add else None
    current = in_force(versions, now)
    standing = standing_discounts().get(priced.provider, ()) if current else ()
    discount = discount_in_force(standing, priced.model, now.astimezone(UTC).date())
    context = {
        "page": ModelPage(priced, versions, now, discount, paid(current, discount) if current and discount else None),
        "like": like if like and not versions else None,
        "form": form or (PriceForm(initial=initial(priced, like, now)) if may_add else None),
        "providers": provider_names().items(),
        "may_reprice": request.user.has_perm("traffic.add_repricing"),
        "reprice_url": reprice_url(priced, versions),
    }
    return render(request, "traffic/repricing/price.html", context, status=status)


def reprice_url(priced: PricedModel, versions: list[TokenPrice]) -> str:
    """The form of a repricing since the newest price that somebody entered, or this month."""
    entered = next((version for version in versions if version.entered_by_id), None)
    since = {"since": f"{entered.starts_at:%Y-%m-%d}"} if entered and entered.starts_at <= timezone.now() else {}
    parameters = {**since, "provider": priced.provider, "model": priced.model}
    return f"{reverse('traffic:repricings')}?{urlencode(parameters)}"


def start_of(priced: PricedModel, versions: list[TokenPrice]) -> TokenPrice | None:
    """What the form is filled in with: the newest version, else the price of the model with the nearest name."""
    if versions:
        return versions[0]
    return price_queries.nearest_price(priced.provider, priced.model)


def initial(priced: PricedModel | None, like: TokenPrice | None, now: datetime) -> dict[str, Any]:
    copied = {name: getattr(like, name) for name in COPIED} if like else {}
    named = {"provider": priced.provider, "model": priced.model} if priced else {}
    return {**named, **copied, "starts_at": now.replace(second=0, microsecond=0)}


@form_view("providers.add_tokenprice")
def add(request: HttpRequest) -> HttpResponse:
    """A price by hand, shown against the one that stands before it is saved; the address may name the model."""
    priced, now = PricedModel.of(request), timezone.now()
    if request.method != "POST":
        if priced is not None:
            return model_page(request, priced, None)
        return empty_page(request, PriceForm(initial=initial(None, None, now)))
    form = PriceForm(request.POST)
    if not form.is_valid() or "change" in request.POST:
        status = 422 if form.errors else 200
        return model_page(request, priced, form, status) if priced else empty_page(request, form, status)
    price = form.instance  # nothing is saved yet
    if "confirmed" not in request.POST:
        return review_page(request, form, price)
    assert isinstance(request.user, User), "only people who are logged in get here"
    price = services.add_price(price=price, person=request.user, now=now)
    log(request, price, added=True)
    undoable(request, _("The price of %(model)s is saved.") % {"model": price.model}, "traffic:price-undo", price.pk)
    return redirect(PricedModel(price.provider, price.model).url)


def review_page(request: HttpRequest, form: PriceForm, price: TokenPrice) -> HttpResponse:
    """Old against new, and what it means for requests that are stored; nothing is saved yet."""
    priced = PricedModel(price.provider, price.model)
    context = {"form": form, "price": price, "priced": priced, "review": review_of(price)}
    return render(request, "traffic/repricing/price_review.html", context)


@post_view("providers.add_tokenprice")
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a price out again that a person entered and that no request was costed with."""
    price = price_queries.get_entered_price(pk)
    priced = PricedModel(price.provider, price.model)
    if is_used(price):
        messages.error(request, _("Requests were priced with it already. Enter the correct price, then re-price."))
        return redirect(priced.url)
    log(request, price, _("Removed: %(price)s, input %(input)s, output %(output)s") % {
        "price": price, "input": f"{price.uncached_input.normalize():f}", "output": f"{price.output.normalize():f}",
    })  # fmt: skip
    services.remove_price(price)
    messages.success(request, _("The price of %(model)s is removed.") % {"model": price.model})
    return redirect(priced.url if price_queries.has_versions(priced.provider, priced.model) else "traffic:prices")


def empty_page(request: HttpRequest, form: PriceForm, status: int = 200) -> HttpResponse:
    page = ModelPage(None, [], timezone.now())
    context = {"form": form, "providers": provider_names().items(), "page": page}
    return render(request, "traffic/repricing/price.html", context, status=status)
