"""What does everything besides tokens cost, and what do tiers and regions make of the tokens' price?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from providers.audit.log import log
from providers.models import PROVIDER_NAMES, Priced, UnitPrice
from providers.pricing.book import plain_name
from providers.pricing.unit_forms import UnitPriceForm
from traffic.models import Request

SHOWN = 200
WAITING_DAYS = 30


@login_required
@permission_required("providers.view_tokenprice", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def unit_prices(request: HttpRequest) -> HttpResponse:
    """What holds now, what waits for a factor, and the form; a price is shown against the standing one first."""
    may_add = request.user.has_perm("providers.add_tokenprice")
    if request.method == "POST":
        if not may_add:
            raise PermissionDenied
        form = UnitPriceForm(request.POST)
        if form.is_valid() and "change" not in request.POST:
            price = form.save(commit=False)
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
    wanted = UnitPrice.objects.matching(text)
    wanted = wanted.filter(kind=kind) if kind in Priced.values else wanted
    rows = list(wanted.in_force(now).select_related("entered_by")[: SHOWN + 1])
    return {
        "text": text,
        "kind": kind,
        "kinds": Priced.choices,
        "rows": rows[:SHOWN],
        "more": len(rows) > SHOWN,
        "history": _history(rows[0]) if len(rows) == 1 else [],
        "waiting": waiting(now),
        "form": form,
        "providers": PROVIDER_NAMES.items(),
        "now": now,
    }


def _history(price: UnitPrice) -> list[UnitPrice]:
    return list(UnitPrice.objects.of(price).select_related("entered_by")[:30])


def waiting(now: datetime) -> list[dict[str, Any]]:
    """Tiers of the last 30 days whose requests have no cost because the book does not know a factor; which of their
    words it lacks is `missing`."""
    today = now.astimezone(UTC).date()
    rows = Request.objects.in_days(today - timedelta(days=WAITING_DAYS), today + timedelta(days=1))
    rows = rows.filter(cost=None, cost_reason="unknown_rate").exclude(tier=None)
    tiers = list(rows.values("provider", "model", "tier").annotate(n=Count("id")).order_by("-n")[:20])
    factors = (
        set(UnitPrice.objects.filter(kind=Priced.TIER).values_list("provider", "name", "variant")) if tiers else set()
    )
    return [
        {**tier, "missing": missing(tier["provider"], tier["model"], tier["tier"] or "", factors)} for tier in tiers
    ]


def missing(provider: str, model: str, tier: str, factors: set[tuple[str, str, str]]) -> list[str]:
    """The words of a tier that the book has no factor of, for this model or for all."""
    models = ("", model, plain_name(model))
    return [
        name for name in tier.split("+") if not any((provider, name, model_name) in factors for model_name in models)
    ]


def _review(request: HttpRequest, form: UnitPriceForm, price: UnitPrice) -> HttpResponse:
    """Old against new; nothing is saved yet."""
    standing = UnitPrice.objects.of(price).filter(starts_at__lte=price.starts_at).first()
    following = UnitPrice.objects.of(price).filter(starts_at__gt=price.starts_at).last()
    share = None
    if standing is not None and standing.amount:
        share = (price.amount - standing.amount) / standing.amount
    context = {"form": form, "price": price, "standing": standing, "following": following, "share": share}
    return render(request, "traffic/repricing/unit_price_review.html", context)


def _save(request: HttpRequest, price: UnitPrice) -> HttpResponse:
    price.entered_by_id, price.seen_at = request.user.pk, timezone.now()
    price.save(force_insert=True)
    log(request, price, added=True)
    undo = f"undo:{reverse('traffic:unit-price-undo', args=[price.pk])}"
    messages.success(request, _("In the book: %(price)s.") % {"price": price}, extra_tags=undo)
    return redirect(f"{reverse('traffic:unit-prices')}?{urlencode({'kind': price.kind})}")


@login_required
@permission_required("providers.add_tokenprice", raise_exception=True)
@require_POST
def unit_price_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a price out again that a person entered; a tier's only while no request was costed with it."""
    price = get_object_or_404(UnitPrice.objects.exclude(entered_by=None), pk=pk)
    if price.kind == Priced.TIER and _is_used(price):
        messages.error(request, _("Requests were costed with this factor already: enter the right one, then reprice."))
    else:
        log(request, price, _("Taken back: %(price)s, %(amount)s") % {
            "price": price, "amount": f"{price.amount.normalize():f}",
        })  # fmt: skip
        price.delete()
        messages.success(request, _("Taken back: %(price)s.") % {"price": price})
    return redirect("traffic:unit-prices")


def _is_used(price: UnitPrice) -> bool:
    """Whether a request of its tier has a cost since it holds; one of before it was entered counts too, if repriced."""
    first, end = price.starts_at.date(), timezone.now().date() + timedelta(days=2)
    rows = Request.objects.in_days(first, end).filter(provider=price.provider, tier__contains=price.name)
    return rows.exclude(cost=None).filter(started_at__gte=price.starts_at).exists()
