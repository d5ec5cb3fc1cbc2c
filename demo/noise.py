"""What goes wrong with mail in every company: a rule that cries wolf, and a mailbox of somebody who has left."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from alerts.evaluation.write import message_id
from alerts.models import Address, Alert, Delivery, Rule, Sample, Transition
from demo.company import MAIL_DOMAIN

NOISY = "website-chat-first-token"
FIRINGS = 14
LEFT = f"nina@{MAIL_DOMAIN}"
ANSWER = f"550 5.1.1 <{LEFT}>: no such mailbox here"


def past(now: datetime) -> None:
    """Four weeks of it, once."""
    rule = Rule.objects.get(slug=NOISY)
    if Alert.objects.filter(rule=rule).exists():
        return
    chance = Random(6)
    for n in range(FIRINGS):
        opened = now - timedelta(days=1.8 * (FIRINGS - n), minutes=chance.randrange(300))
        newest = fired(rule, opened, chance)
    given_up(newest, newest.transitions.earliest("at"))


def fired(rule: Rule, opened: datetime, chance: Random) -> Alert:
    """One that opened, that nobody answered, and that passed by itself."""
    line, peak = int(rule.thresholds["line"]), 1_540 + 40 * chance.randrange(20)
    over = opened + timedelta(minutes=60 + chance.randrange(180))
    alert = Alert.objects.create(
        rule=rule, kind=rule.kind, subject="ttft-p95/application:site-chat", severity=rule.severity, state="resolved",
        title=f"Over: time to first token of Website chat, {peak / 1000:.2f} s", value=str(peak), threshold=str(line),
        pending_since=opened - timedelta(hours=2), opened_at=opened, clear_since=over, resolved_at=over,
        labels={"application": "site-chat"},
    )  # fmt: skip
    steps = [("", "open", opened, "crossed", peak), ("open", "resolved", over, "cleared", line - 200)]
    for before, after, at, cause, value in steps:
        Transition.objects.create(
            alert=alert, before=before, after=after, at=at, cause=cause, value=str(value), title=alert.title
        )
    times = [opened + (over - opened) * share / 4 for share in range(4)]
    values = [(line + peak) // 2, peak, (line + peak) // 2, line + 20]
    Sample.objects.bulk_create(
        Sample(alert=alert, at=at, value=str(value), threshold=str(line))
        for at, value in zip(times, values, strict=True)
    )
    return alert


def given_up(alert: Alert, opened: Transition) -> None:
    """The mail about it to somebody whose mailbox is closed."""
    at = opened.at
    Delivery.objects.create(
        alert=alert, transition=opened, recipient=LEFT, state="dead", attempts=1, due_at=at, answer=ANSWER,
        message_id=message_id(alert, opened, LEFT),
    )  # fmt: skip
    Address.objects.get_or_create(
        address=LEFT, defaults={"refusals": 1, "refused_at": at, "answer": ANSWER, "disabled_at": at}
    )
