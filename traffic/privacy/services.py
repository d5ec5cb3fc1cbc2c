"""What a person sets for the whole installation: for how many days requests and bodies are kept, and its checklist."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.db import connection, transaction

from traffic.ingest.context import clear_cache
from traffic.ingest.sql import rows as statements
from traffic.models import Installation
from traffic.retention_settings import RetentionDays


@transaction.atomic
def save_retention(*, days: RetentionDays) -> Installation:
    """Store the retention days. The next run of retention and the lookup tables of ingest follow them."""
    with connection.cursor() as cursor:
        cursor.execute(statements.MAKE_SALT, [secrets.token_bytes(32)])
    Installation.objects.filter(pk=1).update(request_days=days.requests, body_days=days.bodies)
    transaction.on_commit(clear_cache)
    return Installation.objects.get(pk=1)


@transaction.atomic
def hide_checklist(at: datetime | None) -> Installation:
    """Take the checklist of the set-up off the Overview; None: show it again."""
    with connection.cursor() as cursor:
        cursor.execute(statements.MAKE_SALT, [secrets.token_bytes(32)])
    Installation.objects.filter(pk=1).update(checklist_hidden_at=at)
    return Installation.objects.get(pk=1)
