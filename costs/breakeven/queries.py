"""Queries of the break-even: requests by day, what served each task in the log, the models that people chose."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from costs.breakeven.counterfactual import ChosenModel
from lib import sql
from lib.tokens import PROMPT_CLASSES
from providers.models import Model, TokenPrice
from traffic.models import Application
from traffic.usage.filters import Filters

LOOKS_BACK = timedelta(days=400)  # for the model that served a task last
COUNTS = ("requests", "unknown_usage", "batched", *PROMPT_CLASSES)
ADDED = ", ".join(f"sum({name})::bigint AS {name}" for name in (*COUNTS, "output"))
COMPARED = "application_id NOT IN (SELECT id FROM traffic_application WHERE test_only)"

DAY_REQUESTS = f"""
SELECT day, sum(requests)::bigint FROM traffic_usage_day WHERE day BETWEEN %s AND %s AND {COMPARED} GROUP BY 1
"""
BY_WEEK = f"""
SELECT (%s - day) / 7 AS week, provider, model, task, leased > 0 OR provider = 'self' AS ours, max(day) AS last_day,
       min(day) AS first_day, array_agg(DISTINCT application_id) AS applications, {ADDED}
FROM traffic_usage_day WHERE day > %s AND day <= %s{{condition}} GROUP BY 1, 2, 3, 4, 5
"""


def compared_condition(filters: Filters) -> tuple[str, list[list[Any]]]:
    """The filters as SQL that begins with AND, without the applications that do not count in the comparison.

    Applications that the filters name count in any case.
    """
    condition, values = filters.condition()
    return (condition if filters.application else f"{condition} AND {COMPARED}"), values


def day_requests(since: date, until: date) -> dict[date, int]:
    """Compared requests by UTC day, `until` included; days without requests are left out."""
    return dict(sql.rows(DAY_REQUESTS, (since, until)))


def served_by_week(now: datetime, filters: Filters) -> list[dict[str, Any]]:
    """What served each task in the weeks up to now, counted backwards from 0.

    Filters of provider, model and deployment do not hold here: they would hide who served the task before.
    """
    today = now.astimezone(UTC).date()
    condition, values = compared_condition(Filters(application=filters.application, task=filters.task))
    return sql.mappings(BY_WEEK.format(condition=condition), [today, today - LOOKS_BACK, today, *values])


def priced_models(now: datetime) -> list[tuple[str, str]]:
    """(provider, model) of every API model that has a price in force, in order; retired ones are left out."""
    today = now.astimezone(UTC).date()
    retired = set(Model.objects.filter(retires_on__lte=today).values_list("provider", "name"))
    keys = TokenPrice.objects.in_force(now).exclude(provider="self").values_list("provider", "model").distinct()
    return sorted(key for key in keys if key not in retired)


def only_testing() -> list[str]:
    """Slugs of the applications that only test."""
    return list(Application.objects.filter(test_only=True).values_list("slug", flat=True))


# Who chose a model, as people know the person; empty if the account is gone.
CHOSEN = """
SELECT task, provider, model, coalesce(nullif(trim(concat_ws(' ', first_name, last_name)), ''), username, '')
FROM costs_taskmodel LEFT JOIN auth_user ON auth_user.id = by_id
"""


def chosen_models() -> dict[str, ChosenModel]:
    """The models that people chose, by task."""
    return {task: ChosenModel(*chosen) for task, *chosen in sql.rows(CHOSEN)}
