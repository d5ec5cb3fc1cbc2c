"""Writes of the outbox: a person's preferences, and messages that are tried once more."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from alerts.delivery import grouping
from alerts.delivery.outbox import GIVE_UP_AFTER
from alerts.delivery.preferences import PreferenceForm
from alerts.models import Address, Delivery, Preference
from lib.events import log_event

logger = logging.getLogger(__name__)


def save_preference(*, form: PreferenceForm, address: str, now: datetime) -> Preference:
    """Write how a person wants to be told, and apply it to messages that wait for their address."""
    preference = form.save()
    if address:
        grouping.reschedule(address, preference, now)
    return preference


def retry(*, delivery_id: int, now: datetime | None = None) -> Delivery | None:
    """Send a message that was given up once more, and give its address another chance; None where it was not."""
    at = now or timezone.now()
    rows = Delivery.objects.filter(pk=delivery_id, state="dead")
    with transaction.atomic():
        if not rows.update(state="waiting", due_at=at, created_at=at, attempts=0):
            return None
        delivery = Delivery.objects.get(pk=delivery_id)
        Address.objects.filter(address=delivery.recipient).update(refusals=0, disabled_at=None)
    log_event(logger, logging.INFO, "delivery_retried", delivery_id=delivery.pk)
    return delivery


def retry_address(*, address_id: int, now: datetime | None = None) -> int | None:
    """Mail goes to a refused address again, what was given up there within `GIVE_UP_AFTER` first. How many
    messages that are; None where the address was not switched off."""
    at = now or timezone.now()
    with transaction.atomic():
        rows = Address.objects.filter(pk=address_id, disabled_at__isnull=False)
        address = rows.select_for_update().first()
        if address is None:
            return None
        rows.update(refusals=0, disabled_at=None)
        lost = Delivery.objects.filter(channel="email", recipient__iexact=address.address, state="dead")
        retried = lost.filter(created_at__gt=at - GIVE_UP_AFTER).update(
            state="waiting", due_at=at, created_at=at, attempts=0
        )
    log_event(logger, logging.INFO, "address_enabled", address_id=address_id, messages=retried)
    return retried
