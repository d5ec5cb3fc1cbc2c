"""The mails that the alerts that are open would send at a moment. Writes nothing and sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.contrib.auth.models import AbstractUser

from alerts.context.evaluation import EvaluationContext
from alerts.kinds import KINDS
from alerts.kinds.finding import BadThreshold
from alerts.lifecycle.states import Cause, State
from alerts.mail.alert_mail import bodies
from alerts.mail.readers import Reader
from alerts.models import Alert, Delivery, Rule, Transition


def open_mails(person: AbstractUser, now: datetime) -> Iterator[tuple[Alert, str]]:
    """Each open alert with the HTML of its mail to `person`, with the figures of `now`.

    Left out is what would end now, and rules that cannot be evaluated.
    """
    context, reader = EvaluationContext(now), Reader(person)
    alerts_by_rule: dict[Rule, dict[str, Alert]] = {}
    for alert in Alert.objects.filter(state=State.OPEN).select_related("rule").order_by("pk"):
        alerts_by_rule.setdefault(alert.rule, {})[alert.subject] = alert
    for rule, alerts in alerts_by_rule.items():
        kind = KINDS[rule.kind]
        try:
            findings = list(kind.evaluate(context, kind.read(rule.thresholds), frozenset(alerts)))
        except BadThreshold:  # its page shows why
            continue
        for finding in findings:
            if finding.subject not in alerts or finding.clear:
                continue
            alert = alerts[finding.subject]
            transition = Transition(
                alert=alert, after=State.OPEN, cause=Cause.CROSSED, at=now, title=finding.title, words=finding.words
            )
            delivery = Delivery(alert=alert, transition=transition, recipient=person.email, created_at=now)
            yield alert, bodies(delivery, reader)[2]
