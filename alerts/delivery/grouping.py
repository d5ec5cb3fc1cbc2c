"""Grouping: messages that were deferred for one person, or too many of one kind, leave as one mail that lists them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.template.loader import get_template
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.delivery.quiet_hours import send_time
from alerts.lifecycle.states import State
from alerts.mail import links
from alerts.models import Alert, Delivery, Preference
from alerts.wording import moment

NAMED = 50


def merge_due(row: Delivery, now: datetime) -> int:
    """Merge every other due message for this recipient, or that waits in this row's group, into this one and return how
    many. The row must be locked."""
    if row.attempts:
        return 0
    merged = 0
    if row.group and not row.deferred_by:
        group = Delivery.objects.of_group(row).alone()
        merged = group.update(
            state="folded", folded_into=row, answer=_("listed in the mail about alert %(n)s") % {"n": row.alert_id}
        )
    if not row.deferred_by:
        return merged
    fellows = Delivery.objects.waiting_with(row, now)
    answer = _("listed in the mail about delayed alerts")
    return merged + fellows.update(state="folded", folded_into=row, answer=answer)


def supersede(alert: Alert) -> int:
    """Drop the messages that a lower level of the same subject is open, where they have not left: this alert's says
    more. How many."""
    lower = Delivery.objects.filter(
        alert__rule=alert.rule_id, alert__subject=alert.subject, alert__level__lt=alert.level,
        transition__after=State.OPEN, state="waiting", attempts=0, folded__isnull=True,
    )  # fmt: skip
    return lower.update(state="folded", answer=_("replaced by a higher level"))


def split(row: Delivery, answer: str, refused: bool) -> int:
    """Undo `merge_due` for a mail that was given up: its messages go out one by one, each with one attempt counted.
    Where the address itself was refused they are given up as well, and a person can retry each. Returns how many."""
    fellows = row.folded.all()
    if refused:
        return fellows.update(state="dead", folded_into=None, answer=answer)
    return fellows.update(state="waiting", folded_into=None, attempts=1, deferred_by="", group="", answer=answer)


def release(alert: Alert, addresses: list[str], at: datetime) -> None:
    """Make deferred messages about this alert due now, because a newer one leaves at once and must not come first."""
    if not addresses:
        return
    waiting = Delivery.objects.filter(alert=alert, recipient__in=addresses, state="waiting").exclude(deferred_by="")
    waiting.update(deferred_by="", due_at=at)


def reschedule(address: str, wishes: Preference, now: datetime) -> None:
    """Apply changed preferences to messages that wait already."""
    waiting = list(Delivery.objects.deferred_for(address).select_related("alert"))
    for row in waiting:
        delivery_time = send_time(wishes, row.alert.severity, now)
        row.due_at, row.deferred_by = delivery_time.due, delivery_time.deferred_by
    Delivery.objects.bulk_update(waiting, ["due_at", "deferred_by"])


def context_of(row: Delivery) -> dict[str, Any]:
    """Template context of a mail that lists several messages, in their order, with how each alert stands now."""
    rows = [row, *row.folded.select_related("alert__rule", "transition").order_by("id")]
    open_ = {message.alert_id for message in rows if message.alert.state in (State.OPEN, State.ACKNOWLEDGED)}
    items = [
        {
            "at": moment(message.transition.at),
            "title": message.transition.title or message.alert.title,
            "over": message.transition.after == State.RESOLVED,
            "severity": message.alert.get_severity_display(),
            "rule": message.alert.rule.name,
            "url": links.alert_url(message.alert),
        }
        for message in rows
    ]
    subject = subject_of(len(rows), len(open_), row.deferred_by)
    return {
        "subject": subject,
        "heading": subject,
        "verdict": _("Delayed alerts"),
        "tone": "warn" if open_ else "ok",
        "at": moment(row.due_at),
        "demo": settings.DEMO,
        "unsubscribe_url": links.unsubscribe_url(row),
        "items": items[:NAMED],
        "unnamed": len(items[NAMED:]),
        "open": len(open_),
        "todo": todo_of(len(open_)),
        "why": why_of(row.deferred_by),
        "list_url": links.absolute(reverse("alerts:list")),
        "preferences_url": links.absolute(reverse("alerts:preferences")),
    }


def todo_of(open_: int) -> str:
    """What to do first, without the mark at its end where that is a link."""
    if not open_:
        return _("All of them are resolved. No action is needed.")
    return ngettext(
        "1 of them is still open. Start with it", "%(n)s of them are still open. Start with those", open_
    ) % {"n": open_}


def why_of(deferred_by: str) -> str:
    if deferred_by == "server":
        return _("No mail server was set up when they opened. Resolved alerts are not listed.")
    if deferred_by == "digest":
        return _("You chose a digest for alerts that are not urgent.")
    return _("Your quiet hours delayed these. Critical alerts are sent at once.")


def subject_of(messages: int, open_: int, deferred_by: str) -> str:
    if deferred_by == "server":
        text = ngettext("Not sent before: %(n)s open alert", "Not sent before: %(n)s open alerts", messages)
        return text % {"n": messages}
    shape = (
        ngettext("Your digest: %(n)s alert, %(open)s open", "Your digest: %(n)s alerts, %(open)s open", messages)
        if deferred_by == "digest"
        else ngettext("During your quiet hours: %(n)s alert, %(open)s open",
                      "During your quiet hours: %(n)s alerts, %(open)s open", messages)
    )  # fmt: skip
    return shape % {"n": messages, "open": open_}


def bodies(row: Delivery) -> tuple[str, str, str]:
    """Subject, text and HTML."""
    context = context_of(row)
    text, html = (get_template(f"alerts/email/held.{kind}").render(context) for kind in ("txt", "html"))
    return str(context["subject"]), text, html


# Rate limit: past MOST_MAILS mails of a kind to one person within WITHIN, further ones are collapsed into one mail.


MOST_MAILS = 10  # mails to one person that something of one kind is open, within
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
    if len(gone) < MOST_MAILS or row.folded.exists():
        return False
    if len(gone) == MOST_MAILS:
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
