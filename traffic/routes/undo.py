"""A deleted route, as it is remembered in the session of who deleted it, and put back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.dateparse import parse_date, parse_datetime

from providers.models import Deployment
from traffic.models import Application, Fallback, Route, RouteUse

SESSION = "deleted_route"
FIELDS = (
    "order", "slug", "name", "enabled", "tasks", "requested_models", "over_tokens", "over_context", "media", "private",
    "self_only_model", "percent", "budget_states", "to_provider", "falls_back", "next_at_cap", "strategy", "weight",
    "hedge_ms", "canary_percent", "canary_errors", "canary_ttft_ms",
)  # fmt: skip
COUNTS = ("calls", "failures", "streams", "slow", "reason")


def remembered(route: Route) -> dict[str, Any]:
    """All of it as plain values."""
    return {
        "fields": {name: getattr(route, name) for name in FIELDS},
        "shadow_usd": None if route.shadow_usd is None else str(route.shadow_usd),
        "deployment": route.deployment_id,
        "canary": route.canary_id,
        "shadow": route.shadow_id,
        "applications": list(route.applications.values_list("pk", flat=True)),
        "fallbacks": list(route.fallback_set.order_by("order").values_list("deployment_id", "weight")),
        "use": _use_of(route),
    }


def _use_of(route: Route) -> dict[str, Any] | None:
    """What its canary and its shadow have done. A canary that was ended stays so, and a day's amount stays spent."""
    use = RouteUse.objects.filter(route=route).first()
    if use is None:
        return None
    moments = {"returned_at": use.returned_at and use.returned_at.isoformat(), "day": use.day and use.day.isoformat()}
    return {**{name: getattr(use, name) for name in COUNTS}, **moments, "usd": str(use.usd)}


@transaction.atomic
def bring_back(deleted: dict[str, Any]) -> Route | None:
    """The same rule again, among its old neighbours; None where another has its name or its target is gone.

    A rule that was for some applications stays out of use if none of them is left: without any it would hold for all.
    Sessions of an earlier version know less of it, and have fallbacks without weights.
    """
    fields, deployment = deleted["fields"], deleted["deployment"]
    there = set(Deployment.objects.values_list("pk", flat=True))
    if Route.objects.filter(slug=fields["slug"]).exists() or (deployment is not None and deployment not in there):
        return None
    applications = list(Application.objects.filter(pk__in=deleted["applications"]))
    if deleted["applications"] and not applications:
        fields = fields | {"enabled": False}
    beside = {f"{name}_id": pk for name in ("canary", "shadow") if (pk := deleted.get(name)) in there}
    usd = Decimal(deleted["shadow_usd"]) if deleted.get("shadow_usd") else None
    route = Route.objects.create(**fields, **beside, deployment_id=deployment, shadow_usd=usd)
    route.applications.set(applications)
    pairs = [pair if isinstance(pair, list | tuple) else (pair, None) for pair in deleted["fallbacks"]]
    left = [(fallback, weight) for fallback, weight in pairs if fallback in there]
    Fallback.objects.bulk_create(
        Fallback(route=route, deployment_id=fallback, order=n, weight=weight)
        for n, (fallback, weight) in enumerate(left, 1)
    )
    if use := deleted.get("use"):
        moments = {"returned_at": parse_datetime(use["returned_at"] or ""), "day": parse_date(use["day"] or "")}
        RouteUse.objects.create(route=route, **(use | moments | {"usd": Decimal(use["usd"])}))
    return route
