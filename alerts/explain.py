"""Why a rule is or is not firing: its sentence, its numbers, and each subject as it stands now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils import timezone

from alerts.figures import Figures
from alerts.kinds import KINDS
from alerts.kinds.finding import BadThreshold, Finding
from alerts.models import Alert, Rule, Silence
from alerts.recipients import Directory
from alerts.sentences import sentence
from alerts.services import FLAP_WINDOW, policy_of_alert
from alerts.states import asleep
from alerts.wording import moment, span
from alerts.writing import status_of, target_of


def explain(rule: Rule, now: datetime | None = None) -> Iterator[str]:
    """Lines of text; nothing is changed."""
    at = now or timezone.now()
    kind = KINDS.get(rule.kind)
    if kind is None:
        yield f"{rule.slug}: no rule of kind {rule.kind!r} is known to this version."
        return
    yield sentence(rule)
    yield from _state(rule, at)
    told = Directory().of_rule(rule, kind.groups)
    yield (
        f"Tells {', '.join(told)}." if told else "Tells nobody: no one it names has an e-mail address that takes mail."
    )
    known = {alert.subject: alert for alert in Alert.objects.minded().filter(rule=rule)}
    figures = Figures(at)
    try:
        findings = list(kind.evaluate(figures, kind.read(rule.thresholds), frozenset(known)))
    except BadThreshold as error:
        yield f"It cannot be evaluated: {error}"
        return
    if not findings:
        yield "Nothing that it looks at crosses its line, so it is not firing."
    for finding in findings:
        if not (rule.enabled or finding.subject in kind.always):
            continue
        yield from _subject(figures, rule, finding, known.pop(finding.subject, None))
    for alert in known.values():
        yield f"{alert.subject}: no longer there; its alert is resolved at the next evaluation."


def _state(rule: Rule, at: datetime) -> Iterator[str]:
    if not rule.enabled:
        always = ", ".join(sorted(KINDS[rule.kind].always))
        yield f"It is switched off; only {always} is still told." if always else "It is switched off: it tells nothing."
    if rule.last_error:
        yield f"Its last error: {rule.last_error}"
    if rule.evaluated_at:
        yield f"It last ran {span(at - rule.evaluated_at)} ago, at {moment(rule.evaluated_at)}."
    else:
        yield "It has not run yet."


def _subject(figures: Figures, rule: Rule, finding: Finding, alert: Alert | None) -> Iterator[str]:
    at = figures.now
    yield ""
    yield f"{finding.subject}: {finding.title}"
    line = f" against a line at {finding.threshold}" if finding.threshold else ""
    if finding.crossed:
        side = "crossed" + (f" (level {finding.level})" if finding.level else "")
    else:
        side = "clear" if finding.clear else "between the line and its clear line, where nothing changes"
    yield f"  value {finding.value or 'unknown'}{line}: {side}."
    yield f"  {_why(rule, finding, alert, at)}"
    if alert and alert.state in ("open", "acknowledged"):
        yield from _patience(rule, alert, at)
    finding = figures.covered(finding, alert.pending_since if alert else at)
    if finding.covered_by:
        yield f"  {finding.covered_by} speaks for it, so no mail goes out."
    for silence in Silence.objects.in_force(at):
        if silence.covers(target_of(rule, finding)):
            window = silence.course.at(at)
            until = moment(window.end) if window else ""
            yield f"  Silenced until {until}: {silence.reason}." + (
                f" It comes {silence.rhythm}." if silence.repeats else ""
            )


def _patience(rule: Rule, alert: Alert, at: datetime) -> Iterator[str]:
    """What it waits for besides its line."""
    if alert.snoozed_until and asleep(status_of(alert), at):
        yield f"  Snoozed until {moment(alert.snoozed_until)}: said again then, if it is still so."
    flaps = Alert.objects.openings(rule.kind, at - FLAP_WINDOW)
    wait = policy_of_alert(rule, alert, flaps).clear_after
    if wait > timedelta(seconds=rule.clear_for_s):
        yield f"  It comes and goes, so it must be clear for {span(wait)} before it is resolved."
    if rule.escalate_s is not None and alert.state == "open" and alert.escalated_at is None and alert.opened_at:
        waits = max(alert.opened_at, alert.snoozed_until or alert.opened_at)
        others = ", ".join(rule.escalate_groups) or "admins"
        yield f"  Unacknowledged, it is told to {others} in {span(waits + timedelta(seconds=rule.escalate_s) - at)}."


def _why(rule: Rule, finding: Finding, alert: Alert | None, at: datetime) -> str:
    if alert is None:
        return "It opens at the next evaluation." if finding.crossed else "No alert: the line is not crossed."
    if alert.awaits_clear and alert.state == "resolved":
        return f"Alert {alert.pk} was resolved by a person; it is quiet until the line was clear once."
    if alert.state == "pending":
        left = alert.pending_since + timedelta(seconds=rule.for_s) - at
        return f"Alert {alert.pk} is pending; it opens in {span(left)} if this lasts."
    if alert.clear_since and finding.clear:
        left = alert.clear_since + timedelta(seconds=rule.clear_for_s) - at
        return f"Alert {alert.pk} is {alert.state}; it is resolved in {span(left)} if this lasts."
    return f"Alert {alert.pk} is {alert.state} since {moment(alert.opened_at or alert.pending_since)}."
