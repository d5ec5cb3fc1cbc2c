"""Why a rule is or is not firing: its sentence, its numbers, and each subject as it stands now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.charts.timeline import text_in
from alerts.context.evaluation import EvaluationContext
from alerts.delivery.recipients import Recipients
from alerts.evaluation.coverage import covered
from alerts.evaluation.services import FLAP_WINDOW, policy_of_alert
from alerts.evaluation.write import status_of, target_of
from alerts.kinds import KINDS
from alerts.kinds.finding import BadThreshold, Finding
from alerts.kinds.sentences import sentence
from alerts.lifecycle.states import asleep
from alerts.models import Alert, Rule, Silence
from alerts.wording import moment, span


def explain(rule: Rule, now: datetime | None = None) -> Iterator[str]:
    """Lines of text; nothing is changed."""
    at = now or timezone.now()
    kind = KINDS.get(rule.kind)
    if kind is None:
        known_not = _("%(slug)s: this version has no rules of kind “%(kind)s”.")
        yield known_not % {"slug": rule.slug, "kind": rule.kind}
        return
    yield sentence(rule)
    yield from _state(rule, at)
    recipients = Recipients().of_rule(rule, kind.groups)
    if recipients:
        yield _("Notifies %(whom)s.") % {"whom": ", ".join(recipients)}
    else:
        yield _("No recipients: none of them has a working e-mail address.")
    alerts = {alert.subject: alert for alert in Alert.objects.minded().filter(rule=rule)}
    context = EvaluationContext(at)
    try:
        findings = list(kind.evaluate(context, kind.read(rule.thresholds), frozenset(alerts)))
    except BadThreshold as error:
        yield _("It cannot be evaluated: %(error)s") % {"error": error}
        return
    if not findings:
        yield _("No value exceeds its limit, so it is not firing.")
    for finding in findings:
        if not (rule.enabled or finding.subject in kind.always):
            continue
        yield from _subject(context, rule, finding, alerts.pop(finding.subject, None))
    for alert in alerts.values():
        gone = _("%(subject)s: removed. Its alert is resolved at the next evaluation.")
        yield gone % {"subject": alert.subject}


def _state(rule: Rule, at: datetime) -> Iterator[str]:
    if not rule.enabled:
        always = ", ".join(sorted(KINDS[rule.kind].always))
        if always:
            yield _("It is off. Only %(what)s is still notified.") % {"what": always}
        else:
            yield _("It is off and sends nothing.")
    if rule.last_error:
        yield _("Its last error: %(error)s") % {"error": rule.last_error}
    if rule.evaluated_at:
        values = {"ago": span(at - rule.evaluated_at), "at": moment(rule.evaluated_at)}
        yield _("It last ran %(ago)s ago, at %(at)s.") % values
    else:
        yield _("It has not run yet.")


def _subject(context: EvaluationContext, rule: Rule, finding: Finding, alert: Alert | None) -> Iterator[str]:
    at = context.now
    yield ""
    yield f"{finding.subject}: {finding.title}"
    yield "  " + _stands(finding, KINDS[rule.kind].unit)
    yield "  " + _why(rule, finding, alert, at)
    if alert and alert.state in ("open", "acknowledged"):
        yield from ("  " + line for line in _patience(rule, alert, at))
    finding = covered(context, finding, alert.pending_since if alert else at)
    if finding.covered_by:
        yield "  " + _("Grouped under %(subject)s, so no notifications are sent.") % {"subject": finding.covered_by}
    yield from ("  " + line for line in _silences(rule, finding, at))


def _stands(finding: Finding, unit: str) -> str:
    """A sentence that holds the value against its line."""
    if finding.crossed and finding.level:
        side = _("limit exceeded (level %(level)s)") % {"level": finding.level}
    elif finding.crossed:
        side = _("limit exceeded")
    else:
        side = _("within the limit") if finding.clear else _("between threshold and recovery, unchanged")
    value, line = (text_in(unit, text) for text in (finding.value, finding.threshold))
    values = {"value": value or _("unknown"), "line": line, "side": side}
    if finding.threshold:
        return _("value %(value)s, limit %(line)s: %(side)s.") % values
    return _("value %(value)s: %(side)s.") % values


def _silences(rule: Rule, finding: Finding, at: datetime) -> Iterator[str]:
    for silence in Silence.objects.in_force(at):
        if not silence.covers(target_of(rule, finding)):
            continue
        window = silence.recurring_window.at(at)
        text = _("Silenced until %(until)s: %(reason)s.")
        yield text % {"until": moment(window.end) if window else "", "reason": silence.reason.rstrip(".")}
        if silence.repeats:
            yield _("The silence repeats %(rhythm)s.") % {"rhythm": silence.rhythm}


def _patience(rule: Rule, alert: Alert, at: datetime) -> Iterator[str]:
    """What the alert waits for: a snooze, damping, escalation."""
    if alert.snoozed_until and asleep(status_of(alert), at):
        until = moment(alert.snoozed_until)
        yield _("Snoozed until %(until)s. Notified again then, if still open.") % {"until": until}
    flaps = Alert.objects.openings(rule.kind, at - FLAP_WINDOW)
    wait = policy_of_alert(rule, alert, flaps).clear_after
    if wait > timedelta(seconds=rule.clear_for_s):
        text = _("It is flapping, so it must be within the limit for %(span)s before it is resolved.")
        yield text % {"span": span(wait)}
    if rule.escalate_s is not None and alert.state == "open" and alert.escalated_at is None and alert.opened_at:
        waits = max(alert.opened_at, alert.snoozed_until or alert.opened_at)
        others = ", ".join(rule.escalate_groups) or _("admins")
        left = span(waits + timedelta(seconds=rule.escalate_s) - at)
        yield _("If not acknowledged, it escalates to %(others)s in %(span)s.") % {"others": others, "span": left}


def _why(rule: Rule, finding: Finding, alert: Alert | None, at: datetime) -> str:
    if alert is None:
        return _("It opens at the next evaluation.") if finding.crossed else _("No alert: the limit is not exceeded.")
    values: dict[str, object] = {"n": alert.pk, "state": alert.get_state_display()}
    if alert.awaits_clear and alert.state == "resolved":
        return (
            _("Alert %(n)s was resolved manually. It stays closed until the value was within the limit once.") % values
        )
    if alert.state == "pending":
        values["span"] = span(alert.pending_since + timedelta(seconds=rule.for_s) - at)
        return _("Alert %(n)s is pending. It opens in %(span)s if this lasts.") % values
    if alert.clear_since and finding.clear:
        values["span"] = span(alert.clear_since + timedelta(seconds=rule.clear_for_s) - at)
        return _("Alert %(n)s is %(state)s. It is resolved in %(span)s if this lasts.") % values
    values["since"] = moment(alert.opened_at or alert.pending_since)
    return _("Alert %(n)s is %(state)s since %(since)s.") % values
