"""From a step of the state machine to rows: the alert, its timeline, the messages; in the caller's transaction."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.utils.translation import gettext as _

from alerts.charts.timeline import said_in
from alerts.delivery.grouping import release, supersede
from alerts.delivery.quiet_hours import accepts_severity, send_time
from alerts.delivery.recipients import ADMINS, Recipients
from alerts.kinds import KINDS
from alerts.kinds.finding import Finding, Words
from alerts.lifecycle.silences import Silenceable, Target, labels_of
from alerts.lifecycle.states import Cause, Move, State, Status, Step
from alerts.models import Alert, Channel, Delivery, Rule, Sample, Silence, Transition
from alerts.wording import day
from lib.events import log_event

logger = logging.getLogger(__name__)

STATUS_FIELDS = tuple(field.name for field in fields(Status))
SAID_FIELDS = ("kind", "title", "severity", "value", "threshold", "words", "covered_by", "labels", "sampled_at")
SAVED_FIELDS = (*STATUS_FIELDS, *SAID_FIELDS, "acknowledged_at", "acknowledged_by", "assigned_to")
PEOPLE = ("acknowledged_by", "assigned_to")
TITLE_LENGTH, VALUE_LENGTH, GROUP_LENGTH = 300, 60, 200
# What is said together; an escalation or a reminder is about one alert.
GROUPED = (Cause.CROSSED, Cause.UNSILENCED, Cause.CLEARED, Cause.GONE)
# Ten deployments of a vendor fail one after the other: the first is told at once, those after it wait for each other.
GROUP_WITHIN, GROUP_WAIT = timedelta(minutes=5), timedelta(seconds=60)
# An alert's chart: a point a minute at first, later one for each hundredth of its life.
SAMPLE_EVERY, SAMPLES = timedelta(minutes=1), 100


def status_of(alert: Alert) -> Status:
    """Where a stored alert stands."""
    return Status(**{name: getattr(alert, name) for name in STATUS_FIELDS} | {"state": State(alert.state)})


@dataclass
class Writer:
    """Collects what one evaluation, or one person's click, changes."""

    at: datetime
    recipients: Recipients
    silences: list[Silence]
    by: AbstractBaseUser | None = None
    note: str = ""
    moves: int = 0
    touched: list[Alert] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)  # columns of those
    samples: list[Sample] = field(default_factory=list)
    logged: list[dict[str, Any]] = field(default_factory=list)  # fields of transitions, for `log_transitions`

    def silenced(self, what: Silenceable) -> bool:
        return any(silence.covers(what) for silence in self.silences)

    def follow(
        self,
        alert: Alert | None,
        step: Step,
        finding: Finding | None,
        rule: Rule | None = None,
        words: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the rows say what a step says. A new alert needs the rule and the finding; `words` are those of the one
        whose place it takes, with the peak so far."""
        if step.status is None:
            return
        if alert is None:
            assert rule and finding
            alert = Alert(rule=rule, subject=finding.subject, state="", words=dict(words or {}))
        before, stored = alert.state, snapshot(alert)
        self._put(alert, step.status)
        if finding:
            describe(alert, finding, self.at)
        if alert.state == State.RESOLVED and before != State.RESOLVED:
            alert.title = past(alert, finding)
        sampled = finding is not None and self._is_due(alert, finding)
        if sampled:
            alert.sampled_at = self.at
        if step.moves or alert.pk is None:
            alert.save()
        elif changed := {name for name, value in snapshot(alert).items() if value != stored[name]}:
            self.touched.append(alert)
            self.changed |= changed
        if sampled:
            self.samples.append(Sample(alert=alert, at=self.at, value=alert.value, threshold=alert.threshold))
        for move in step.moves:
            self._record(alert, before, move, finding)
            before = move.after
        if step.successor:
            self.follow(None, step.successor, finding, alert.rule, alert.words)

    def finish(self) -> None:
        """Write what changed without a transition: figures and clocks."""
        if self.touched:
            Alert.objects.bulk_update(self.touched, sorted(self.changed), batch_size=200)
        Sample.objects.bulk_create(self.samples, batch_size=500)

    def log_transitions(self) -> None:
        """One line for each transition; call it after the transaction, because what is rolled back did not happen.

        Subjects and titles are left out: they may hold an e-mail address or the name of a person.
        """
        for transition in self.logged:
            log_event(logger, logging.INFO, "alert_transition", **transition)

    def _is_due(self, alert: Alert, finding: Finding) -> bool:
        """Whether the value of an alert is worth a point of its chart now."""
        if not finding.value or alert.state == State.RESOLVED:
            return False
        if alert.sampled_at is None:
            return True
        return self.at - alert.sampled_at >= max(SAMPLE_EVERY, (self.at - alert.pending_since) / SAMPLES)

    def _put(self, alert: Alert, status: Status) -> None:
        if status.state is State.ACKNOWLEDGED and alert.state != State.ACKNOWLEDGED:
            alert.acknowledged_at = self.at
            alert.acknowledged_by = self.by  # type: ignore[assignment]  # the user model is a setting
        elif status.state is State.OPEN:
            alert.acknowledged_at = alert.acknowledged_by = None
        for name, value in asdict(status).items():
            setattr(alert, name, str(value) if name == "state" else value)

    def _record(self, alert: Alert, before: str, move: Move, finding: Finding | None) -> None:
        transition = Transition.objects.create(
            alert=alert,
            before=before,
            after=move.after,
            at=self.at,
            cause=move.cause,
            note=self.note,
            value=finding.value[:VALUE_LENGTH] if finding else alert.value,
            title=short(finding.title) if finding else alert.title,
            words=finding.words if finding else alert.words,
            by=self.by if self.by and self.by.pk else None,  # type: ignore[misc]  # the user model is a setting
        )
        self.moves += 1
        messages: list[Delivery] = []
        if move.notify:
            group = finding.group[:GROUP_LENGTH] if finding and move.cause in GROUPED else ""
            waits = finding is not None and finding.group_waits
            messages = Delivery.objects.bulk_create(self._messages(alert, transition, group, waits))
            if move.cause == Cause.CROSSED and alert.level:
                supersede(alert)
        self.logged.append(
            {
                "alert_id": alert.pk,
                "rule_id": alert.rule_id,
                "kind": alert.kind or alert.rule.kind,
                "before": before or None,
                "after": str(move.after),
                "cause": str(move.cause),
                "severity": str(alert.severity),
                "level": alert.level or None,
                "messages": len(messages),
                "user_id": self.by.pk if self.by else None,
            }
        )

    def _messages(self, alert: Alert, transition: Transition, group: str, waits: bool) -> list[Delivery]:
        """What people and channels are told, each when it may reach them."""
        messages: list[Delivery] = []
        at_once: list[str] = []
        for address in self._recipients(alert, transition):
            wishes = self.recipients.wishes(address)
            delivery_time = send_time(wishes, alert.severity, self.at)
            messages.append(
                self._message(
                    alert, transition, address, due_at=delivery_time.due, deferred_by=delivery_time.deferred_by
                )
            )
            if wishes and not delivery_time.deferred_by:
                at_once.append(address)
        release(alert, at_once, self.at)
        channels = self._channels(alert, transition)
        messages += [self._message(alert, transition, channel.slug, channel.kind) for channel in channels]
        return [self._grouped(message, group, waits) for message in messages] if group else messages

    def _grouped(self, message: Delivery, group: str, waits: bool) -> Delivery:
        """One of several that belong together: it waits for those that may follow, if one of them has been told, or
        where all of the group wait."""
        if (
            message.channel == "webhook" or message.deferred_by
        ):  # a program wants each; deferred ones are one mail already
            return message
        message.group = group
        earlier = Delivery.objects.of_group(message).filter(created_at__gt=self.at - GROUP_WITHIN)
        if waits or earlier.exclude(transition__at=self.at).exists():
            message.due_at = self.at + GROUP_WAIT
        return message

    def _message(
        self, alert: Alert, transition: Transition, recipient: str, channel: str = "email", **more: Any
    ) -> Delivery:
        return Delivery(
            alert=alert,
            transition=transition,
            channel=channel,
            recipient=recipient,
            message_id=message_id(alert, transition, recipient, channel),
            **{"due_at": self.at, **more},
        )

    def _channels(self, alert: Alert, transition: Transition) -> list[Channel]:
        if not self.recipients.channels or transition.cause == Cause.ASSIGNED:
            return []
        if transition.after == State.RESOLVED:
            slugs = Delivery.objects.notified(alert, channel=True)
        else:
            slugs = list(alert.rule.channels.values_list("slug", flat=True))
        return [channel for channel in self.recipients.channels if channel.slug in slugs]

    def _recipients(self, alert: Alert, transition: Transition) -> list[str]:
        rule = alert.rule
        if transition.cause == Cause.ASSIGNED:
            return self._assignee(alert)
        if transition.after == State.RESOLVED:  # those who know that it began, and nobody else
            return self.recipients.without(rule, Delivery.objects.notified(alert))
        people = self.recipients.of_rule(rule, KINDS[rule.kind].groups if rule.kind in KINDS else ("ops",))
        if transition.cause == Cause.ESCALATED:
            further = [address for group in rule.escalate_groups for address in self.recipients.of_group(group)]
            people = self.recipients.without(rule, [*people, *(further or self.recipients.of_group(ADMINS))])
        return [address for address in people if accepts_severity(self.recipients.wishes(address), alert.severity)]

    def _assignee(self, alert: Alert) -> list[str]:
        """Whoever was given it by somebody else; a rule's opt-out does not hold for what is theirs."""
        person = alert.assigned_to
        if person is None or not person.is_active or not person.email:
            return []
        return [] if self.by is not None and self.by.pk == person.pk else [person.email]


def snapshot(alert: Alert) -> dict[str, Any]:
    return {name: getattr(alert, f"{name}_id" if name in PEOPLE else name) for name in SAVED_FIELDS}


def describe(alert: Alert, finding: Finding, at: datetime) -> None:
    """The alert's words as the value is now, up or down; its level, severity and threshold stay while it is open."""
    if alert.state == State.RESOLVED:
        return
    alert.value = finding.value[:VALUE_LENGTH]
    alert.covered_by = finding.covered_by
    alert.labels = labels_of_finding(finding)
    if finding.clear and alert.title:  # it waits to be over, which its title says then
        return
    alert.title, alert.words = short(finding.title), finding.words | peak_of(alert, finding, at)
    if finding.crossed and finding.level == alert.level:
        alert.kind = alert.rule.kind
        alert.severity = finding.severity or alert.rule.severity
        alert.threshold = finding.threshold[:VALUE_LENGTH]


def peak_of(alert: Alert, finding: Finding, at: datetime) -> Words:
    """The highest value of an open alert, and a sentence where it has come down since; empty for a rule without a
    threshold, or where low is what is wrong."""
    unit = KINDS[alert.rule.kind].unit if alert.rule.kind in KINDS else "count"
    try:
        value, limit = Decimal(finding.value), Decimal(finding.threshold or alert.threshold)
    except InvalidOperation:
        return Words()
    stored = alert.words.get("peak") or ["-Infinity", ""]
    highest, when = max((Decimal(stored[0]), stored[1]), (value, at.isoformat()), key=lambda pair: pair[0])
    if highest < limit or not highest.is_finite():
        return Words()
    words = Words(peak=[f"{highest:f}", when])
    if highest > value:
        values = {"value": said_in(unit, highest), "day": day(datetime.fromisoformat(when).date())}
        words["highest"] = _("Highest: %(value)s on %(day)s.") % values
    return words


def labels_of_finding(finding: Finding) -> dict[str, str]:
    """What its subject names and what its kind adds."""
    return {**labels_of(finding.subject), **finding.labels}


def target_of(rule: Rule, finding: Finding) -> Target:
    """A finding as silences see it."""
    return Target(rule.kind, finding.subject, finding.severity or rule.severity, labels_of_finding(finding))


def past(alert: Alert, finding: Finding | None) -> str:
    """An alert's title once it is over; a finding knows best how long it was, else it is as of the last look."""
    over = (finding.words.get("over") if finding else "") or alert.words.get("over")
    return short(over) if over else alert.title


def short(title: str) -> str:
    """One line, as long as the column; control characters have no place in a subject line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in title).split())
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1] + "…"


def message_id(alert: Alert, transition: Transition, recipient: str, channel: str = "email") -> str:
    """The same for every attempt at a delivery; the alert's own clock tells two installations of a domain apart."""
    text = f"{alert.pending_since.isoformat()} {alert.subject} {channel} {recipient.lower()}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:20]
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return f"<{alert.pk}.{transition.pk}.{digest}@{domain}>"
