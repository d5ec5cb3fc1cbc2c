"""Writes of routing rules. The gateway follows within a few seconds."""

from __future__ import annotations

from django.db import transaction

from traffic.models import Route
from traffic.routes.forms import RouteForm


def save_route(form: RouteForm) -> Route:
    """Store the rule of a valid form: a new one, or the one that the form changes."""
    route: Route = form.save()
    return route


def delete_route(route: Route) -> None:
    route.delete()


def switch_route(route: Route, *, on: bool) -> bool:
    """Put a rule into use or out of it; whether that changed anything."""
    return bool(Route.objects.filter(pk=route.pk, enabled=not on).update(enabled=on))


@transaction.atomic
def move_route(route: Route, *, up: bool) -> bool:
    """Let a rule and its neighbour change places; False at the end of the list."""
    order = list(Route.objects.select_for_update().order_by("order", "pk"))
    place = order.index(route)
    other = place - 1 if up else place + 1
    if not 0 <= other < len(order):
        return False
    order[place], order[other] = order[other], order[place]
    for number, neighbour in enumerate(order, 1):
        neighbour.order = number
    Route.objects.bulk_update(order, ["order"])
    return True
