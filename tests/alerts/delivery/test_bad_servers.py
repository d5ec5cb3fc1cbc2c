"""What a mail server may do to us: seen beside the rule, tried until somebody mends it, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from alerts.delivery import outbox
from alerts.mail import smtp
from alerts.models import Delivery
from tests.alerts.conftest import Scene
from tests.alerts.smtp_server import GREYLIST, STALL, Mailbox, Smtp
from tests.dashboard.logins import logged_in, with_role
from tests.providers.certificates import certificate


@pytest.fixture
def waiting(scene: Scene, ops: Any) -> Scene:
    """One open alert, whose message has not left yet."""
    scene.set("a", True)
    scene.look()
    return scene


@dataclass(frozen=True)
class Trouble:
    """How it is made and mended, and a word of what is then said."""

    make: Callable[[Mailbox, Any], object]
    mend: Callable[[Mailbox, Any], object]
    says: str


def wrong_password(mailbox: Mailbox, settings: Any) -> None:
    mailbox.password = "right"
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "we", "wrong"


def nothing(mailbox: Mailbox, settings: Any) -> None:
    """It passes by itself."""


def put(name: str, value: Any) -> Callable[[Mailbox, Any], None]:
    return lambda mailbox, settings: setattr(settings, name, value)


def plan(what: str) -> Callable[[Mailbox, Any], None]:
    return lambda mailbox, settings: mailbox.plan.append(what)


TROUBLES = {
    "accepts and hangs": Trouble(plan(STALL), nothing, "timed out"),
    "greylists": Trouble(plan(GREYLIST), nothing, "451 4.7.1 greylisted"),
    "has no TLS": Trouble(put("EMAIL_USE_TLS", True), put("EMAIL_USE_TLS", False), "STARTTLS"),
    "speaks no TLS": Trouble(put("EMAIL_USE_SSL", True), put("EMAIL_USE_SSL", False), "SSL"),
    "proves another name": Trouble(
        put("EMAIL_USE_TLS", True), put("EMAIL_USE_TLS", False), "CERTIFICATE_VERIFY_FAILED"
    ),
    "wrong password": Trouble(wrong_password, put("EMAIL_HOST_PASSWORD", "right"), "535 5.7.8"),
    "unknown host": Trouble(put("EMAIL_HOST", "nowhere.invalid"), put("EMAIL_HOST", "127.0.0.1"), "gaierror"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_it_is_seen_beside_the_rule_and_tried_until_it_is_mended(
    name: str, waiting: Scene, smtp_: Smtp, mailbox: Mailbox, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "STEP_S", 0.3)
    TROUBLES[name].make(mailbox, settings)
    assert outbox.deliver(clock=lambda: waiting.now) == outbox.Delivered(failed=1)
    row = Delivery.objects.get()
    assert row.state == "failed" and TROUBLES[name].says in row.answer
    page = logged_in(with_role("admin")).get("/alerts/rules/outage/").content.decode()
    assert "A notification to olga@example.com failed" in page and TROUBLES[name].says in page
    TROUBLES[name].mend(mailbox, settings)
    waiting.now += outbox.GIVE_UP_AFTER / 96
    assert outbox.deliver(clock=lambda: waiting.now) == outbox.Delivered(accepted=1)
    assert [message["Message-ID"] for message in mailbox.accepted] == [row.message_id]


@pytest.fixture
def smtp_(mailbox: Mailbox, tmp_path: Path, request: pytest.FixtureRequest) -> Smtp:
    """The server; what it asks for and offers, it does from its first connection on."""
    if request.node.callspec.params["name"] == "wrong password":
        mailbox.password = "right"
    elif request.node.callspec.params["name"] == "proves another name":
        mailbox.tls = certificate(tmp_path, days=30)[0]  # signed by nobody whom we trust
    server: Smtp = request.getfixturevalue("smtp")
    return server
