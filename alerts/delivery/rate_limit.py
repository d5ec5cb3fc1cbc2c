"""Rate limit: past `MOST` mails of a kind to one person within `WITHIN`, further ones are collapsed into one mail."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from alerts.models import Delivery

MOST = 10  # mails to one person that something of one kind is open, within
WITHIN = timedelta(minutes=10)
PAUSE = timedelta(minutes=1)  # until the next look, where the mails before are still being tried


def is_throttled(row: Delivery, now: datetime) -> bool:
    """Whether a locked message must wait because too many like it were sent; all like it then wait together.

    The first message past the limit takes along the others that wait: see `collapse`. A message that was tried before,
    or stands for others already, is not throttled. Call it in the transaction that claims the message.
    """
    # A program wants each message; deferred ones are one mail already.
    if row.report_id or row.channel == "webhook" or row.deferred_by:
        return False
    if row.attempts or row.transition.after != "open":
        return False
    fellows = Delivery.objects.like(row)
    gone = list(fellows.going(now - WITHIN).values_list("accepted_at", flat=True))
    if len(gone) < MOST or row.folded.exists():
        return False
    if len(gone) == MOST:
        collapse(row)
        return False
    first = min(filter(None, gone), default=None)
    due = max(first + WITHIN, now + timedelta(seconds=1)) if first else now + PAUSE
    Delivery.objects.filter(pk=row.pk).update(due_at=due)
    fellows.alone().filter(due_at__lt=due).update(due_at=due)
    return True


def collapse(row: Delivery) -> None:
    """Merge the waiting messages like `row` into its mail; each keeps its own row, which points to this one."""
    answer = _("one of several in the mail about alert %(n)s") % {"n": row.alert_id}
    Delivery.objects.like(row).alone().update(state="folded", folded_into=row, answer=answer)
