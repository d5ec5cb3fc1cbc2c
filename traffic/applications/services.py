"""Writes of applications and keys. After each, this process reads anew at once; other processes within five seconds."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime

from lib.events import log_event
from traffic.answer_cache.services import CacheAway, purge
from traffic.applications.forms import ApplicationForm, KeyLimitsForm
from traffic.authentication.keys import callers
from traffic.ingest.context import clear_cache
from traffic.models import Application, Key

logger = logging.getLogger(__name__)


def add_application(form: ApplicationForm) -> Application:
    """Store a new application from a valid form."""
    application: Application = form.save()
    clear_cache()
    return application


def change_application(form: ApplicationForm) -> None:
    """Store what a valid form changes of an application."""
    application: Application = form.save()
    clear_cache()
    callers.clear()
    if "cache_minutes" in form.changed_data:
        with suppress(CacheAway):  # what is left ends by itself, and no gateway looks for what is older than the time
            purge([application.pk])


def change_limits(form: KeyLimitsForm) -> None:
    """Store the limits that a valid form gives a key."""
    form.save()
    callers.clear()


def revoke_key(pk: int, *, now: datetime) -> bool:
    """Stop a key for good; whether it was live until now."""
    revoked = Key.objects.live().filter(pk=pk).update(revoked_at=now)
    callers.clear()
    if revoked:
        log_event(logger, logging.INFO, "key_revoked", key_id=pk)
    return bool(revoked)
