"""Random schedules of crossings, failing servers and dying senders: whatever happens, each is told once."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from alerts.models import Alert, Delivery, Rule
from tests.alerts.conftest import Scene, person
from tests.alerts.smtp_server import BUSY, DROP, GREYLIST, OK, REJECT_LATER, Mailbox, Smtp
from tests.alerts.test_outbox import closed_port, deliver

# Longer runs are asked for by hand: BREAKEVEN_SCHEDULES=1000.
SCHEDULES = int(os.environ.get("BREAKEVEN_SCHEDULES", "16"))
ANSWERS = [OK, OK, GREYLIST, DROP, BUSY, REJECT_LATER]
CAN_CRASH = 0.008  # before a statement, and as often after one
NO_CHART: dict[str, Any] = {"threshold": "0"}  # drawing one takes longer than sending it


class Crash(BaseException):
    """The process is gone, in the middle of whatever it did; what it had not committed never was."""


class Trouble:
    """Makes servers fail and processes die by chance, and remembers each yes that no sender lived to write down."""

    def __init__(self, seed: int, mailbox: Mailbox) -> None:
        self.chance = random.Random(seed)
        self.on = True
        self.mailbox = mailbox
        self.forgotten: Counter[str] = Counter()
        mailbox.decide = lambda: self.chance.choice(ANSWERS) if self.on else OK

    def at_a_statement(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not self.on:
            return execute(sql, params, many, context)
        if self.chance.random() < CAN_CRASH:
            raise Crash
        done = execute(sql, params, many, context)
        if self.chance.random() < CAN_CRASH:
            raise Crash
        return done

    def survives(self, act: Callable[[], Any]) -> bool:
        """Whether the process lived through it. Only the newest yes of a sender can be one that it did not write."""
        accepted = len(self.mailbox.accepted)
        try:
            with connection.execute_wrapper(self.at_a_statement):
                act()
        except Crash:
            connection.close()
            for message in self.mailbox.accepted[accepted:][-1:]:
                identity = str(message["Message-ID"])
                self.forgotten[identity] += not Delivery.objects.filter(message_id=identity, state="accepted").exists()
            return False
        return True


def play(scene: Scene, trouble: Trouble, settings: Any) -> Counter[str]:
    """Two subjects cross to and fro while mail goes out badly; then all is calm and everything is sent. How often an
    evaluation saw each of them cross."""
    chance, port, dead_port = trouble.chance, settings.EMAIL_PORT, closed_port()
    crossings: Counter[str] = Counter()
    crossed = dict.fromkeys("ab", False)
    seen = dict(crossed)

    def look(seconds: float) -> None:
        if trouble.survives(lambda: scene.look(seconds)):
            crossings.update(name for name, now in crossed.items() if now and not seen[name])
            seen.update(crossed)

    for _ in range(6):
        for name in crossed:
            if chance.random() < 0.6:
                crossed[name] = not crossed[name]
                scene.set(name, crossed[name], **NO_CHART)
        look(chance.choice([15, 60, 600]))
        if chance.random() < 0.3:
            look(0)  # a second evaluator
        settings.EMAIL_PORT = dead_port if chance.random() < 0.2 else port
        trouble.survives(lambda: deliver(scene))
    trouble.on, settings.EMAIL_PORT = False, port
    for name in crossed:
        scene.set(name, False, **NO_CHART)
    for _ in range(2):  # one that flapped must be clear for a while
        scene.look(7200)
    for _ in range(2):  # an end waits for its beginning
        deliver(scene, 7200)
    return crossings


@pytest.fixture
def db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Transactions as in life, of which a crash loses what was not committed; what they leave is removed."""
    with django_db_blocker.unblock():
        yield
        get_user_model().objects.filter(username__in=("olga", "otto")).delete()
        for model in (Delivery, Alert, Rule):
            model.objects.all().delete()


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_every_crossing_is_told_once_and_its_end_once_whatever_fails(
    seed: int, scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox, settings: Any
) -> None:
    person("otto", "ops")
    trouble = Trouble(seed, mailbox)
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
