"""Reads of routing rules."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal

from django.db import OperationalError, connection, transaction
from django.db.models import Prefetch, Sum
from django.shortcuts import get_object_or_404

from traffic.gateway import snapshot
from traffic.gateway.protocols import ANTHROPIC, OPENAI
from traffic.gateway.routes import Rule, Target
from traffic.ingest.context import pricing_context, raw_connection
from traffic.ingest.rows import RequestRow, Tokens
from traffic.models import Application, CostReason, Fallback, Outcome, Request, Route, Task, UsageDay
from traffic.routes.dry_run import CallSketch, PastCall


def list_routes() -> list[Route]:
    """All rules in the order in which they are sketch, with their targets, applications and fallbacks."""
    fallbacks = Prefetch("fallback_set", Fallback.objects.select_related("deployment"))
    beside = ("deployment", "canary", "shadow", "use")
    return list(Route.objects.select_related(*beside).prefetch_related("applications", fallbacks))


def read_routing() -> tuple[tuple[Rule, ...], tuple[Target, ...]]:
    """The rules in use and the deployments, as the gateway reads them."""
    with raw_connection() as conn:
        return snapshot.read_routing(conn)


LAST_CALLS, LAST_DAYS = 1_000, 7
LOOK_MS = 2_000  # for one day
SHADOWS_MS = 500  # for the month of all shadows


def last_calls(rules: Iterable[Rule], today: date) -> list[PastCall]:
    """The newest calls of the gateway of the last days, at most a thousand; what a cap refused is none.

    A call of a rule for private calls was private. Whether others were, and what they carried, is not stored: those of
    the task `vision` carried an image.
    """
    private = {rule.slug for rule in rules if rule.private}
    states = dict(Application.objects.values_list("slug", "budget_state"))
    calls: list[PastCall] = []
    for days in range(LAST_DAYS):
        rows = calls_of(today - timedelta(days=days), LAST_CALLS - len(calls))
        calls += [past_call(row, private, states) for row in rows or ()]
        if rows is None or len(calls) >= LAST_CALLS:
            break
    return calls


def calls_of(day: date, most: int) -> list[Request] | None:
    """The newest calls of a day. None where they cannot be found in time: a log may hold few among millions of rows."""
    rows = (
        Request.objects.in_days(day, day + timedelta(days=1))
        .filter(source="gateway")
        .exclude(outcome=Outcome.REFUSED)
        .select_related("application")
        .newest_first()[:most]
    )
    try:
        with at_most(LOOK_MS):
            return list(rows)
    except OperationalError:
        return None


@contextmanager
def at_most(ms: int) -> Iterator[None]:
    """A transaction of which no statement takes longer. Raises OperationalError."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = %s", [ms])
        yield


def shadow_costs(routes: Iterable[Route], today: date) -> dict[str, Decimal] | None:
    """USD of the copies for each rule's shadow since the UTC month began, by slug. None: not added up in time.

    Copies are requests of their application, which no rollup tells apart, so the log is read: of days on which
    a shadow was called.
    """
    shadows = {route.shadow_id for route in routes if route.shadow_id}
    if not shadows:
        return {}
    called = UsageDay.objects.filter(day__gte=today.replace(day=1), deployment__in=shadows)
    days = list(called.values_list("day", flat=True).distinct())
    copies = Request.objects.filter(day__in=days, deployment__in=shadows, raw__has_key="shadow_of")
    try:
        with at_most(SHADOWS_MS):
            return dict(copies.values_list("route").annotate(usd=Sum("cost", default=Decimal(0))))
    except OperationalError:
        return None


def stored_call(row: Request) -> CallSketch:
    """A stored call of the gateway, as far as rules look at it. What is not stored is as for `last_calls`."""
    private = set(Route.objects.enabled().filter(private=True).values_list("slug", flat=True))
    application = row.application
    states = {application.slug: application.budget_state} if application else {}
    return past_call(row, private, states).sketch


def past_call(row: Request, private: Container[str], states: Mapping[str, str]) -> PastCall:
    classes = (row.uncached_input, row.cache_read, row.cache_write_5m, row.cache_write_1h, row.output)
    tokens = None if None in classes else tuple(number or 0 for number in classes)
    application = row.application.slug if row.application else ""
    raw = row.raw if isinstance(row.raw, dict) else {}
    model = raw.get("asked_model")
    sketch = CallSketch(
        model=model if isinstance(model, str) else row.model,
        application=application,
        task=row.task,
        tokens=sum(tokens[:4]) if tokens else 0,
        text=str(row.id),  # a share of conversations falls on each as on any other
        media=row.task == Task.VISION,
        private=row.route in private if row.route else False,
        budget_state=states.get(application, ""),
        protocol=ANTHROPIC if row.provider == "anthropic" else OPENAI,
    )
    return PastCall(str(row.id), row.started_at, sketch, tokens)


def price_of(past: PastCall, target: Target) -> Decimal | None:
    """What a stored call would cost at a target, at the prices of its day; 0 on self-hosted ones. None: unknown."""
    if past.tokens is None:
        return None
    row = RequestRow(
        external_id="", started_at=past.started_at, provider=target.provider, model=target.model, source="gateway",
        deployment_id=target.id, tokens=Tokens(*past.tokens),
    )  # fmt: skip
    costed = pricing_context.get().cost(row)
    return Decimal(0) if costed.reason == CostReason.LEASED else costed.cost


def get_route(slug: str) -> Route:
    """Raises Http404."""
    return get_object_or_404(Route, slug=slug)
