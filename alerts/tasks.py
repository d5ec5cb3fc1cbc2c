"""What beat and the workers run for the alerts; each task is one call of a service."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from alerts.channels import DELETED_FOR
from alerts.delivery import outbox
from alerts.digests import services as reporting
from alerts.evaluation import retention, services, watch
from alerts.inbox import page_counts
from alerts.models import Channel


@shared_task(ignore_result=True)
def evaluate() -> None:
    """Run the rules and tell the outside monitors; whoever is evaluating a kind right now is left alone."""
    if not services.evaluate().errors:
        watch.heartbeat(timezone.now())


@shared_task(ignore_result=True)
def write_reports() -> None:
    """Digests and statements whose morning has come."""
    reporting.write_due(timezone.now())


@shared_task(ignore_result=True)
def deliver() -> None:
    """Send what waits in the outbox, and wipe the secrets of channels that stay deleted."""
    outbox.deliver()
    Channel.objects.wipe_secrets(timezone.now() - DELETED_FOR)


@shared_task(ignore_result=True)
def count_pages() -> int:
    """What our own deployments ask of people at night, for the go or no-go."""
    return page_counts.count_pages(timezone.now())


@shared_task(ignore_result=True)
def forget_old() -> int:
    """Points of charts, digests and used links that nobody needs any more."""
    return retention.purge(timezone.now())
