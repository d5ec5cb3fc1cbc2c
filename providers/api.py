"""The providers' part of the JSON API: offers, leases, uptime.

Who may ask is decided where the router is mounted: keys are traffic's, to the right of this app.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from providers import offers, uptime_page
from providers.leases import LeaseNow, lease_figures
from providers.models import Deployment, Lease, Offer, OfferKind
from providers.outage_cost import NO_COST, OutageCost, cost_of
from providers.rest.errors import ApiError, at
from providers.rest.paging import Limit, Page, decode_cursor, encode_cursor
from providers.rest.periods import MOMENT, parse_period
from providers.rest.shapes import READ_ERRORS
from providers.schemas import LeaseOut, OfferOut, Text, UptimeOut
from providers.uptime_report import DeploymentUptime, OutageSpan

router = Router(tags=["providers"])
SORTS = "|".join(offers.SORTS)
Cursor = Annotated[str | None, Field(max_length=400, description="`next` of the page before")]
Moment = Annotated[str | None, Field(pattern=MOMENT)]


class OfferQuery(Schema):
    """What to look for; values of one name are alternatives. `gpu` knows names without their size and spaces."""

    gpu: list[Text] = []
    kind: list[Text] = []
    provider: list[Text] = []
    region: Text = ""
    min_memory_gb: Annotated[Decimal | None, Field(ge=0, le=100_000)] = None
    max_price: Annotated[Decimal | None, Field(ge=0, le=100_000, description="USD per GPU hour")] = None
    min_reliability: Annotated[float | None, Field(ge=0, le=1)] = None
    available: bool | None = None

    def parsed(self) -> offers.OfferFilter:
        known = {facet.gpu for facet in offers.facets()} if self.gpu else set()
        named = [name for text in self.gpu for name in offers.gpus_called(text, known)]
        return offers.OfferFilter(
            gpus=named or list(self.gpu),
            kinds=self.kind,
            providers=self.provider,
            region=self.region,
            min_memory_gb=self.min_memory_gb,
            max_price=self.max_price,
            min_reliability=self.min_reliability,
            available=self.available,
        )


@router.get("/offers", response={200: Page[OfferOut], **READ_ERRORS}, summary="GPUs that can be rented")
def get_offers(
    request: HttpRequest,
    wanted: Query[OfferQuery],
    sort: Annotated[
        str, Field(pattern=f"^-?({SORTS})$", description="Ascending; `-` before it turns it round")
    ] = "price",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    if unknown := [kind for kind in wanted.kind if kind not in OfferKind.values]:
        known = ", ".join(OfferKind.values)
        raise ApiError(422, f"There is no kind {unknown[0]!r}.", [at(["query", "kind"], f"One of {known}.")])
    rows, after = offers.page_of(Offer.objects.filter(wanted.parsed().conditions()), sort, cursor, limit)
    return {"items": rows, "next": after}


@router.get("/leases", response={200: Page[LeaseOut], **READ_ERRORS}, summary="What we rent and rented, newest first")
def get_leases(
    request: HttpRequest,
    provider: Annotated[list[Text], Query()] = [],  # noqa: B006  # ninja reads the default, nothing changes it
    deployment: Annotated[list[Text], Query()] = [],  # noqa: B006  # as above
    active: bool | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    leases = Lease.objects.newest_first()
    if provider:
        leases = leases.filter(account__kind__in=provider)
    if deployment:
        leases = leases.filter(pk__in=Deployment.objects.filter(slug__in=deployment).values("lease"))
    if active is not None:
        leases = leases.filter(ended_at__isnull=active)
    if after := decode_cursor(cursor, (str, int)):
        leases = leases.before(offers.parse_value(datetime, after[0]), offers.cursor_id(after[1]))
    rows = lease_figures(leases[: limit + 1], timezone.now())
    last = rows[limit - 1].lease if len(rows) > limit else None
    return {
        "items": [lease_json(row) for row in rows[:limit]],
        "next": encode_cursor(last.started_at.isoformat(), last.pk) if last else None,
    }


def lease_json(row: LeaseNow) -> dict[str, Any]:
    lease = row.lease
    kept = ("id", "external_id", "name", "gpu", "gpu_count", "kind", "region", "price_per_hour", "started_at")
    return {
        **{name: getattr(lease, name) for name in kept},
        "provider": lease.account.kind,
        "account": lease.account.slug,
        "ended_at": lease.ended_at,
        "hours": float(row.hours),
        "cost": row.cost,
        "month_end": row.month_end,
        "utilisation": lease.utilisation,
        "state": lease.state,
        "deployments": [deployment.slug for deployment in row.deployments],
    }


class UptimeQuery(Schema):
    """`from` inclusive, `to` exclusive; missing = the current month to date."""

    since: Moment = Field(None, alias="from")
    until: Moment = Field(None, alias="to")
    provider: list[Text] = []
    model: list[Text] = []
    deployment: list[Text] = []


@router.get("/uptime", response={200: UptimeOut, **READ_ERRORS}, summary="Uptime and outages of each deployment")
def get_uptime(request: HttpRequest, asked: Query[UptimeQuery]) -> Any:
    now = timezone.now()
    period = parse_period(asked.since, asked.until, now)
    chosen = Deployment.objects.enabled()
    for column, values in (("provider", asked.provider), ("model", asked.model), ("slug", asked.deployment)):
        if values:
            chosen = chosen.filter(**{f"{column}__in": values})
    states = {row.slug: uptime_page.now_of(row, now).state for row in chosen}
    report = chosen.uptime_report(period.since, max(period.since, min(period.until, now)))
    costs = cost_of([one.row for entry in report for one in entry.outages if one.row], now)
    known = [entry for entry in report if entry.slug in states]
    return {"deployments": [uptime_json(entry, states[entry.slug], costs) for entry in known]}


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
            {"started_at": one.started_at, "ended_at": one.ended_at, "cause": one.cause, **cost_json(one, costs)}
            for one in entry.outages
        ],
    }


def cost_json(outage: OutageSpan, costs: Mapping[int, OutageCost]) -> dict[str, Any]:
    cost = costs.get(outage.row.pk, NO_COST) if outage.row else NO_COST
    return {"requests_failed": cost.failed, "requests_rerouted": cost.rerouted, "rent": cost.money}
