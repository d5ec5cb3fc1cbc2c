"""A deleted route, as it is remembered in the session of who deleted it, and put back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import transaction

from providers.models import Deployment
from traffic.models import Application, Fallback, Route

SESSION = "deleted_route"
FIELDS = (
    "order", "slug", "name", "enabled", "tasks", "requested_models", "over_tokens", "over_context", "media", "private",
    "self_only_model", "percent", "budget_states", "to_provider", "falls_back", "next_at_cap", "strategy", "weight",
    "hedge_ms", "canary_percent", "canary_errors", "canary_ttft_ms",
)  # fmt: skip


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
    }


@transaction.atomic
def bring_back(deleted: dict[str, Any]) -> Route | None:
    """The same rule again, among its old neighbours; None where another has its name or its target is gone.

    A rule that was for some applications stays out of use if none of them is left: without any it would hold for all.
    """
    fields, deployment = deleted["fields"], deleted["deployment"]
    there = set(Deployment.objects.values_list("pk", flat=True))
    if Route.objects.filter(slug=fields["slug"]).exists() or (deployment is not None and deployment not in there):
        return None
    applications = list(Application.objects.filter(pk__in=deleted["applications"]))
    if deleted["applications"] and not applications:
        fields = fields | {"enabled": False}
    beside = {f"{name}_id": pk for name in ("canary", "shadow") if (pk := deleted[name]) in there}
    usd = Decimal(deleted["shadow_usd"]) if deleted["shadow_usd"] else None
    route = Route.objects.create(**fields, **beside, deployment_id=deployment, shadow_usd=usd)
    route.applications.set(applications)
    left = [(fallback, weight) for fallback, weight in deleted["fallbacks"] if fallback in there]
    Fallback.objects.bulk_create(
        Fallback(route=route, deployment_id=fallback, order=n, weight=weight)
        for n, (fallback, weight) in enumerate(left, 1)
    )
    return route
