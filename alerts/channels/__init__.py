"""Alerts for programs, chat rooms and pagers: the text, the call, and its result."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import F, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from alerts.channels.note import Note, note_of, trial_note
from alerts.mail.smtp import NotSent
from alerts.models import Channel, Delivery
from lib.encryption import SecretUnreadable
from lib.events import log_event

__all__ = ["DELETED_FOR", "Gone", "Note", "deliver_to", "hand_over", "note_of", "remembered", "trial_note"]

logger = logging.getLogger(__name__)

DELETED_FOR = timedelta(days=1)  # so long a deletion can be taken back


class Gone(NotSent):
    """The receiver answered 410: the channel is switched off."""

    def __init__(self, answer: str) -> None:
        super().__init__(answer, permanent=True)


def hand_over(channel: Channel, note: Note, now: datetime) -> str:
    """Send a note to a channel and return its answer. Raises NotSent. Takes less time than a claim lasts."""
    try:
        if channel.kind == "webhook":
            from alerts.channels import webhook

            return webhook.post(channel, note, now)
        if channel.kind == "monitor":
            from alerts.channels import monitor

            return monitor.ping(channel)
        from alerts.channels import chat  # apprise is large, and most processes never need it

        return chat.say(channel, note)
    except SecretUnreadable as error:
        raise NotSent(str(error)) from None


def deliver_to(delivery: Delivery, now: datetime) -> str:
    """Hand a delivery to its channel and store the result. Returns the answer; raises NotSent."""
    channel = Channel.objects.filter(slug=delivery.recipient).first()
    if channel is None or channel.deleted_at:
        raise NotSent(_("The channel was deleted."), permanent=True)
    if not channel.enabled:
        raise NotSent(_("The channel is off. This waits until it is enabled."))
    return remembered(channel, lambda: hand_over(channel, note_of(delivery), now), now)


def remembered(channel: Channel, call: Callable[[], str], now: datetime) -> str:
    """Call a channel and store the result in its row. Returns the answer; raises NotSent."""
    rows = Channel.objects.filter(pk=channel.pk)
    try:
        answer = call()
    except NotSent as error:
        failed = {"answer": str(error), "answered_at": now, "failures": F("failures") + 1}
        rows.update(failing_since=Coalesce("failing_since", Value(now)), **failed)
        if isinstance(error, Gone):
            rows.update(enabled=False, disabled_reason=_("It responded that it is permanently gone: %s") % error)
            log_event(logger, logging.WARNING, "channel_gone", channel_id=channel.pk, kind=channel.kind)
        raise
    rows.update(answer=answer, answered_at=now, failures=0, failing_since=None)
    return answer
