"""Random schedules of crossings, failing servers and dying senders: whatever happens, each is told once."""

from __future__ import annotations

import os
import random
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from alerts import outbox
from alerts.models import Alert, Delivery
from tests.alerts.conftest import Scene, person
from tests.alerts.smtp_server import BUSY, DROP, GREYLIST, OK, REJECT_LATER, Mailbox, Smtp
from tests.alerts.test_outbox import closed_port, deliver

# Longer runs are asked for by hand: BREAKEVEN_SCHEDULES=1000.
SCHEDULES = int(os.environ.get("BREAKEVEN_SCHEDULES", "12"))
ANSWERS = [OK, OK, GREYLIST, DROP, BUSY, REJECT_LATER]
CAN_CRASH = 0.08


class Crash(BaseException):
    """The sender's process is gone."""


class Trouble:
    """Makes servers fail and senders die by chance, and remembers each yes that no sender lived to write down."""

    def __init__(self, seed: int, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chance = random.Random(seed)
        self.on = True
        self.forgotten: Counter[str] = Counter()
        self.real_mark, self.real_claim = outbox._mark, outbox.claim
        monkeypatch.setattr(outbox, "_mark", self.mark)
        monkeypatch.setattr(outbox, "claim", self.claim)
        mailbox.decide = lambda: self.chance.choice(ANSWERS) if self.on else OK

    def dies(self) -> bool:
        return self.on and self.chance.random() < CAN_CRASH

    def mark(self, delivery: Delivery, **columns: Any) -> None:
        if self.dies():
            if columns["state"] == "accepted":
                self.forgotten[delivery.message_id] += 1
            raise Crash
        self.real_mark(delivery, **columns)

    def claim(self, now: Any, *silent: Any) -> Delivery | None:
        claimed = self.real_claim(now, *silent)
        if claimed and self.dies():
            raise Crash
        return claimed


def play(scene: Scene, trouble: Trouble, settings: Any) -> Counter[str]:
    """Three subjects cross to and fro while mail goes out badly; then all is calm and everything is sent."""
    chance, port, dead_port = trouble.chance, settings.EMAIL_PORT, closed_port()
    crossings: Counter[str] = Counter()
    crossed = dict.fromkeys("abc", False)
    for _ in range(12):
        for name in crossed:
            if chance.random() < 0.35:
                crossed[name] = not crossed[name]
                crossings[name] += crossed[name]
                scene.set(name, crossed[name])
        scene.look(chance.choice([15, 60, 600]))
        if chance.random() < 0.3:
            scene.look(0)  # a second evaluator
        settings.EMAIL_PORT = dead_port if chance.random() < 0.2 else port
        with suppress(Crash):
            deliver(scene)
    trouble.on, settings.EMAIL_PORT = False, port
    for name in crossed:
        scene.set(name, False)
    for _ in range(2):  # one that flapped must be clear for a while
        scene.look(7200)
    for _ in range(2):  # an end waits for its beginning
        deliver(scene, 7200)
    return crossings


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_every_crossing_is_told_once_and_its_end_once_whatever_fails(
    seed: int, scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    person("otto", "ops")
    trouble = Trouble(seed, mailbox, monkeypatch)
    crossings = play(scene, trouble, settings)

    accepted = Counter(str(message["Message-ID"]) for message in mailbox.accepted)
    # A yes that died with its sender is the one case in which a message comes twice, under one identity.
    assert all(accepted[identity] == 1 + trouble.forgotten[identity] for identity in accepted)
    assert set(Delivery.objects.values_list("state", flat=True)) <= {"accepted"}
    assert set(Delivery.objects.values_list("message_id", flat=True)) == set(accepted)
    for alert in Alert.objects.filter(opened_at__isnull=False):
        # One that nobody acknowledged for an hour is escalated, which is a message of its own.
        for after in ("open", "resolved"):
            told = Delivery.objects.filter(alert=alert, transition__after=after).exclude(transition__cause="escalated")
            assert sorted(told.values_list("recipient", flat=True)) == ["olga@example.com", "otto@example.com"]
    for name, times in crossings.items():
        opened = Alert.objects.filter(subject=name).count()
        assert opened == times or (opened < times and times > 3), "only what flaps is told less often than it crosses"
