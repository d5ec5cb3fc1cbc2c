"""People, a mail server, and a kind of rule whose findings a test writes itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from alerts.context.evaluation import EvaluationContext
from alerts.evaluation import services
from alerts.kinds import KINDS
from alerts.kinds.finding import Finding, RuleParams
from alerts.models import Alert, Delivery, Rule
from dashboard.people.roles import ROLES
from tests.alerts.people import EVIL, client_of
from tests.alerts.smtp_server import Mailbox, Smtp, port_of, started
from tests.permissions import permission_ids

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def smtp(mailbox: Mailbox, settings: Any) -> Iterator[Smtp]:
    """A running server that the outbox sends to."""
    server = started(mailbox)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port_of(server)
    settings.EMAIL_TIMEOUT = 5
    yield server
    if server.server is not None:
        server.stop()


def person(username: str, group: str | None, email: str | None = None) -> Any:
    user = get_user_model().objects.create_user(username, email or f"{username}@example.com", "secret")
    if group:
        user.groups.add(Group.objects.get_or_create(name=group)[0])
    return user


@pytest.fixture
def ops(db: Any) -> Any:
    return person("olga", "ops")


class Scene:
    """A rule whose subjects stand as the test says, and a clock that the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: str = "outage") -> None:
        self.kind = kind
        self.now = START
        self.findings: dict[str, Finding] = {}
        self.known: frozenset[str] = frozenset()
        monkeypatch.setitem(KINDS, kind, replace(KINDS[kind], evaluate=self.evaluate, every_s=0))

    def evaluate(self, figures: EvaluationContext, asked: RuleParams, live: frozenset[str]) -> list[Finding]:
        self.known = live
        return list(self.findings.values())

    def set(self, subject: str, crossed: bool, clear: bool | None = None, **more: Any) -> None:
        title = more.pop("title", f"Down: {subject}, $12.50" if crossed else f"Up again: {subject}, $0")
        clear = not crossed if clear is None else clear
        figures = {"value": "12.50", "threshold": "10"}
        self.findings[subject] = Finding(subject, title, crossed, clear, **figures | more)

    def look(self, seconds: float = 15) -> services.Evaluated:
        """Let time pass, then evaluate."""
        self.now += timedelta(seconds=seconds)
        done = services.evaluate(now=self.now, kinds=[self.kind])
        assert not done.errors, done.errors
        return done

    def alert(self, subject: str = "a") -> Alert:
        return Alert.objects.filter(subject=subject).order_by("-id")[0]


@pytest.fixture
def scene(db: Any, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


@pytest.fixture
def roles(db: Any) -> None:
    for name in ("staff", "manager", "ops"):
        group, _made = Group.objects.get_or_create(name=name)
        group.permissions.add(*permission_ids(ROLES[name]))


@pytest.fixture
def manager(roles: None) -> Client:
    return client_of(person("mara", "manager"))


@pytest.fixture
def ops_client(roles: None, ops: Any) -> Client:
    return client_of(ops)


@pytest.fixture
def alert(scene: Scene, ops: Any) -> Alert:
    scene.now = timezone.now() - timedelta(minutes=5)
    scene.set("a", True, title=f"Down: {EVIL}, $12.50", words={"todo": EVIL, "facts": [[EVIL, EVIL, EVIL]]})
    scene.look()
    return scene.alert()


@pytest.fixture
def grown(scene: Scene, ops: Any) -> Delivery:
    """An alert whose value was kept several times before its reminder."""
    ops.user_permissions.add(*Permission.objects.filter(codename__in=("change_alert", "add_silence")))
    scene.set("a", True)
    scene.look()
    Rule.objects.filter(kind=scene.kind).update(remind_s=600)
    for _n in range(12):
        scene.look(70)
    return Delivery.objects.latest("pk")
