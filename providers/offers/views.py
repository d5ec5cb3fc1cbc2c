"""What could be rented instead, and for how much?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from lib.errors import ApiError
from lib.http import page_url
from providers import offers
from providers.accounts.freshness import AccountNow
from providers.leases.queries import MONTH_HOURS
from providers.models import Lease, Offer, OfferKind, provider_name
from providers.offers import SORTS, Facet, Fast, Ours, Sort
from providers.offers.forms import OfferForm, plain

SHOWN = 25
MARKETS_SHOWN = 10  # GPUs and kinds with their history above the list


@dataclass(frozen=True, slots=True)
class Reader:
    """What the list's rows are seen against: what we rent, whose prices are of now, the model of the tokens."""

    rented: Sequence[Ours]
    sources: Mapping[str, AccountNow]
    fresh: frozenset[str]
    names: Mapping[str, str]
    kinds: Mapping[str, str]
    model: Fast | None
    watch_url: str

    @property
    def sorts(self) -> Mapping[str, Sort]:
        own = {"saving": Sort(offers.saving_value(self.rented, self.fresh), Decimal, missing=True)}
        if self.model:
            own["per_million"] = Sort(offers.per_million_value(self.model.speeds), Decimal, missing=True)
        return {**SORTS, **own}


@login_required
@permission_required("providers.view_offer", raise_exception=True)
@require_safe
def explorer(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    sources = offers.sources(now)
    polled = offers.polls(sources)
    found, models = offers.facets_since(polled), offers.catalogue()
    rented = offers.ours(Lease.objects.active()) if request.user.has_perm("providers.view_lease") else []
    names = provider_names(found)
    form = OfferForm(
        request.GET,
        gpus=gpu_choices(found, rented),
        providers=list(names.items()),
        models=[(one.slug, one.name) for one in models.values()],
    )
    wanted = form.wanted
    reader = Reader(
        rented=rented,
        sources=sources,
        fresh=offers.fresh_of(sources),
        names=names,
        kinds={kind.value: str(kind.label) for kind in OfferKind},
        model=models.get(form.cleaned_data.get("model") or ""),
        watch_url=reverse("providers:offer-watch-add"),
    )
    chosen, only_cheaper = Offer.objects.filter(wanted.conditions()), bool(form.cleaned_data.get("cheaper"))
    if only_cheaper:
        chosen = chosen.filter(offers.cheaper_than(rented, reader.fresh))
    rows, after = page_of(request, chosen, form, reader)
    market = offers.market_of(found, wanted) if wanted.of_facets and not only_cheaper else offers.market(chosen)
    context = {
        "form": form,
        "filtered": any(form.cleaned_data.get(name) for name in form.fields),
        "rows": [offer_row(offer, reader) for offer in rows],
        # Called only where the template does not remember how the market stood after the same polls.
        "market": partial(market_rows, request, market, wanted.providers),
        "market_key": f"{polled} {now:%Y-%m-%d} {request.GET.urlencode()}",
        "market_s": offers.REMEMBERED_S if polled else 0,
        "markets_left": max(len(market) - MARKETS_SHOWN, 0),
        "total": sum(one.offers for one in market),
        "lowest": market[0] if market else None,
        "offered": sum(facet.available for facet in found),
        "rented": rented,
        "model": reader.model,
        "better": offers.better(rented, reader.fresh),
        "accounts": list(sources.values()),
        "silent": [one for one in sources.values() if one.offers and one.offers.old and one.offers.feed.rows],
        "shown": len(rows),
        "next_url": page_url(request, cursor=after) if after else None,
        "first_url": page_url(request, cursor=None) if request.GET.get("cursor") else None,
        "json_url": "/api/v1/offers",
    }
    return render(request, "providers/offers/offers.html", context)


def page_of(request: HttpRequest, chosen: Any, form: OfferForm, reader: Reader) -> tuple[list[Offer], str | None]:
    sorts = reader.sorts
    sort = form.sort(sorts)
    try:
        return offers.page_of(chosen, sort, request.GET.get("cursor"), SHOWN, sorts)
    except ApiError:  # a cursor of another order or none of ours: from the top
        return offers.page_of(chosen, sort, None, SHOWN, sorts)


def gpu_choices(found: Sequence[Facet], rented: Sequence[Ours]) -> list[tuple[str, str]]:
    names = {facet.gpu for facet in found} | {one.gpu for one in rented}
    return [(name, name) for name in sorted(names, key=str.lower)]


def provider_names(found: Sequence[Facet]) -> dict[str, str]:
    return {slug: provider_name(slug) for slug in sorted({facet.provider for facet in found})}


def offer_row(offer: Offer, reader: Reader) -> dict[str, Any]:
    """Figures by name: a template finds them in a dict several times as fast as on an object."""
    price = offer.whole_per_gpu_hour
    speed = reader.model.speeds.get(offer.gpu) if reader.model else None
    wish = urlencode({"gpu": offer.gpu, "kind": offer.kind, "price": plain(price)})
    return {
        "gpu": offer.gpu,
        "gpu_count": offer.gpu_count,
        "price": price,
        "gpu_price": offer.price_per_gpu_hour,
        "machine": offer.machine_per_gpu_hour,
        "disk": offer.disk_per_gb_month,
        "kind": reader.kinds.get(offer.kind, offer.kind),
        "sold_out": not offer.available,
        "region": offer.region,
        "memory": f"{offer.memory_gb:.1f}".removesuffix(".0") if offer.memory_gb else "",
        "reliability": offer.reliability,
        "seen_at": offer.seen_at,
        "where": reader.names.get(offer.provider, offer.provider),
        "monthly": price * MONTH_HOURS,
        "per_gb": price / offer.memory_gb if offer.memory_gb else None,
        "per_million": speed.per_million(price) if speed else None,
        "bound": speed is not None and speed.bound,
        "old": offer.provider not in reader.fresh,
        "saving": offers.saving(offer, reader.rented, reader.fresh),
        "like_ours": any(one.gpu == offer.gpu and one.kind == offer.kind for one in reader.rented),
        "watch_url": f"{reader.watch_url}?{wish}",
        "watch_label": _("Watch for a lower price of %(gpu)s") % {"gpu": offer.gpu},
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
            "url": page_url(request, gpu=one.gpu, kind=one.kind, cursor=None),
        }
        for one in shown
    ]
