"""Reads of single steps of the plan, and of the requests that a plan is held against."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.shortcuts import get_object_or_404

from costs.dates import month_of
from costs.models import Budget, BudgetScope, Phase, Stage
from lib import sql
from traffic.models import Application


def phase(slug: str) -> Phase:
    """Raises Http404."""
    return get_object_or_404(Phase, slug=slug)


def stage(slug: str) -> Stage:
    """Raises Http404."""
    return get_object_or_404(Stage, slug=slug)


def budget(slug: str) -> Budget:
    """Raises Http404."""
    return get_object_or_404(Budget, slug=slug)


def application_with_owner(slug: str) -> Application:
    """Raises Http404."""
    return get_object_or_404(Application.objects.select_related("owner"), slug=slug)


def budgets_of(application: Application, now: datetime) -> list[Budget]:
    """This month's budgets of an application, and those of all that its owner has."""
    scope = Q(application=application)
    if application.owner is not None:
        scope |= Q(owner=application.owner)
    first, last = month_of(now.astimezone(UTC).date())
    return list(Budget.objects.reaching(first, last + timedelta(1)).filter(scope))


def budgets_of_application(slug: str, now: datetime) -> list[Budget]:
    """Budgets of an application alone that have a day in this month."""
    first, last = month_of(now.astimezone(UTC).date())
    return list(Budget.objects.about(BudgetScope.APPLICATION, slug).reaching(first, last + timedelta(1)))


DAYS_BY_SIDE = """
SELECT day, leased > 0 OR provider = 'self' AS ours, sum(requests)::bigint AS requests
FROM traffic_usage_day WHERE day BETWEEN %s AND %s GROUP BY 1, 2
"""


def days_by_side(since: date, until: date) -> list[dict[str, Any]]:
    """Requests by day, and by whether our own GPUs served them (`ours`)."""
    return sql.mappings(DAYS_BY_SIDE, (since, until))
