"""What a channel is told: the same for every attempt at a delivery, as JSON for programs and as text for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from alerts.lifecycle.states import State
from alerts.mail import links
from alerts.mail.alert_mail import context_of
from alerts.mail.readers import Reader
from alerts.models import Delivery

VERSION = 1  # of the JSON; it rises when a field goes or changes its meaning
FACTS = 6  # figures in a chat, where people read on a phone


@dataclass(frozen=True, slots=True)
class Note:
    """`id` is unique to the delivery and the same at every attempt; `tone` is ok, us, warn or bad."""

    id: str
    title: str
    text: str
    tone: str
    data: dict[str, Any]


def note_of(delivery: Delivery) -> Note:
    delivery = Delivery.objects.select_related("alert__rule", "transition").get(pk=delivery.pk)
    context = context_of(delivery, Reader())
    identifier = delivery.message_id.strip("<>").partition("@")[0]
    return Note(identifier, context["heading"], text_of(context), context["tone"], data_of(delivery, identifier))


def text_of(context: dict[str, Any]) -> str:
    """Plain text: what to do first, the figures, where to look."""
    figures = [f"{fact.label}: {fact.value}" for fact in context["facts"][:FACTS]]
    more = [_("Also open: %s") % title for title in context["more"]]
    if context["unnamed"]:
        more.append(_("and %(n)s more") % {"n": context["unnamed"]})
    lines = [context["todo"], context["detail"], context["history"], *figures, *more, context["alert_url"]]
    return "\n".join(line for line in lines if line)


def data_of(delivery: Delivery, identifier: str) -> dict[str, Any]:
    """The JSON of a webhook, as docs/how-to/receive-webhooks.md says; decimals are text, times ISO 8601 in UTC."""
    alert, transition = delivery.alert, delivery.transition
    words = transition.words or alert.words
    over = transition.after == State.RESOLVED
    return {
        "version": VERSION,
        "id": identifier,
        "event": "resolved" if over else str(transition.cause),
        "at": iso(transition.at),
        "alert": {
            "id": alert.pk,
            "rule": alert.rule.slug,
            "kind": alert.kind,
            "subject": alert.subject,
            "state": transition.after,
            "severity": alert.severity,
            "title": transition.title or alert.title,
            "value": transition.value,
            "threshold": alert.threshold,
            "opened_at": iso(alert.opened_at),
            "resolved_at": iso(transition.at) if over else None,
            "url": links.alert_url(alert),
        },
        "todo": words.get("todo", ""),
        "detail": words.get("detail", ""),
        "facts": [{"label": fact[0], "value": fact[1], "source": fact[2]} for fact in words.get("facts", [])],
        "demo": settings.DEMO,
    }


def trial_note(identifier: str, by: str, now: datetime) -> Note:
    """What the test button sends; receivers know it by its event."""
    title = _("Test from Breakeven: alerts arrive here")
    text = _("%(who)s sent this test. No action is needed.") % {"who": by}
    data = {"version": VERSION, "id": identifier, "event": "test", "at": iso(now), "alert": None, "todo": text}
    return Note(identifier, title, text, "us", {**data, "detail": "", "facts": [], "demo": settings.DEMO})


def iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
