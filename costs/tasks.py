"""What runs by the clock in costs."""

from __future__ import annotations

from datetime import UTC

from celery import shared_task
from django.utils import timezone

from costs import budgets, closings, ledger
from costs.recurrences import post_recurrences


@shared_task(time_limit=300)  # the statements are bounded by the vendors' rows, some thousand a month
def post_ledger() -> None:
    today = timezone.now().astimezone(UTC).date()
    post_recurrences(today)
    ledger.post()
    closings.revise(today)


@shared_task(time_limit=60)
def keep_budget_states() -> None:
    budgets.keep_budget_states(timezone.now())
