"""One delivery as an e-mail: a text part as good as the HTML, threads by Message-ID, nothing loaded from anywhere."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime
from typing import Any

from django.conf import settings
from django.template.loader import get_template
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.charts.chart import Chart
from alerts.kinds.sentences import looks_for
from alerts.lifecycle.states import Cause, State
from alerts.mail import links
from alerts.mail.readers import Reader
from alerts.mail.subjects import heading, subject
from alerts.models import Alert, Delivery, Transition
from alerts.wording import facts_of, localised, moment, span
from lib.formats import person

# What the mail is about, in two words, and the colour of the line above it.
VERDICTS = {
    "info": gettext_lazy("Information"),
    "warning": gettext_lazy("Warning"),
    "critical": gettext_lazy("Critical"),
}
NAMED = 20  # titles of the alerts that one mail speaks for besides its own
DRIVERS = 3  # of a figure that are named
BAR_COLOURS, LIMIT_COLOUR = {"us": "#1c54bd", "them": "#df6a0a"}, "#83858b"
TONES = {"info": "us", "warning": "warn", "critical": "bad"}


def bodies(delivery: Delivery, reader: Reader, chart: Chart | None = None) -> tuple[str, str, str]:
    """Subject, text and HTML of the mail about one alert."""
    context = context_of(delivery, reader) | {"chart": chart}
    text, html = (get_template(f"alerts/email/alert.{kind}").render(context) for kind in ("txt", "html"))
    return context["subject"], text, html


def headers_of(delivery: Delivery) -> dict[str, str]:
    """Identity and thread; the first mail about an alert is what the later ones answer."""
    first = Delivery.objects.first_of(delivery.alert.pk, delivery.recipient)
    headers = {
        "Message-ID": delivery.message_id,
        "Date": format_datetime(delivery.created_at),
        "Auto-Submitted": "auto-generated",
        "X-Breakeven-Alert": str(delivery.alert_id),
        "List-Unsubscribe": f"<{links.unsubscribe_url(delivery)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Id": f"Breakeven {delivery.alert.kind} <{delivery.alert.rule.slug}.alerts.{links.host()}>",
    }
    if first and first != delivery.message_id:
        headers["In-Reply-To"] = headers["References"] = first
    return headers


def context_of(delivery: Delivery, reader: Reader) -> dict[str, Any]:
    """What both templates need; every address is absolute."""
    alert, transition = delivery.alert, delivery.transition
    over = transition.after == State.RESOLVED
    cleared = over and transition.cause in (Cause.CLEARED, Cause.LOWERED)  # what was said of it holds no more
    words = localised(transition.words if cleared else transition.words or alert.words)
    page = words.get("page") or alert.words.get("page", "")
    folded = delivery.folded.order_by("id").values_list("transition__title", flat=True) if delivery.pk else ()
    more = list(folded)
    title = heading(transition.title or alert.title, transition.cause, transition.after)
    return {
        "subject": subject(title, len(more)),
        "heading": _("%(title)s, and %(n)s more") % {"title": title, "n": len(more)} if more else title,
        "more": more[:NAMED],
        "unnamed": len(more[NAMED:]),
        "list_url": links.absolute(reverse("alerts:list")),
        "verdict": _("Over") if over else VERDICTS[alert.severity],
        "tone": "ok" if over else TONES[alert.severity],
        "over": over,
        "at": moment(transition.at),
        "todo": todo_of(transition, words.get("todo", "")),
        "detail": ended(words.get("detail", "")),
        "facts": facts_of(words.get("facts", [])),
        "bars": [
            bar | {"width": width(bar["share"]), "colour": BAR_COLOURS.get(bar["tone"], LIMIT_COLOUR)}
            for bar in words.get("bars", [])
        ],
        "drivers": words.get("drivers", [])[:DRIVERS],
        "driven": words.get("driven") or _("Highest costs this month"),
        "chart": None,
        "history": history_of(alert, transition),
        "alert_url": links.alert_url(alert),
        "page_url": links.absolute(page) if page else "",
        "acknowledge_url": "" if over else action_of(delivery, reader, "acknowledge", "alerts.change_alert"),
        "silence_url": "" if over else action_of(delivery, reader, "silence", "alerts.add_silence"),
        "unsubscribe_url": links.unsubscribe_url(delivery),
        "rule_url": links.rule_url(alert.rule),
        "rule": alert.rule.name,
        "why": looks_for(alert.rule),
        "demo": settings.DEMO,
    }


def todo_of(transition: Transition, todo: str) -> str:
    """What to do first. The words are those of the last look, which knew nothing of what ended or raised it since."""
    if transition.after == State.RESOLVED and transition.cause == Cause.CLOSED:
        who = person(transition.by) or _("a person")
        return _("No action needed: %(who)s resolved it manually.") % {"who": who}
    if transition.after == State.RESOLVED and transition.cause == Cause.GONE:
        return _("No action needed: its subject or its rule was removed.")
    if transition.after == State.RESOLVED:
        return todo or _("No action needed: it is resolved.")
    if transition.cause == Cause.ESCALATED:
        return (_("Not acknowledged yet: acknowledge or assign it. %(todo)s") % {"todo": todo}).strip()
    return todo


def ended(text: str) -> str:
    """A cause or an error in somebody else's words, as a sentence before the next one."""
    return f"{text}." if text and text[-1].isalnum() else text


def action_of(delivery: Delivery, reader: Reader, action: str, permission: str) -> str:
    """A link that acts, for a person who may; empty for everyone else, whom it would only send to a refusal.

    Where the installation wants a login first (`MAIL_LINKS_ACT`), it leads to the same question behind one.
    """
    return links.action_url(delivery, action) if reader.may(permission) else ""


def width(share: float) -> int:
    """Per cent of a bar's row; its figure stands in the rest, so a whole bar leaves room for it."""
    return max(1, min(round(share * 80), 80))


def history_of(alert: Alert, transition: Transition) -> str:
    """Since when, and for how long; in one sentence."""
    opened = alert.opened_at or alert.pending_since
    at: datetime = transition.at
    if transition.after == State.RESOLVED:
        values = {"since": moment(opened), "span": span(at - opened)}
        return _("It was open from %(since)s, for %(span)s.") % values
    if transition.cause == Cause.CROSSED:
        return _("Open since %(since)s.") % {"since": moment(opened)}
    values = {"since": moment(opened), "span": span(at - opened)}
    return _("Open since %(since)s, for %(span)s now.") % values
