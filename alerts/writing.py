"""From a step of the state machine to rows: the alert, its timeline, the messages; in the caller's transaction."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser

from alerts.held import free
from alerts.kinds import KINDS
from alerts.kinds.finding import Finding
from alerts.models import Alert, Channel, Delivery, Rule, Silence, Transition
from alerts.quiet import wanted, when
from alerts.recipients import ADMINS, Directory
from alerts.states import Cause, Move, State, Status, Step

STATUS_FIELDS = tuple(field.name for field in fields(Status))
SAID_FIELDS = ("kind", "title", "severity", "value", "threshold", "words", "covered_by")
SAVED_FIELDS = (*STATUS_FIELDS, *SAID_FIELDS, "acknowledged_at", "acknowledged_by")
TITLE_LENGTH, VALUE_LENGTH = 300, 60


def status_of(alert: Alert) -> Status:
    """Where a stored alert stands."""
    return Status(**{name: getattr(alert, name) for name in STATUS_FIELDS} | {"state": State(alert.state)})


@dataclass
class Writer:
    """Collects what one evaluation, or one person's click, changes."""

    at: datetime
    directory: Directory
    silences: list[Silence]
    by: AbstractBaseUser | None = None
    note: str = ""
    moves: int = 0
    touched: list[Alert] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)  # columns of those

    def silenced(self, kind: str, subject: str) -> bool:
        return any(s.kind in ("", kind) and s.subject in ("", subject) for s in self.silences)

    def follow(self, alert: Alert | None, step: Step, finding: Finding | None, rule: Rule | None = None) -> None:
        """Make the rows say what a step says. A new alert needs the rule and the finding."""
        if step.status is None:
            return
        if alert is None:
            assert rule and finding
            alert = Alert(rule=rule, subject=finding.subject, state="")
        before, stored = alert.state, snapshot(alert)
        self._put(alert, step.status)
        if finding:
            describe(alert, finding)
        if alert.state == State.RESOLVED and before != State.RESOLVED:
            alert.title = past(alert, finding)
        if step.moves or alert.pk is None:
            alert.save()
        elif changed := {name for name, value in snapshot(alert).items() if value != stored[name]}:
            self.touched.append(alert)
            self.changed |= changed
        for move in step.moves:
            self._record(alert, before, move, finding)
            before = move.after
        if step.successor:
            self.follow(None, step.successor, finding, alert.rule)

    def finish(self) -> None:
        """Write what changed without a transition: figures and clocks."""
        if self.touched:
            Alert.objects.bulk_update(self.touched, sorted(self.changed), batch_size=200)

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
        if move.notify:
            Delivery.objects.bulk_create(self._messages(alert, transition))

    def _messages(self, alert: Alert, transition: Transition) -> list[Delivery]:
        """What people and channels are told, each when it may reach them."""
        found: list[Delivery] = []
        at_once: list[str] = []
        for address in self._recipients(alert, transition):
            wishes = self.directory.wishes(address)
            chosen = when(wishes, alert.severity, self.at)
            found.append(self._message(alert, transition, address, due_at=chosen.due, held=chosen.held))
            if wishes and not chosen.held:
                at_once.append(address)
        free(alert, at_once, self.at)
        channels = self._channels(alert, transition)
        return [*found, *(self._message(alert, transition, one.slug, one.kind) for one in channels)]

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
        if not self.directory.channels:
            return []
        if transition.after == State.RESOLVED:
            slugs = Delivery.objects.told(alert, channel=True)
        else:
            slugs = list(alert.rule.channels.values_list("slug", flat=True))
        return [channel for channel in self.directory.channels if channel.slug in slugs]

    def _recipients(self, alert: Alert, transition: Transition) -> list[str]:
        rule = alert.rule
        if transition.after == State.RESOLVED:  # those who know that it began, and nobody else
            return self.directory.without(rule, Delivery.objects.told(alert))
        people = self.directory.of_rule(rule, KINDS[rule.kind].groups if rule.kind in KINDS else ("ops",))
        if transition.cause == Cause.ESCALATED:
            people = self.directory.without(rule, [*people, *self.directory.of_group(ADMINS)])
        return [one for one in people if wanted(self.directory.wishes(one), alert.severity)]


def snapshot(alert: Alert) -> dict[str, Any]:
    return {name: getattr(alert, name if name != "acknowledged_by" else "acknowledged_by_id") for name in SAVED_FIELDS}


def describe(alert: Alert, finding: Finding) -> None:
    """The alert's words, as long as the finding is about what the alert is about."""
    if alert.state == State.RESOLVED:
        return
    alert.value = finding.value[:VALUE_LENGTH]
    alert.covered_by = finding.covered_by
    if finding.crossed and finding.level == alert.level:
        alert.kind = alert.rule.kind
        alert.title = short(finding.title)
        alert.severity = finding.severity or alert.rule.severity
        alert.threshold = finding.threshold[:VALUE_LENGTH]
        alert.words = finding.words


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
