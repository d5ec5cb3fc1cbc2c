"""The tasks of the project itself, where Celery looks for them."""

from __future__ import annotations

from dashboard.signin.tasks import clear_sessions, forget_attempts, mail_link

__all__ = ["clear_sessions", "forget_attempts", "mail_link"]
