"""What runs by the clock in costs."""

from __future__ import annotations

import logging
from datetime import UTC
from time import perf_counter

from celery import shared_task
from django.utils import timezone

from costs import anomalies, savings
from costs.charges.recurrences import post_recurrences
from costs.focus import schedule
from costs.ledger import posting as ledger
from costs.models import Search
from costs.plan import budgets, forecast_record
from costs.reconciliation import bill_status, month_close
from lib.events import log_event, ms_since
from traffic.imports.loading import loading_until

logger = logging.getLogger(__name__)


@shared_task(time_limit=300)  # the statements are bounded by the vendors' rows, some thousand a month
def post_ledger() -> None:
    started, now = perf_counter(), timezone.now()
    today = now.astimezone(UTC).date()
    recurring, changed, revisions = post_recurrences(today), ledger.post(), month_close.revise(today)
    compared = bill_status.refresh(now)
    log_event(
        logger, logging.INFO, "ledger_posted",
        lines=changed, recurring=recurring, revisions=revisions, months_compared=compared, ms=ms_since(started),
    )  # fmt: skip


@shared_task(time_limit=60)
def keep_budget_states() -> None:
    budgets.update_budget_states(timezone.now())


@shared_task(time_limit=600)
def search_savings() -> None:
    """Once a day: asked for every few minutes, so that a worker that was away makes up for it."""
    now = timezone.now()
    last = Search.objects.first()
    if last is None or last.at.astimezone(UTC).date() < now.astimezone(UTC).date():
        savings.search(now)


@shared_task(time_limit=300)
def look_for_anomalies() -> None:
    """Not while history is being loaded: a month against half of the month before it is no anomaly."""
    now = timezone.now()
    if loading_until(now) is None:
        anomalies.look(now)


@shared_task(ignore_result=True)
def forget_anomalies() -> int:
    """What was over long ago."""
    return anomalies.purge(timezone.now())


@shared_task(time_limit=300)
def look_at_forecasts() -> None:
    forecast_record.record_forecasts(timezone.now())


@shared_task(time_limit=600)
def write_exports() -> None:
    """Asked for every few minutes, so that a worker that was away catches up."""
    schedule.run_due(timezone.now())
