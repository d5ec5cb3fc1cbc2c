"""What can be rented now, at what price, what do we rent, and how long does the prepaid balance last?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from providers import offers
from providers.accounts.freshness import FEED_WORDS, AccountNow, worst_first
from providers.accounts.queries import accounts_now
from providers.leases.queries import (
    MONTH_HOURS,
    accounts_with_old_leases,
    active_leases,
    ended_leases,
    hourly,
    lease_figures,
    runways,
)
from providers.models import Offer, OfferKind
from providers.offers import RentedGpu

ENDED_SHOWN = 10
GPUS_SHOWN = 15
KINDS = (OfferKind.ON_DEMAND, OfferKind.SPOT, OfferKind.SERVERLESS, OfferKind.COMMITTED_1Y)


@login_required
@permission_required("providers.view_offer", raise_exception=True)
@require_safe
def providers(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    accounts = worst_first(accounts_now(now))
    rent = rented(accounts, now) if request.user.has_perm("providers.view_lease") else {}
    ours = offers.ours(entry.lease for entry in rent.get("active", []))
    cheapest = offers.cheapest_by_gpu()
    fresh = offers.fresh_of(offers.newest_of(accounts))
    context = {
        "now": now,
        "accounts": accounts,
        "freshness": [
            {"account": account, "feeds": [account.feed(kind) for kind in FEED_WORDS]} for account in accounts
        ],
        "feed_words": FEED_WORDS,
        "late": [account for account in accounts if account.state in ("refused", "failing", "partly", "late")],
        "on_time": sum(account.state == "ok" for account in accounts),
        **rent,
        "gpus": gpu_rows(cheapest, ours, fresh, now),
        "kinds": [(kind.value, kind.label) for kind in KINDS if any(offer.kind == kind for offer in cheapest)],
        "cheapest": min(cheapest, key=lambda offer: offer.whole_per_gpu_hour, default=None),
        "better": offers.better(ours, fresh),
        "json_url": "/api/v1/leases",
    }
    return render(request, "providers/offers/providers.html", context)


def rented(accounts: Sequence[AccountNow], now: datetime) -> dict[str, Any]:
    """Leases of now and before, and the prepaid money behind them."""
    old = accounts_with_old_leases(accounts)
    active = lease_figures(active_leases(), now, old)
    ended = lease_figures(ended_leases(ENDED_SHOWN), now)
    per_hour = hourly(active)
    return {
        "active": active,
        "ended": ended,
        "gpus_rented": sum(entry.lease.gpu_count for entry in active if entry.lease.price_per_hour),
        "per_hour": per_hour,
        "unpriced": [entry for entry in active if entry.unpriced],
        "per_month": per_hour * MONTH_HOURS,
        "month_cost": sum((entry.month_cost for entry in active), start=per_hour * 0),
        "month_end": sum((entry.month_end or entry.month_cost for entry in active), start=per_hour * 0),
        "wasted": [entry for entry in active if entry.wasted],
        "runways": runways(accounts, active, now),
    }


def gpu_rows(
    cheapest: Sequence[Offer], ours: Sequence[RentedGpu], fresh: Collection[str], now: datetime
) -> list[dict[str, Any]]:
    """One row a GPU: its cheapest offer of each kind and how the lowest on-demand price went; what we rent first."""
    by_gpu: dict[str, dict[str, Offer]] = defaultdict(dict)
    for offer in cheapest:
        by_gpu[offer.gpu][offer.kind] = offer
    mine = {machine.gpu: machine for machine in ours}
    order = sorted(
        by_gpu, key=lambda gpu: (gpu not in mine, min(o.whole_per_gpu_hour for o in by_gpu[gpu].values()), gpu)
    )
    shown = order[:GPUS_SHOWN]
    pairs = [(gpu, history_kind(by_gpu[gpu])) for gpu in shown]
    histories = offers.histories(pairs, now.astimezone(UTC).date())
    return [
        {
            "gpu": gpu,
            "memory_gb": next((offer.memory_gb for offer in by_gpu[gpu].values() if offer.memory_gb), None),
            "offers": [
                gpu_cell(by_gpu[gpu].get(kind), fresh) for kind in KINDS if any(o.kind == kind for o in cheapest)
            ],
            "ours": mine.get(gpu),
            "history": histories.get((gpu, kind)),
        }
        for gpu, kind in pairs
    ]


def history_kind(by_kind: Mapping[str, Offer]) -> str:
    """Of which kind the price's history is drawn: the first of ours that the GPU is offered as."""
    return next((kind.value for kind in KINDS if kind in by_kind), OfferKind.ON_DEMAND.value)


def gpu_cell(offer: Offer | None, fresh: Collection[str]) -> dict[str, Any]:
    return {"offer": offer, "old": offer is not None and offer.provider not in fresh}
