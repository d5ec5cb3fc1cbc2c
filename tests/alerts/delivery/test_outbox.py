"""Messages reach a real mail server at least once, and never again after it said yes."""

from __future__ import annotations

import socket
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts.delivery import outbox
from alerts.delivery import services as delivery_services
from alerts.delivery.compose import compose
from alerts.evaluation import services
from alerts.mail.smtp import Courier
from alerts.models import Address, Delivery
from providers.audit.log import AuditEntry
from tests.alerts import smtp_server
from tests.alerts.conftest import START, Scene, person
from tests.alerts.outbox import closed_port, deliver
from tests.alerts.smtp_server import BUSY, DROP, FORBID, GREYLIST, HANG, OK, REFUSE, REJECT_LATER, Mailbox, Smtp
from tests.dashboard.logins import logged_in, with_role
from tests.query_ceilings import ceiling


@pytest.fixture
def waiting(scene: Scene, ops: Any) -> Scene:
    """One open alert, whose message has not left yet."""
    scene.set("a", True, title="Down: mistral-7b, for 2 min so far")
    scene.look()
    return scene


def test_a_message_is_accepted_with_the_servers_answer(waiting: Scene, smtp: Smtp, mailbox: Mailbox) -> None:
    assert deliver(waiting).accepted == 1
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.answer, delivery.attempts) == ("accepted", "250 2.0.0 queued as 1", 1)
    assert delivery.accepted_at == waiting.now
    assert mailbox.recipients == ["olga@example.com"]
    assert deliver(waiting, 3600) == outbox.Delivered()


@pytest.mark.parametrize("failure", [GREYLIST, BUSY, DROP, REJECT_LATER])
def test_a_failure_that_may_pass_is_tried_again(waiting: Scene, smtp: Smtp, mailbox: Mailbox, failure: str) -> None:
    mailbox.plan = [failure, failure]
    deliver(waiting)
    delivery = Delivery.objects.get()
    assert delivery.state == "failed"
    assert delivery.answer
    assert timedelta(0) < delivery.due_at - waiting.now <= timedelta(seconds=60)
    assert deliver(waiting) == outbox.Delivered(), "not before it is due"
    deliver(waiting, 60)
    assert deliver(waiting, 60).accepted == 1
    assert Delivery.objects.get().attempts == 3
    assert len(mailbox.accepted) == 1


def test_a_permanent_refusal_is_given_up_at_once_with_the_answer(waiting: Scene, smtp: Smtp, mailbox: Mailbox) -> None:
    mailbox.plan = [REFUSE]
    assert deliver(waiting).dead == 1
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.answer) == ("dead", "550 5.1.1 no such person")
    assert deliver(waiting, 3600) == outbox.Delivered()


def test_one_refused_message_holds_up_no_other(scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox) -> None:
    for name in "abc":
        scene.set(name, True)
    scene.look()
    mailbox.plan = [OK, REFUSE, OK]
    done = deliver(scene)
    assert (done.accepted, done.dead) == (2, 1)
    assert mailbox.connections == 1, "one connection carries them all"


def test_a_server_that_does_not_answer_is_tried_again_at_least_every_minute_for_ten(
    waiting: Scene, smtp: Smtp, settings: Any, mailbox: Mailbox
) -> None:
    port = settings.EMAIL_PORT
    settings.EMAIL_PORT = closed_port()
    attempts = []
    while waiting.now - START < timedelta(minutes=10):
        if deliver(waiting, 5).failed:
            attempts.append(waiting.now)
    gaps = [(later - sooner).total_seconds() for sooner, later in pairwise(attempts)]
    assert max(gaps) <= 60
    delivery = Delivery.objects.get()
    assert "ConnectionRefusedError" in delivery.answer
    settings.EMAIL_PORT = port
    assert deliver(waiting, 60).accepted == 1


def test_after_ten_minutes_it_backs_off_to_hours_and_gives_up_after_days() -> None:
    delays = [outbox.delay(30, timedelta(minutes=minutes)) for minutes in (9, 12, 60, 24 * 60)]
    assert delays[0] <= timedelta(seconds=60)
    assert timedelta(minutes=4) < delays[1] <= timedelta(minutes=6)
    assert timedelta(minutes=90) < delays[3] <= timedelta(hours=2)
    old = Delivery(attempts=60, created_at=START - timedelta(days=5))
    assert outbox.postponed(old, "451 no", START)["state"] == "dead"


def test_a_server_that_dies_and_comes_back_gets_everything_once(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox
) -> None:
    port = smtp_server.port_of(smtp)
    for name in "abcd":
        scene.set(name, True)
    scene.look()
    mailbox.plan = [OK, DROP]
    deliver(scene)
    smtp.stop()
    deliver(scene, 10)
    again = smtp_server.started(mailbox, port)
    try:
        for _ in range(4):
            deliver(scene, 40)
    finally:
        again.stop()
    assert Counter(mailbox.subjects()) == {f"Down: {name}, $12.50": 1 for name in "abcd"}
    assert set(Delivery.objects.values_list("state", flat=True)) == {"accepted"}


def test_an_idle_connection_that_the_server_closed_is_opened_again(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox
) -> None:
    with Courier() as courier:
        courier.send(mail_to("a@example.com"))
        courier.backend.connection.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]
        courier.send(mail_to("b@example.com"))
    assert mailbox.recipients == ["a@example.com", "b@example.com"]


def mail_to(address: str) -> Any:
    from django.core.mail import EmailMessage as DjangoMessage

    return DjangoMessage("s", "b", "from@example.com", [address])


def test_a_server_that_takes_it_and_never_says_yes_gets_a_twin_with_the_same_identity(
    waiting: Scene, smtp: Smtp, mailbox: Mailbox
) -> None:
    mailbox.plan = [HANG]
    deliver(waiting)
    assert Delivery.objects.get().state == "failed"
    first = Delivery.objects.get().message_id
    deliver(waiting, 60)
    assert [message["Message-ID"] for message in mailbox.accepted] == [first]


def test_a_sender_that_died_leaves_its_claim_to_the_next_one(waiting: Scene, smtp: Smtp, mailbox: Mailbox) -> None:
    assert outbox.claim(waiting.now)
    assert deliver(waiting, 10) == outbox.Delivered(), "somebody may still be at it"
    assert deliver(waiting, 60).accepted == 1


def test_a_late_failure_changes_nothing_after_a_yes(waiting: Scene, smtp: Smtp) -> None:
    slow = outbox.claim(waiting.now)
    assert slow
    deliver(waiting, 60)
    outbox._mark(slow, state="failed", answer="too late", due_at=waiting.now)
    assert Delivery.objects.get().state == "accepted"


def test_the_end_waits_for_the_beginning(waiting: Scene, smtp: Smtp, mailbox: Mailbox) -> None:
    mailbox.plan = [GREYLIST]
    deliver(waiting)
    waiting.set("a", False, title="Up again: mistral-7b, after 2 min")
    waiting.look(0)
    deliver(waiting)
    assert mailbox.accepted == []
    deliver(waiting, 60)
    assert [s[:4] for s in mailbox.subjects()] == ["Down", "Up a"]
    opened, ended = mailbox.accepted
    assert ended["In-Reply-To"] == opened["Message-ID"]
    assert ended["References"] == opened["Message-ID"]
    assert opened["In-Reply-To"] is None


def test_an_address_that_is_not_there_is_disabled_at_once_and_admins_are_told(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox
) -> None:
    person("ada", "admin")
    scene.set("a", True)
    mailbox.plan = [REFUSE]
    scene.look()
    deliver(scene)
    assert Address.objects.get().disabled_at == scene.now
    services.evaluate(now=scene.now, kinds=["system"])
    deliver(scene)
    assert mailbox.recipients == ["ada@example.com"]
    assert mailbox.subjects() == ["Mail rejected: olga@example.com, 1 time"]
    body = mailbox.accepted[0].get_body(("plain",))
    assert body and "550 5.1.1 no such person" in body.get_content()


def test_an_address_that_is_refused_again_and_again_is_disabled(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox
) -> None:
    for name in "abcd":
        scene.set(name, True)
        mailbox.plan = [FORBID]
        scene.look()
        deliver(scene)
    assert Address.objects.get().refusals == 3
    assert Address.objects.get().answer == "550 5.7.1 not from you"
    assert Delivery.objects.count() == 3, "the fourth alert found nobody to tell"


def test_a_refused_address_is_mailed_again_by_hand_with_what_was_given_up(
    waiting: Scene, smtp: Smtp, mailbox: Mailbox
) -> None:
    mailbox.plan = [REFUSE]
    deliver(waiting)
    client = logged_in(with_role("admin"))
    page = client.get("/alerts/deliveries/").content.decode()
    assert "1 blocked address" in page and "550 5.1.1 no such person" in page
    where = f"/alerts/addresses/{Address.objects.get().pk}/again/"
    said = client.post(where, follow=True).content.decode()
    assert "Mail to olga@example.com is enabled. 1 failed notification is sent now." in said
    assert "gets no mail" not in said
    assert outbox.deliver().accepted == 1
    assert "Nothing was changed" in client.post(where, follow=True).content.decode()
    assert AuditEntry.objects.get().words == "Mail is enabled again."


def test_a_dead_message_can_be_sent_again_by_hand(
    waiting: Scene, smtp: Smtp, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox.plan = [REFUSE]
    deliver(waiting)
    delivery_services.retry(delivery_id=Delivery.objects.get().pk, now=waiting.now)
    assert deliver(waiting).accepted == 1
    assert f"delivery_retried delivery_id={Delivery.objects.get().pk}" in caplog.text


def test_a_message_that_cannot_be_written_holds_up_no_other(
    scene: Scene, ops: Any, smtp: Smtp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scene.set("a", True)
    scene.set("b", True)
    scene.look()

    def broken(delivery: Delivery, *more: Any) -> Any:
        if delivery.alert.subject == "a":
            raise ValueError("a template is broken")
        return compose(delivery, *more)

    monkeypatch.setattr(outbox, "compose", broken)
    done = deliver(scene)
    assert (done.accepted, done.failed) == (1, 1)
    assert "template is broken" in Delivery.objects.get(alert__subject="a").answer
    assert f"delivery_crashed delivery_id={Delivery.objects.get(alert__subject='a').pk} " in caplog.text


def test_what_becomes_due_at_the_end_of_a_run_is_sent_by_it(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run has seen that nothing is due, and still holds the lock, when another thread writes and asks."""
    claim, second = outbox.claim, list[outbox.Delivered]()

    def late(*arguments: Any) -> Delivery | None:
        delivery = claim(*arguments)
        if delivery is None and not second:
            scene.set("a", True)
            scene.look()
            second.append(deliver(scene))
        return delivery

    monkeypatch.setattr(outbox, "claim", late)
    assert deliver(scene).accepted == 1
    assert second == [outbox.Delivered()]
    assert mailbox.recipients == ["olga@example.com"]


def test_wrong_credentials_are_ours_to_mend_and_lose_nothing(waiting: Scene, smtp: Smtp, settings: Any) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "we", "wrong"
    deliver(waiting)
    delivery = Delivery.objects.get()
    assert delivery.state == "failed"
    assert "AUTH" in delivery.answer


def test_what_was_sent_long_ago_costs_a_claim_nothing(waiting: Scene, smtp: Smtp, mailbox: Mailbox) -> None:
    """The outbox keeps its log: each of its reads at a claim goes by an index, never over the whole of it."""
    alert = waiting.alert()
    row = Delivery.objects.get()
    done = {"state": "accepted", "due_at": START, "accepted_at": START, "alert": alert, "transition": row.transition}
    Delivery.objects.bulk_create(Delivery(recipient=f"r{n}@example.com", **done) for n in range(4000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE alerts_delivery")
    due = Delivery.objects.due(waiting.now)[:1].explain()
    assert "delivery_by_due" in due and "delivery_before" in due
    gone = Delivery.objects.like(row).going(waiting.now).explain()
    for plan in (due, gone):
        assert "Seq Scan on alerts_delivery" not in plan, plan
    assert deliver(waiting).accepted == 1


def test_a_message_costs_few_queries(waiting: Scene, smtp: Smtp, mailbox: Mailbox) -> None:
    waiting.set("b", True, title="Down: other, $1")
    waiting.look()
    assert Delivery.objects.count() == 2
    with CaptureQueriesContext(connection) as seen:  # and one claim of three that finds nothing more
        assert deliver(waiting).accepted == 2
    assert len(seen) <= 2 * ceiling("delivery of one message to a person") + 3, [query["sql"][:80] for query in seen]
