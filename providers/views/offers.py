"""What could be rented instead, and for how much?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from providers import offers
from providers.forms import OfferForm
from providers.freshness import AccountNow, account_now
from providers.leases import MONTH_HOURS, lease_figures
from providers.models import Account, Lease, Offer, provider_name
from providers.offers import Facet, Ours
from providers.rest.errors import ApiError
from providers.views.addresses import address

SHOWN = 40
MARKETS_SHOWN = 12  # GPUs and kinds with their history above the list


@login_required
@permission_required("providers.view_offer", raise_exception=True)
@require_safe
def explorer(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    found = offers.facets()
    rented = (
        offers.ours(lease_figures(Lease.objects.active(), now)) if request.user.has_perm("providers.view_lease") else []
    )
    names = provider_names(found)
    form = OfferForm(request.GET, gpus=gpu_choices(found, rented), providers=list(names.items()))
    wanted = form.wanted
    chosen, only_cheaper = Offer.objects.filter(wanted.conditions()), bool(form.cleaned_data.get("cheaper"))
    if only_cheaper:
        chosen = chosen.filter(offers.cheaper_than(rented))
    try:
        rows, after = offers.page_of(chosen, form.sort, request.GET.get("cursor"), SHOWN)
    except ApiError:  # a cursor of another order or none of ours: from the top
        rows, after = offers.page_of(chosen, form.sort, None, SHOWN)
    market = offers.market_of(found, wanted) if wanted.of_facets and not only_cheaper else offers.market(chosen)
    accounts = sources()
    context = {
        "form": form,
        "filtered": any(form.cleaned_data.get(name) for name in form.fields),
        "rows": [offer_row(offer, rented, accounts, names) for offer in rows],
        "market": market_rows(request, market, wanted.providers),
        "markets_left": max(len(market) - MARKETS_SHOWN, 0),
        "total": sum(one.offers for one in market),
        "lowest": market[0] if market else None,
        "providers": len({facet.provider for facet in found if facet.available}),
        "offered": sum(facet.available for facet in found),
        "rented": rented,
        "better": offers.better(rented),
        "accounts": [one for one in accounts.values() if one.feed("offers")],
        "shown": len(rows),
        "next_url": address(request, cursor=after) if after else None,
        "first_url": address(request, cursor=None) if request.GET.get("cursor") else None,
        "json_url": "/api/v1/offers",
    }
    return render(request, "providers/offers.html", context)


def gpu_choices(found: Sequence[Facet], rented: Sequence[Ours]) -> list[tuple[str, str]]:
    names = {facet.gpu for facet in found} | {one.gpu for one in rented}
    return [(name, name) for name in sorted(names, key=str.lower)]


def provider_names(found: Sequence[Facet]) -> dict[str, str]:
    return {slug: provider_name(slug) for slug in sorted({facet.provider for facet in found})}


def sources() -> dict[str, AccountNow]:
    """By provider, the account whose offers were read last: it says whether its offers are of now."""
    now = timezone.now()
    known: dict[str, AccountNow] = {}
    for account in Account.objects.with_feeds():
        one = account_now(account, now)
        feed = one.feed("offers")
        if feed is not None and (account.kind not in known or not feed.old):
            known[account.kind] = one
    return known


def offer_row(
    offer: Offer, rented: Sequence[Ours], accounts: dict[str, AccountNow], names: Mapping[str, str]
) -> dict[str, Any]:
    price, source = offer.price_per_gpu_hour, accounts.get(offer.provider)
    feed = source.feed("offers") if source else None
    return {
        "offer": offer,
        "kind": offers.kind_label(offer.kind),
        "where": names.get(offer.provider, offer.provider),
        "monthly": price * MONTH_HOURS,
        "per_gb": price / offer.memory_gb if offer.memory_gb else None,
        "old": feed is None or feed.old,
        "saving": offers.saving(offer, rented),
        "like_ours": any(one.gpu == offer.gpu and one.kind == offer.kind for one in rented),
    }


def market_rows(
    request: HttpRequest, market: Sequence[offers.Market], providers: Sequence[str]
) -> list[dict[str, Any]]:
    """The cheapest GPUs and kinds with how their lowest price went."""
    shown = market[:MARKETS_SHOWN]
    known = offers.histories([(one.gpu, one.kind) for one in shown], timezone.now().astimezone(UTC).date(), providers)
    return [
        {
            "market": one,
            "history": known.get((one.gpu, one.kind)),
            "monthly": one.low * MONTH_HOURS,
            "url": address(request, gpu=one.gpu, kind=one.kind, cursor=None),
        }
        for one in shown
    ]
