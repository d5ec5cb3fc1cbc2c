"""What can be rented now, at what price, what do we rent, and what could be rented instead?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.errors import ApiError
from lib.http import get_view, page_url
from providers import offers
from providers.accounts.freshness import FEED_WORDS, AccountNow, worst_first
from providers.accounts.queries import accounts_now
from providers.leases.queries import (
    MONTH_HOURS,
    accounts_with_old_leases,
    active_leases,
    ended_leases,
    lease_figures,
    runways,
)
from providers.models import Offer, OfferKind, provider_name
from providers.offers import SORTS, Facet, ModelSpeeds, RentedGpu, Sort
from providers.offers.forms import OfferForm, without_zeros
from providers.offers.market import history_lines
from providers.offers.page import OffersPage, ProvidersPage, Rent, gpu_rows

ENDED_SHOWN = 10
SHOWN = 25
MARKETS_SHOWN = 10  # GPUs and kinds with their history above the list


@dataclass(frozen=True, slots=True)
class ExplorerContext:
    """What the list's rows are seen against: what we rent, whose prices are of now, the model of the tokens."""

    rented: Sequence[RentedGpu]
    sources: Mapping[str, AccountNow]
    fresh: frozenset[str]
    names: Mapping[str, str]
    kinds: Mapping[str, str]
    model: ModelSpeeds | None
    watch_url: str

    @property
    def sorts(self) -> Mapping[str, Sort]:
        own = {"saving": Sort(offers.saving_value(self.rented, self.fresh), Decimal, missing=True)}
        if self.model:
            own["per_million"] = Sort(offers.per_million_value(self.model.speeds), Decimal, missing=True)
        return {**SORTS, **own}


@get_view("providers.view_offer")
def providers(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    accounts = worst_first(accounts_now(now))
    rent = rented(accounts, now) if request.user.has_perm("providers.view_lease") else None
    ours = offers.ours(entry.lease for entry in rent.active) if rent else []
    cheapest = offers.cheapest_by_gpu()
    fresh = offers.fresh_of(offers.newest_of(accounts))
    gpus = gpu_rows(cheapest, ours, fresh, now)
    context = {
        "page": ProvidersPage(accounts, rent, cheapest, gpus, offers.better(ours, fresh)),
        "now": now,
        "rent": rent,
        "gpus": gpus,
        "freshness": [
            {"account": account, "feeds": [account.feed(kind) for kind in FEED_WORDS]} for account in accounts
        ],
        "feed_words": FEED_WORDS,
        "json_url": "/api/v1/leases",
    }
    return render(request, "providers/offers/providers.html", context)


def rented(accounts: Sequence[AccountNow], now: datetime) -> Rent:
    """Leases of now and before, and the prepaid money behind them."""
    active = lease_figures(active_leases(), now, accounts_with_old_leases(accounts))
    return Rent(active, lease_figures(ended_leases(ENDED_SHOWN), now), runways(accounts, active, now))


@get_view("providers.view_offer")
def explorer(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    sources = offers.sources(now)
    polled = offers.polls(sources)
    market_facets, models = offers.facets_since(polled), offers.catalogue()
    ours = offers.rented_now() if request.user.has_perm("providers.view_lease") else []
    names = provider_names(market_facets)
    form = OfferForm(
        request.GET,
        gpus=gpu_choices(market_facets, ours),
        providers=list(names.items()),
        models=[(model.slug, model.name) for model in models.values()],
    )
    wanted = form.wanted
    reader = ExplorerContext(
        rented=ours,
        sources=sources,
        fresh=offers.fresh_of(sources),
        names=names,
        kinds={kind.value: str(kind.label) for kind in OfferKind},
        model=models.get(form.cleaned_data.get("model") or ""),
        watch_url=reverse("providers:offer-watch-add"),
    )
    chosen, only_cheaper = offers.offers_matching(wanted), bool(form.cleaned_data.get("cheaper"))
    if only_cheaper:
        chosen = offers.only_cheaper(chosen, ours, reader.fresh)
    rows, after = page_of(request, chosen, form, reader)
    market = offers.market_of(market_facets, wanted) if wanted.of_facets and not only_cheaper else offers.market(chosen)
    page = OffersPage(
        market=market,
        offered=sum(facet.available for facet in market_facets),
        rented=ours,
        better=offers.better(ours, reader.fresh),
        silent=[
            source for source in sources.values() if source.offers and source.offers.old and source.offers.feed.rows
        ],
        filtered=any(form.cleaned_data.get(name) for name in form.fields),
    )
    context = {
        "page": page,
        "form": form,
        "rows": [offer_row(offer, reader) for offer in rows],
        # Called only where the template does not remember how the market stood after the same polls.
        "market": partial(market_rows, request, market, wanted.providers),
        "market_key": f"{polled} {now:%Y-%m-%d} {request.GET.urlencode()}",
        "market_s": offers.REMEMBERED_S if polled else 0,
        "markets_left": max(len(market) - MARKETS_SHOWN, 0),
        "total": page.total,
        "rented": ours,
        "model": reader.model,
        "accounts": list(sources.values()),
        "shown": len(rows),
        "next_url": page_url(request, cursor=after) if after else None,
        "first_url": page_url(request, cursor=None) if request.GET.get("cursor") else None,
        "json_url": "/api/v1/offers",
    }
    return render(request, "providers/offers/offers.html", context)


def page_of(
    request: HttpRequest, chosen: Any, form: OfferForm, reader: ExplorerContext
) -> tuple[list[Offer], str | None]:
    sorts = reader.sorts
    sort = form.sort(sorts)
    try:
        return offers.page_of(chosen, sort, request.GET.get("cursor"), SHOWN, sorts)
    except ApiError:  # a cursor of another order or none of ours: from the top
        return offers.page_of(chosen, sort, None, SHOWN, sorts)


def gpu_choices(market_facets: Sequence[Facet], rented: Sequence[RentedGpu]) -> list[tuple[str, str]]:
    names = {facet.gpu for facet in market_facets} | {machine.gpu for machine in rented}
    return [(name, name) for name in sorted(names, key=str.lower)]


def provider_names(market_facets: Sequence[Facet]) -> dict[str, str]:
    return {slug: provider_name(slug) for slug in sorted({facet.provider for facet in market_facets})}


def offer_row(offer: Offer, reader: ExplorerContext) -> dict[str, Any]:
    """Figures by name: a template finds them in a dict several times as fast as on an object."""
    price = offer.whole_per_gpu_hour
    speed = reader.model.speeds.get(offer.gpu) if reader.model else None
    wish = urlencode({"gpu": offer.gpu, "kind": offer.kind, "price": without_zeros(price)})
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
        "like_ours": any(machine.gpu == offer.gpu and machine.kind == offer.kind for machine in reader.rented),
        "watch_url": f"{reader.watch_url}?{wish}",
        "watch_label": _("Watch for a lower price of %(gpu)s") % {"gpu": offer.gpu},
    }


def market_rows(request: HttpRequest, market: Sequence[offers.Market], providers: Sequence[str]) -> dict[str, Any]:
    """The cheapest GPUs and kinds with how their lowest price went, as `rows` and as `lines` of a chart."""
    shown = market[:MARKETS_SHOWN]
    pairs = [(entry.gpu, entry.kind) for entry in shown]
    today = timezone.now().astimezone(UTC).date()
    histories = offers.histories(pairs, today, providers)
    named = [
        (
            f"{entry.gpu}, {entry.kind_label}",
            {"gpu": entry.gpu, "kind": entry.kind},
            histories.get((entry.gpu, entry.kind)),
        )
        for entry in shown
    ]
    rows = [
        {
            "market": entry,
            "history": histories.get((entry.gpu, entry.kind)),
            "monthly": entry.low * MONTH_HOURS,
            "url": page_url(request, gpu=entry.gpu, kind=entry.kind, cursor=None),
        }
        for entry in shown
    ]
    return {"rows": rows, "lines": history_lines(named, today)}
