"""What beat and the workers run for the alerts; each task is one call of a service."""

from __future__ import annotations

from celery import shared_task

from alerts import outbox, services


@shared_task(ignore_result=True)
def evaluate() -> None:
    """Run the rules; whoever is evaluating a kind right now is left alone."""
    services.evaluate()


@shared_task(ignore_result=True)
def deliver() -> None:
    """Send what waits in the outbox."""
    outbox.deliver()
