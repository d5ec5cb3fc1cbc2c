"""What does each model cost, from when on, and who says so?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from providers import services
from providers.audit_log import log
from providers.forms import PriceForm
from providers.models import PROVIDER_NAMES, TokenPrice
from providers.nearest import nearest
from providers.pricebook import FIELDS
from providers.rest.errors import ApiError
from providers.rest.paging import decode_cursor, encode_cursor
from providers.views.addresses import address

SHOWN = 50
COPIED = ("batch_factor", "over_tokens", *FIELDS, *(f"over_{name}" for name in FIELDS))


@dataclass(frozen=True, slots=True)
class Wanted:
    """One model of the book, as the address names it."""

    provider: str
    model: str

    @classmethod
    def of(cls, request: HttpRequest) -> Wanted | None:
        provider, model = (
            request.GET.get(name, "").strip()[:200].replace("\x00", "") for name in ("provider", "model")
        )
        return cls(provider, model) if provider and model else None

    @property
    def url(self) -> str:
        return f"{reverse('providers:prices')}?{urlencode({'provider': self.provider, 'model': self.model})}"


@login_required
@permission_required("providers.view_tokenprice", raise_exception=True)
@require_safe
def prices(request: HttpRequest) -> HttpResponse:
    """The whole book, searched and paged; with provider and model in the address, that model's versions."""
    wanted = Wanted.of(request)
    return book(request) if wanted is None else model_page(request, wanted, None)


def book(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    text = request.GET.get("q", "").strip()[:100].replace("\x00", "")
    in_force = TokenPrice.objects.in_force(now).matching(text)
    try:
        after = decode_cursor(request.GET.get("cursor"), (str, str))
    except ApiError:
        after = None
    rows = list((in_force.behind(after[0], after[1]) if after else in_force)[: SHOWN + 1])
    more = rows[SHOWN - 1] if len(rows) > SHOWN else None
    context = {
        "text": text,
        "rows": rows[:SHOWN],
        "counts": TokenPrice.objects.counts(),
        "total": in_force.count(),
        "shown": len(rows[:SHOWN]),
        "next_url": address(request, cursor=encode_cursor(more.provider, more.model)) if more else None,
        "first_url": address(request, cursor=None) if after else None,
        "may_add": request.user.has_perm("providers.add_tokenprice"),
    }
    return render(request, "providers/prices.html", context)


def model_page(request: HttpRequest, wanted: Wanted, form: PriceForm | None, status: int = 200) -> HttpResponse:
    """Every version of one model's price and, for who may, the form of the next one."""
    now = timezone.now()
    may_add = request.user.has_perm("providers.add_tokenprice")
    versions = list(TokenPrice.objects.of(wanted.provider, wanted.model).select_related("entered_by"))
    like = start_of(wanted, versions) if may_add else None
    context = {
        "wanted": wanted,
        "versions": versions,
        "current": next((version for version in versions if version.starts_at <= now), None),
        "like": like if like and not versions else None,
        "form": form or (PriceForm(initial=initial(wanted, like, now)) if may_add else None),
        "providers": PROVIDER_NAMES.items(),
        "may_add": may_add,
        "now": now,
    }
    return render(request, "providers/price.html", context, status=status)


def start_of(wanted: Wanted, versions: list[TokenPrice]) -> TokenPrice | None:
    """What the form is filled in with: the newest version, else the price of the model with the nearest name."""
    if versions:
        return versions[0]
    found = nearest(
        wanted.provider, wanted.model, TokenPrice.objects.order_by().values_list("provider", "model").distinct()
    )
    return TokenPrice.objects.of(*found).first() if found else None


def initial(wanted: Wanted | None, like: TokenPrice | None, now: datetime) -> dict[str, Any]:
    copied = {name: getattr(like, name) for name in COPIED} if like else {}
    named = {"provider": wanted.provider, "model": wanted.model} if wanted else {}
    return {**named, **copied, "starts_at": now.replace(second=0, microsecond=0)}


@login_required
@permission_required("providers.add_tokenprice", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """A price by hand; the address may name the model."""
    wanted, now = Wanted.of(request), timezone.now()
    if request.method != "POST":
        if wanted is not None:
            return model_page(request, wanted, None)
        return empty_page(request, PriceForm(initial=initial(None, None, now)))
    form = PriceForm(request.POST)
    if not form.is_valid():
        return model_page(request, wanted, form, 422) if wanted else empty_page(request, form, 422)
    assert isinstance(request.user, User), "only people who are logged in get here"
    price = services.add_price(price=form.save(commit=False), person=request.user, now=now)
    log(request, price, [{"added": {}}], added=True)
    messages.success(request, _("The price of %(model)s is in the book.") % {"model": price.model})
    return redirect(Wanted(price.provider, price.model).url)


def empty_page(request: HttpRequest, form: PriceForm, status: int = 200) -> HttpResponse:
    context = {"form": form, "providers": PROVIDER_NAMES.items(), "may_add": True, "wanted": None, "versions": []}
    return render(request, "providers/price.html", context, status=status)
