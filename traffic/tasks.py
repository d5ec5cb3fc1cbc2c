"""What runs by the clock in traffic."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from traffic import outage_requests, ratings, retention


@shared_task(ignore_result=True)
def make_partitions() -> int:
    return retention.make_days_ahead(timezone.now().date())


@shared_task(ignore_result=True)
def apply_retention() -> int:
    return retention.apply_retention(timezone.now().date())


@shared_task(ignore_result=True)
def attach_ratings() -> int:
    """Ratings that wait get their requests, whatever way those came in; copies of what a twin told later follow."""
    ratings.copy_again()
    return ratings.attach_waiting()


@shared_task(ignore_result=True)
def count_outages() -> int:
    """What outages cost in requests, for the Uptime page to read."""
    return outage_requests.count_requests(now=timezone.now())
