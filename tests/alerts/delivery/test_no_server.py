"""Without a mail server nothing counts as sent, every page says so, and what comes later is no flood."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from alerts.delivery.queries import failing_recipients
from alerts.models import Channel, Delivery, Rule
from dashboard.checklist.page import steps
from dashboard.checklist.queries import progress
from dashboard.management.commands.doctor import Ill, mail
from tests.alerts.channel_rows import channel
from tests.alerts.conftest import Scene, person
from tests.alerts.outbox import deliver
from tests.alerts.smtp_server import Mailbox, Smtp
from tests.dashboard.logins import logged_in, with_role

CONSOLE = "django.core.mail.backends.console.EmailBackend"
OFF = "No mail server is set up"


@pytest.fixture
def no_server(settings: Any) -> None:
    settings.EMAIL_BACKEND = CONSOLE


def states() -> list[str]:
    return list(Delivery.objects.order_by("id").values_list("state", flat=True))


def test_without_a_mail_server_nothing_is_accepted(
    scene: Scene, ops: Any, no_server: None, caplog: pytest.LogCaptureFixture
) -> None:
    scene.set("a", True)
    scene.look()
    assert deliver(scene).accepted == 0
    assert states() == ["unsent"]
    assert "deliveries_without_server" in {record.__dict__.get("event") for record in caplog.records}
    assert "not sent: no mail server is set up" in Delivery.objects.get().state_mark()


def test_when_the_server_comes_open_alerts_are_one_mail_and_old_ones_are_not_sent(
    scene: Scene, ops: Any, settings: Any, smtp: Smtp, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    backend, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, CONSOLE
    for subject in "abcd":
        scene.set(subject, True)
    scene.look()
    deliver(scene)
    scene.set("d", False)  # over before the server comes
    scene.look(60)
    deliver(scene)
    settings.EMAIL_BACKEND = backend
    deliver(scene, 3600)
    assert len(mailbox.accepted) == 1, "no flood"
    assert "deliveries_resumed" in {record.__dict__.get("event") for record in caplog.records}
    assert "Not sent before: 3 open alerts" in mailbox.accepted[0]["Subject"]
    assert sorted(states()) == ["accepted", "folded", "folded", "unsent"]
    deliver(scene, 3600)
    assert len(mailbox.accepted) == 1, "and the old one never"


@pytest.mark.parametrize("name", ["overview", "alerts:list", "alerts:channels", "alerts:rules", "alerts:deliveries"])
def test_each_page_says_in_red_that_mail_is_off_and_is_silent_where_it_is_on(
    name: str, scene: Scene, settings: Any
) -> None:
    client = logged_in(with_role("manager" if name == "overview" else "ops"))
    assert OFF not in client.get(reverse(name)).content.decode()
    settings.EMAIL_BACKEND = CONSOLE
    text = client.get(reverse(name)).content.decode()
    assert OFF in text and "notice-bad" in text


def test_the_doctor_and_the_first_steps_name_it(db: Any, settings: Any) -> None:
    assert mail()
    assert [step.done for step in steps(progress()) if step.title == "Set up a mail server"] == [True]
    settings.EMAIL_BACKEND = CONSOLE
    with pytest.raises(Ill, match="EMAIL_URL"):
        mail()
    assert [step.done for step in steps(progress()) if step.title == "Set up a mail server"] == [False]


def test_a_rule_that_reaches_nobody_by_any_working_way_counts_as_such(scene: Scene, settings: Any) -> None:
    client = logged_in(with_role("ops"))

    def answer() -> str:
        return str(client.get(reverse("alerts:rules")).context["page"].answer())

    scene.look()
    Rule.objects.exclude(kind="outage").update(enabled=False)
    person("mara", "ops")
    assert "all with working recipients" in answer()
    settings.EMAIL_BACKEND = CONSOLE
    assert "1 has no working recipient" in answer()
    rule = Rule.objects.get(kind="outage")
    rule.channels.add(channel("https://example.com/hook"))
    assert "all with working recipients" in answer(), "its channel works"
    Channel.objects.update(enabled=False)
    assert "1 has no working recipient" in answer()


def test_a_rule_whose_messages_are_not_delivered_is_not_said_to_reach_somebody(scene: Scene) -> None:
    client = logged_in(with_role("ops"))
    scene.set("a", True)
    scene.look()
    Rule.objects.exclude(kind="outage").update(enabled=False)
    Delivery.objects.update(state="dead", answer="550 5.1.1 no such person")
    assert failing_recipients(scene.now + timedelta(minutes=1)) == {"ops@example.com"}
    response = client.get(reverse("alerts:rules"))
    assert (
        "1 has no working recipient" in response.context["page"].answer()
        and "Not delivered to" in response.content.decode()
    )
    person("mara", "ops")
    answer = client.get(reverse("alerts:rules")).context["page"].answer()
    assert "but notifications to 1 recipient fail" in answer
