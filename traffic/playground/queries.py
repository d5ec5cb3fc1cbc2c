"""Reads of the playground: who can answer, and what an answer used and cost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Sum
from django.utils.translation import gettext as _

from traffic.caps.queries import CapInUse, caps_of_application
from traffic.gateway.routes import Rule, Target, reachable
from traffic.models import Application, Request, UsageDay
from traffic.models.applications import PLAYGROUND
from traffic.playground.services import own_slug
from traffic.routes.queries import read_routing

ROW_WAIT_S = 3.0  # until a call's row is in PostgreSQL; it takes half a second
LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Choices:
    """Deployments and routes that the playground may name, as groups of a select; `models` by deployment."""

    groups: list[tuple[str, list[tuple[str, str]]]]
    models: dict[str, str]


def choices() -> Choices:
    """Those that rules open for the application, as for every other."""
    rules, targets = read_routing()
    return choices_of(rules, targets, own_slug())


def choices_of(rules: tuple[Rule, ...], targets: tuple[Target, ...], slug: str) -> Choices:
    mine = [rule for rule in rules if not rule.applications or slug in rule.applications]
    deployments = reachable(mine, targets, slug)
    named = [(target.slug, _("%(name)s (down)") % {"name": target.slug} if target.down else target.slug)
             for target in deployments]  # fmt: skip
    routes = [(rule.slug, rule.name or rule.slug) for rule in mine if not rule.private]
    groups = [(_("Deployments"), named), (_("Routes"), routes)]
    return Choices(groups, {target.slug: target.model for target in deployments})


@dataclass(frozen=True, slots=True)
class Spent:
    """The caps of the playground with their use, and USD of its requests since the UTC month began."""

    application: Application
    caps: list[CapInUse]
    month: Decimal


def spent(now: datetime) -> Spent | None:
    """None where it has sent nothing yet."""
    application = Application.objects.filter(made_for=PLAYGROUND).first()
    if application is None:
        return None
    usage = UsageDay.objects.filter(application=application, day__gte=now.date().replace(day=1))
    month = usage.aggregate(usd=Sum("cost", default=Decimal(0)))["usd"]
    return Spent(application, caps_of_application(application, now), month)


def row_of(identifier: UUID) -> Request | None:
    """The row of a call that has just ended; None where it is not stored in time."""
    end = time.monotonic() + ROW_WAIT_S
    while (row := Request.objects.by_id(identifier)) is None and time.monotonic() < end:
        time.sleep(LOOK_EVERY_S)
    return row
