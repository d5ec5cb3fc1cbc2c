"""The providers' part of the JSON API: offers with their history and watches, leases, bills by workspace, uptime.

Who may ask is decided where the router is mounted: keys are traffic's, to the right of this app.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date
from decimal import Decimal
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from lib.errors import ApiError, at
from lib.paging import Limit, Page, encode_cursor
from lib.periods import MOMENT, parse_period
from lib.shapes import READ_ERRORS, Error
from providers import offers
from providers.accounts.queries import account_named
from providers.accounts.vendor_report import USUAL, reported
from providers.connectors.gpus import MEMORY_GB
from providers.deployments.queries import deployment_named
from providers.engine_metrics import page as engine_page
from providers.engine_metrics.series import GAUGES, Point
from providers.engines.growth import quantile
from providers.leases.queries import MONTH_HOURS, all_leases, lease_figures, leases_after, leases_of
from providers.models import Offer, OfferKind
from providers.schemas import (
    BillOut,
    EngineSeriesOut,
    LeaseOut,
    OfferDayOut,
    OfferOut,
    OfferWatchesOut,
    Text,
    UptimeOut,
)
from providers.uptime import page as uptime_page
from providers.uptime.outage_cost import NO_COST, OutageCost, cost_of
from providers.uptime.queries import enabled_deployments
from providers.uptime.report import DeploymentUptime, OutageSpan
from providers.uptime.report import report as report_of

router = Router(tags=["providers"])
PER_MILLION = "per_million"
SORTS = "|".join((*offers.SORTS, PER_MILLION))
Cursor = Annotated[str | None, Field(max_length=400, description="`next` of the page before")]
Moment = Annotated[str | None, Field(pattern=MOMENT)]


class OfferQuery(Schema):
    """What to look for. Values of one name are alternatives. `gpu` knows names without their size and spaces."""

    gpu: list[Text] = []
    kind: list[Text] = []
    provider: list[Text] = []
    region: Text = ""
    min_memory_gb: Annotated[Decimal | None, Field(ge=0, le=100_000)] = None
    max_price: Annotated[
        Decimal | None, Field(ge=0, le=100_000, description="USD per GPU hour, its machine included")
    ] = None
    min_reliability: Annotated[float | None, Field(ge=0, le=1)] = None
    available: bool | None = None

    def parsed(self) -> offers.OfferFilter:
        return offers.OfferFilter(
            gpus=gpus_of(self.gpu),
            kinds=self.kind,
            providers=self.provider,
            region=self.region,
            min_memory_gb=self.min_memory_gb,
            max_price=self.max_price,
            min_reliability=self.min_reliability,
            available=self.available,
        )


def gpus_of(texts: Sequence[str]) -> Sequence[str]:
    """Names that are meant, of what is offered or was ever; another stands for itself."""
    names = {*MEMORY_GB, *(facet.gpu for facet in offers.facets())} if texts else set()
    return [name for text in texts for name in offers.gpus_called(text, names)] or texts


@router.get("/offers", response={200: Page[OfferOut], **READ_ERRORS}, summary="GPUs that can be rented")
def get_offers(
    request: HttpRequest,
    wanted: Query[OfferQuery],
    sort: Annotated[
        str, Field(pattern=f"^-?({SORTS})$", description="Ascending, with `-` before it descending")
    ] = "price",
    model: Annotated[Text, Field(description="The model whose price of a million tokens `per_million` sorts by")] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    check_kinds(wanted.kind)
    speeds = speeds_of(model) if model else {}
    sorts = {**offers.SORTS, PER_MILLION: offers.Sort(offers.per_million_value(speeds), Decimal, missing=True)}
    rows, after = offers.page_of(offers.offers_matching(wanted.parsed()), sort, cursor, limit, sorts)
    return {"items": [offer_json(row, speeds.get(row.gpu)) for row in rows], "next": after}


def check_kinds(kinds: Sequence[str]) -> None:
    """Raises ApiError (422)."""
    if unknown := [kind for kind in kinds if kind not in OfferKind.values]:
        kinds_text = ", ".join(OfferKind.values)
        raise ApiError(422, f"There is no kind {unknown[0]!r}.", [at(["query", "kind"], f"One of {kinds_text}.")])


def speeds_of(model: str) -> Mapping[str, offers.Speed]:
    """Raises ApiError (422) for a model whose speed is not known."""
    models = offers.catalogue()
    if model not in models:
        names = ", ".join(models) or "none yet"
        raise ApiError(422, f"No speed of {model!r} is known.", [at(["query", "model"], f"Known: {names}.")])
    return models[model].speeds


def offer_json(offer: Offer, speed: offers.Speed | None) -> dict[str, Any]:
    price = offer.whole_per_gpu_hour
    return {
        **{name: getattr(offer, name) for name in OfferOut.model_fields if hasattr(offer, name)},
        "price_per_month": price * MONTH_HOURS,
        "price_per_gb_hour": price / offer.memory_gb if offer.memory_gb else None,
        "price_per_million_tokens": speed.per_million(price) if speed else None,
        "tokens_per_second": float(speed.low) if speed else None,
        "tokens_source": speed.source if speed else None,
    }


@router.get(
    "/offers/history",
    response={200: Page[OfferDayOut], **READ_ERRORS},
    summary="Prices by day, vendor, GPU and kind, newest first",
)
def get_offer_history(
    request: HttpRequest,
    gpu: Annotated[list[Text], Query()] = [],  # noqa: B006  # ninja reads the default, nothing changes it
    kind: Annotated[list[Text], Query()] = [],  # noqa: B006  # as above
    provider: Annotated[list[Text], Query()] = [],  # noqa: B006  # as above
    days: Annotated[int, Field(ge=1, le=366, description="Days back, today (UTC) included")] = offers.HISTORY_DAYS,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    check_kinds(kind)
    today = timezone.now().astimezone(UTC).date()
    days_read = offers.offer_days(
        gpus=gpus_of(gpu), kinds=kind, providers=provider, last=today, days=days, cursor=cursor, limit=limit + 1
    )
    last = days_read[limit - 1] if len(days_read) > limit else None
    return {"items": days_read[:limit], "next": encode_cursor(last.day.isoformat(), last.pk) if last else None}


@router.get("/offers/watches", response={200: OfferWatchesOut, **READ_ERRORS}, summary="Watched offers")
def get_offer_watches(request: HttpRequest) -> Any:
    return {"watches": [watch_json(row) for row in offers.all_watches_now(timezone.now())]}


def watch_json(row: offers.WatchNow) -> dict[str, Any]:
    names = ("id", "gpu", "kind", "provider", "region", "min_reliability", "price", "created_at")
    return {
        **{name: getattr(row.watch, name) for name in names},
        "below": None if row.unsure else row.below,
        "lowest": offer_json(row.lowest, None) if row.lowest else None,
    }


@router.get("/leases", response={200: Page[LeaseOut], **READ_ERRORS}, summary="What we rent and rented, newest first")
def get_leases(
    request: HttpRequest,
    provider: Annotated[list[Text], Query()] = [],  # noqa: B006  # ninja reads the default, nothing changes it
    deployment: Annotated[list[Text], Query()] = [],  # noqa: B006  # as above
    active: bool | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    leases = leases_of(deployment) if deployment else all_leases()
    if provider:
        leases = leases.filter(account__kind__in=provider)
    if active is not None:
        leases = leases.filter(ended_at__isnull=active)
    rows = lease_figures(leases_after(leases, cursor)[: limit + 1], timezone.now())
    last = rows[limit - 1].lease if len(rows) > limit else None
    return {
        "items": rows[:limit],
        "next": encode_cursor(last.started_at.isoformat(), last.pk) if last else None,
    }


@router.get(
    "/accounts/{slug}/bill",
    response={200: BillOut, 404: Error, **READ_ERRORS},
    summary="What a vendor reports of an account, by workspace, key and tier",
)
def get_bill(
    request: HttpRequest,
    slug: str,
    days: Annotated[int, Field(ge=1, le=366, description="Days back, today (UTC) included")] = USUAL,
    workspace: Annotated[Text | None, Field(description="The vendor's id. Empty is its default workspace")] = None,
) -> Any:
    account = account_named(slug)
    if account is None:
        raise ApiError(404, "There is no account of this name.")
    report = reported(account, timezone.now(), days, workspace)
    return {
        "account": account.slug,
        "provider": account.kind,
        "from": report.since,
        "workspaces": report.workspaces,
        "tiers": report.tiers,
        "not_in_the_bill": [tier.id for tier in report.unbilled],
    }


class UptimeQuery(Schema):
    """`from` is inclusive, `to` exclusive. Without them the current month to date."""

    since: Moment = Field(None, alias="from")
    until: Moment = Field(None, alias="to")
    provider: list[Text] = []
    model: list[Text] = []
    deployment: list[Text] = []


@router.get("/uptime", response={200: UptimeOut, **READ_ERRORS}, summary="Uptime and outages of each deployment")
def get_uptime(request: HttpRequest, query: Query[UptimeQuery]) -> Any:
    now = timezone.now()
    period = parse_period(query.since, query.until, now)
    chosen = enabled_deployments(providers=query.provider, models=query.model, slugs=query.deployment)
    states = {row.slug: uptime_page.with_machine(row, now).state for row in chosen}
    report = report_of(chosen, period.since, max(period.since, min(period.until, now)))
    costs = cost_of([outage.row for entry in report for outage in entry.outages if outage.row], now)
    shown = [entry for entry in report if entry.slug in states]
    return {"deployments": [uptime_json(entry, states[entry.slug], costs) for entry in shown]}


def uptime_json(entry: DeploymentUptime, state: str, costs: Mapping[int, OutageCost]) -> dict[str, Any]:
    return {
        "slug": entry.slug,
        "engine": entry.engine,
        "state": state,
        "uptime": entry.uptime,
        "uptime_with_maintenance": entry.uptime_with_maintenance(date.min),
        "checks": entry.checks,
        "failed": entry.failed,
        "outages": [
            {
                "started_at": outage.started_at,
                "ended_at": outage.ended_at,
                "cause": outage.cause,
                **cost_json(outage, costs),
            }
            for outage in entry.outages
        ],
    }


def cost_json(outage: OutageSpan, costs: Mapping[int, OutageCost]) -> dict[str, Any]:
    cost = costs.get(outage.row.pk, NO_COST) if outage.row else NO_COST
    return {"requests_failed": cost.failed, "requests_rerouted": cost.rerouted, "rent": cost.money}


class EngineQuery(Schema):
    range: Annotated[str, Field(pattern=f"^({'|'.join(engine_page.RANGES)})$", description="How far back")] = "24h"


@router.get(
    "/deployments/{slug}/engine",
    response={200: EngineSeriesOut, 404: Error, **READ_ERRORS},
    summary="What an engine reports: requests, cache, tokens, first tokens",
)
def get_engine(request: HttpRequest, slug: str, wanted: Query[EngineQuery]) -> Any:
    deployment = deployment_named(slug)
    if deployment is None:
        raise ApiError(404, "There is no deployment of this name.")
    chosen = engine_page.RANGES[wanted.range]
    shown = engine_page.shown_of(deployment, chosen, timezone.now())
    return {
        "slug": deployment.slug,
        "engine": deployment.engine,
        "served_model": deployment.served_model,
        "max_concurrency": deployment.max_concurrency,
        "engine_slots": deployment.engine_slots,
        "tls_expires_at": deployment.tls_expires_at,
        "step_s": int(shown.step.total_seconds()),
        "points": [engine_point(point) for point in shown.points],
    }


def engine_point(point: Point) -> dict[str, Any]:
    gauges = {name: point.gauges[name] for name in GAUGES}
    return {
        "start": point.start,
        "samples": point.samples,
        "restarts": point.restarts,
        **{
            name: None if triple is None else dict(zip(("least", "mean", "most"), triple, strict=True))
            for name, triple in gauges.items()
        },
        **{f"{name}_per_s": point.rate(name) for name in ("output_tokens", "prompt_tokens", "cached_tokens")},
        **{name: point.counts[name] for name in ("requests", "failed", "preemptions")},
        **{f"ttft_p{q}_ms": engine_page.ms(quantile(point.ttft, q / 100)) for q in (50, 95)},
    }
