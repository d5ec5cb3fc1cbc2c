"""What beat and the workers run for the providers; each task is one call of a service."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from providers import uptime


@shared_task(ignore_result=True)
def check_due() -> int:
    """Check the deployments that are due."""
    return uptime.check_due(now=timezone.now())
