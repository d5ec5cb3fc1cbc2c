"""What runs by the clock in the project itself, and what a page leaves to the worker."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from dashboard.signin import links, throttle
from dashboard.signin.sessions import SessionStore


@shared_task(ignore_result=True)
def clear_sessions() -> None:
    """Sessions that have ended, whose rows stay otherwise."""
    SessionStore.clear_expired()


@shared_task(ignore_result=True)
def forget_attempts() -> int:
    """Counts of failed sign-ins that are over."""
    return throttle.forget_old(timezone.now())


@shared_task(ignore_result=True)
def mail_link(email: str) -> int:
    """The link for a new password, to whoever has this address."""
    return links.send(email)
