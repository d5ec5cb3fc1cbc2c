"""Periodic tasks of the sign-in, and the mail that a page asks the worker to send.

They keep their old names in `dashboard.tasks`, because messages in the queue of an earlier version have them.
"""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from dashboard.signin import links, throttle
from dashboard.signin.sessions import SessionStore


@shared_task(name="dashboard.tasks.clear_sessions", ignore_result=True)
def clear_sessions() -> None:
    """Delete the rows of sessions that have expired."""
    SessionStore.clear_expired()


@shared_task(name="dashboard.tasks.forget_attempts", ignore_result=True)
def forget_attempts() -> int:
    """Delete counts of failed sign-ins that have expired; returns how many."""
    return throttle.purge(timezone.now())


@shared_task(name="dashboard.tasks.mail_link", ignore_result=True)
def mail_link(email: str) -> int:
    """Mail the link for a new password to the people with this address; returns how many there are."""
    return links.send(email)
