"""What runs by the clock in the project itself."""

from __future__ import annotations

from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore


@shared_task(ignore_result=True)
def clear_sessions() -> None:
    """Sessions that have ended; Django leaves their rows."""
    SessionStore.clear_expired()
