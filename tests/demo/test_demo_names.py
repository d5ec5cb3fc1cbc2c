"""The demo company calls the same work by the same name everywhere."""

from __future__ import annotations

from typing import Any

from django.utils.text import capfirst

from demo.company import BUDGETS, BY_SLUG
from traffic.models import Task


def test_a_budget_of_an_application_or_task_has_its_name() -> None:
    names: dict[str, dict[str, Any]] = {
        "application": {slug: row.name for slug, row in BY_SLUG.items()},
        "task": dict(Task.choices),
    }
    budgets = [budget for budget in BUDGETS if budget.scope in names]
    assert budgets
    assert [budget.name for budget in budgets] == [capfirst(str(names[row.scope][row.subject])) for row in budgets]
