"""What runs by the clock for signing in, and the mail that a page leaves to the worker.

The tasks keep the names of `dashboard.tasks`, where Celery looks for them: messages that wait in the queue carry
them.
"""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from dashboard.signin import links, throttle
from dashboard.signin.sessions import SessionStore


@shared_task(name="dashboard.tasks.clear_sessions", ignore_result=True)
def clear_sessions() -> None:
    """Sessions that have ended, whose rows stay otherwise."""
    SessionStore.clear_expired()


@shared_task(name="dashboard.tasks.forget_attempts", ignore_result=True)
def forget_attempts() -> int:
    """Counts of failed sign-ins that are over."""
    return throttle.purge(timezone.now())


@shared_task(name="dashboard.tasks.mail_link", ignore_result=True)
def mail_link(email: str) -> int:
    """The link for a new password, to whoever has this address."""
    return links.send(email)
