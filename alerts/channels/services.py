"""What people do with channels, besides filling in their form."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction

from alerts.channels import DELETED_FOR
from alerts.models import Channel, Delivery
from lib.events import log_event

logger = logging.getLogger(__name__)


def save(*, channel: Channel) -> None:
    """Write a channel as its form has it."""
    channel.save()


def switch(*, channel: Channel, enabled: bool, now: datetime) -> bool:
    """Switch a channel on or off. On again, failures count anew and waiting messages are due. False: it was so."""
    with transaction.atomic():
        rows = Channel.objects.not_deleted().filter(pk=channel.pk, enabled=not enabled)
        if not rows.update(enabled=enabled, disabled_reason="", failures=0, failing_since=None):
            return False
        if enabled:
            Delivery.objects.to_channel(channel.slug).filter(state__in=("waiting", "failed")).update(due_at=now)
    log_event(logger, logging.INFO, "channel_switched", channel_id=channel.pk, kind=channel.kind, enabled=enabled)
    return True


def delete(*, channel: Channel, now: datetime) -> None:
    """Delete a channel: its secret is wiped after a day, its deliveries stay in the log."""
    Channel.objects.not_deleted().filter(pk=channel.pk).update(deleted_at=now)


def undelete(*, channel: Channel, now: datetime) -> bool:
    """Take a deletion back as long as its address is kept."""
    rows = Channel.objects.filter(pk=channel.pk, deleted_at__gt=now - DELETED_FOR)
    return bool(rows.update(deleted_at=None))


def tried(*, channel_id: int, good: bool, answer: str, now: datetime) -> None:
    """Store the result of a test of a saved channel, as of a delivery; a good one ends its failures."""
    ended = {"failures": 0, "failing_since": None} if good else {}
    Channel.objects.filter(pk=channel_id).update(answer=answer, answered_at=now, **ended)
