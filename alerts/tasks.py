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
    """Run the rules, then send the heartbeat to outside monitors; skip kinds that another worker evaluates now."""
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
    """Count alerts of our own deployments at night, for the go or no-go."""
    return page_counts.count_pages(timezone.now())


@shared_task(ignore_result=True)
def forget_old() -> int:
    """Delete samples, digests and used links past their retention."""
    return retention.purge(timezone.now())
