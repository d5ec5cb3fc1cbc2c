"""Writes of routing rules. The gateway follows within a few seconds."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import transaction

from lib.confidence_intervals import wilson
from lib.events import log_event
from providers.audit.log import Action, Actor, ActorKind, record
from traffic.comparisons.services import add_pair
from traffic.models import RequestBody, Route, RouteUse, ShadowCopy
from traffic.request_ids import day_of
from traffic.routes.forms import CANARY, RouteForm
from traffic.routes.page import returned_sentence

logger = logging.getLogger(__name__)

LEAST_CALLS = 10  # of a canary, before it is judged
SLOW_PERCENT = 5  # of its streams may be slower than its bound
AT_ONCE = 500  # copies
PATIENCE = timedelta(minutes=10)  # for the bodies of a copy


@transaction.atomic
def save_route(form: RouteForm) -> Route:
    """Store the rule of a valid form: a new one, or the one that the form changes. A changed canary begins anew."""
    route: Route = form.save()
    if not {*CANARY}.isdisjoint(form.changed_data):
        start_canary(route)
    return route


def start_canary(route: Route) -> None:
    """Let a rule's canary answer its share, with nothing counted yet."""
    anew = {"calls": 0, "failures": 0, "streams": 0, "slow": 0, "returned_at": None, "reason": ""}
    RouteUse.objects.update_or_create(route=route, defaults=anew)


@transaction.atomic
def return_canaries(now: datetime) -> int:
    """End each canary whose errors or first tokens are past their bound for certain. Returns how many."""
    rows = RouteUse.objects.select_for_update(of=["self"]).select_related("route__canary").order_by("pk")
    ended = 0
    for use in rows.filter(route__canary__isnull=False, returned_at=None, calls__gte=LEAST_CALLS):
        failing = _is_past(use.failures, use.calls, use.route.canary_errors)
        slow = _is_past(use.slow, use.streams, SLOW_PERCENT) and use.streams >= LEAST_CALLS
        if not failing and not slow:
            continue
        use.returned_at, use.reason = now, "errors" if failing else "ttft"
        use.save(update_fields=["returned_at", "reason"])
        record(Action.CHANGED, actor=Actor(ActorKind.SYSTEM, ""), thing=use.route, message=returned_sentence(use))
        log_event(logger, logging.WARNING, "canary_returned", route=use.route.slug, reason=use.reason,
                  calls=use.calls, failures=use.failures, streams=use.streams, slow=use.slow)  # fmt: skip
        ended += 1
    return ended


def _is_past(cases: int, of: int, percent: int) -> bool:
    """Whether a share is above a bound for certain: by the lower end of its interval."""
    interval = wilson(cases, of)
    return interval is not None and interval.low * 100 > percent


def pair_shadows(now: datetime) -> int:
    """Make a pair of each call and its copy once both bodies are stored, which takes seconds. Returns how many."""
    made = 0
    copies = list(ShadowCopy.objects.select_related("candidate", "baseline", "application").order_by("pk")[:AT_ONCE])
    ids = [request for copy in copies for request in (copy.candidate_request, copy.baseline_request)]
    bodies = RequestBody.objects.filter(day__in={day_of(request) for request in ids}, request_id__in=ids)
    prompts = dict(bodies.values_list("request_id", "prompt"))
    for copy in copies:
        if copy.candidate_request in prompts and copy.baseline_request in prompts:
            with suppress(ValueError):  # both are of one deployment: no pair, and none later
                add_pair(
                    candidate=copy.candidate, baseline=copy.baseline, candidate_request=copy.candidate_request,
                    baseline_request=copy.baseline_request, task=copy.task, application=copy.application,
                    prompt=prompts[copy.baseline_request] or "", prompt_application_id=copy.application_id,
                )  # fmt: skip
                made += 1
        elif copy.at > now - PATIENCE:
            continue
        copy.delete()
    return made


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
