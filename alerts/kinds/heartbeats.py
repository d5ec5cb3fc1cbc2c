"""Batch jobs that should have pinged and did not, or said that they failed."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import reverse
from django.utils.translation import gettext as _

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Finding, RuleParams, Words
from alerts.wording import moment, span
from providers.heartbeats.services import silence
from providers.models import Heartbeat, HeartbeatState, Signal


def missed(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """One subject for each heartbeat that is down; one that was paused or deleted is no news."""
    for heartbeat in context.heartbeats:
        subject = f"heartbeat:{heartbeat.slug}"
        if heartbeat.state == HeartbeatState.DOWN and not heartbeat.paused:
            yield is_missed(context, heartbeat, subject)
        elif subject in live:
            yield is_back(context, heartbeat, subject)


def is_missed(context: EvaluationContext, heartbeat: Heartbeat, subject: str) -> Finding:
    since = heartbeat.state_since or context.now
    failed = heartbeat.last_signal == Signal.FAIL
    values = {"name": heartbeat.name or heartbeat.slug, "span": span(context.now - since)}
    title = _("Failed: %(name)s, %(span)s ago") if failed else _("Missed: %(name)s, late for %(span)s so far")
    last = moment(heartbeat.last_ping_at) if heartbeat.last_ping_at else _("never")
    return Finding(
        subject=subject,
        title=title % values,
        crossed=True,
        clear=False,
        value=str(int((context.now - since).total_seconds())),
        threshold="0",
        since=since,
        words=Words(
            todo=_("Check on its server whether %(name)s runs, and its last log lines.") % {"name": heartbeat.name},
            detail=_("The job reported a failure.") if failed else silence(heartbeat),
            facts=[[_("Last ping"), last, _("measured")], [_("Down since"), moment(since), _("grace included")]],
            page=page(heartbeat),
            over=_("Was missed: %(name)s, for %(span)s") % values,
        ),
    )


def is_back(context: EvaluationContext, heartbeat: Heartbeat, subject: str) -> Finding:
    if heartbeat.paused:
        title, todo = _("Paused: %(name)s"), _("No action needed. Its pings are not expected while paused.")
    else:
        title, todo = _("Pings again: %(name)s"), _("No action needed. The ping arrived.")
    words = Words(todo=todo, page=page(heartbeat))
    title %= {"name": heartbeat.name or heartbeat.slug}
    return Finding(subject, title, crossed=False, clear=True, value="0", words=words)


def page(heartbeat: Heartbeat) -> str:
    return reverse("providers:heartbeat", args=[heartbeat.slug])
