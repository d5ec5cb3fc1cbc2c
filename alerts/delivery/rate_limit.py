"""A flood of alerts is a few mails: past `MOST` of a kind to one person the next says how many more there are."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from alerts.models import Delivery

MOST = 10  # mails to one person that something of one kind is open, within
WITHIN = timedelta(minutes=10)
PAUSE = timedelta(minutes=1)  # until the next look, where the mails before are still being tried


def held(row: Delivery, now: datetime) -> bool:
    """Whether a locked message must wait, because too many like it have gone; they then wait together.

    The one after the last that may go alone takes along whatever waits: see `fold`. One that was tried before, or
    already speaks for others, says the same again. Call it in the transaction that claims the message.
    """
    if (
        row.report_id or row.channel == "webhook" or row.held
    ):  # a program wants each; what was held back is one mail already
        return False
    if row.attempts or row.transition.after != "open":
        return False
    fellows = Delivery.objects.like(row)
    gone = list(fellows.going(now - WITHIN).values_list("accepted_at", flat=True))
    if len(gone) < MOST or row.folded.exists():
        return False
    if len(gone) == MOST:
        fold(row)
        return False
    first = min(filter(None, gone), default=None)
    due = max(first + WITHIN, now + timedelta(seconds=1)) if first else now + PAUSE
    Delivery.objects.filter(pk=row.pk).update(due_at=due)
    fellows.alone().filter(due_at__lt=due).update(due_at=due)
    return True


def fold(row: Delivery) -> None:
    """Say what waits in the mail of `row`; each message keeps its row, which says where it went."""
    answer = _("one of several in the mail about alert %(n)s") % {"n": row.alert_id}
    Delivery.objects.like(row).alone().update(state="folded", folded_into=row, answer=answer)
