"""Random schedules of crossings, failing servers and dying senders: whatever happens, each is told once."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection

from alerts.models import Alert, Delivery
from tests.alerts.conftest import Scene, person
from tests.alerts.outbox import closed_port, deliver
from tests.alerts.smtp_server import BUSY, DROP, GREYLIST, OK, REJECT_LATER, Mailbox, Smtp, port_of, started
from tests.emptying import begin_again

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
        begin_again()


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


class Killer(Mailbox):
    """A server at whose word the sender's process is killed, as a machine is that loses its power."""

    def __init__(self, moment: str) -> None:
        super().__init__()
        self.moment, self.victim = moment, 0

    def strike(self, moment: str) -> None:
        if moment == self.moment:
            self.moment = ""
            os.kill(self.victim, signal.SIGKILL)

    async def handle_RCPT(self, *said: Any) -> str:
        self.strike("asked for its recipient")
        return await super().handle_RCPT(*said)

    async def handle_DATA(self, *said: Any) -> str:
        if self.moment == "sent":
            self.strike("sent")
            return "451 4.3.0 lost with the power"
        answer = await super().handle_DATA(*said)
        self.strike("taken")
        return answer


@pytest.mark.parametrize("moment", ["asked for its recipient", "sent", "taken"])
def test_a_killed_sender_loses_no_mail_and_the_twin_of_one_that_was_taken_has_its_identity(
    db: None, moment: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    killer = Killer(moment)
    server = started(killer)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port_of(server)
    scene = Scene(monkeypatch)
    person("olga", "ops")
    scene.set("a", True, **NO_CHART)
    scene.look()
    try:
        assert signal_that_ended(killer, lambda: deliver(scene)) == signal.SIGKILL
        assert Delivery.objects.get().state == "sending"
        deliver(scene, 10)
        assert Delivery.objects.get().state == "sending", "its claim has not ended"
        deliver(scene, 60)
    finally:
        server.stop()
    assert Delivery.objects.get().state == "accepted"
    identities = [str(message["Message-ID"]) for message in killer.accepted]
    assert identities == [Delivery.objects.get().message_id] * (2 if moment == "taken" else 1)


def signal_that_ended(killer: Killer, act: Callable[[], Any]) -> int:
    """Of a process of its own, with connections of its own, that does this and is killed at it."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # of Postgres

    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(ready, 1)
        with suppress(BaseException):
            act()
        os._exit(0)
    killer.victim = child
    os.write(go, b"1")
    _pid, status = os.waitpid(child, 0)
    return os.WTERMSIG(status)
