"""A flood of alerts is ten mails and one that counts the others; none is lost, and none is said twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alerts.delivery import grouping, outbox
from alerts.delivery import services as delivery_services
from alerts.delivery.compose import compose
from alerts.models import Address, Alert, Delivery
from tests.alerts.conftest import Scene
from tests.alerts.smtp_server import GREYLIST, OK, REFUSE, REJECT, Mailbox, Smtp


def break_out(scene: Scene, first: int, last: int) -> None:
    for n in range(first, last):
        scene.set(f"m{n:03}", True, title=f"No price: m{n:03}, 1 request")
    scene.look()


def deliver(scene: Scene, seconds: float = 0) -> int:
    scene.now += timedelta(seconds=seconds)
    return outbox.deliver(clock=lambda: scene.now).accepted


def states() -> dict[str, int]:
    found = list(Delivery.objects.values_list("state", flat=True))
    return {state: found.count(state) for state in sorted(set(found))}


def test_past_ten_mails_the_next_speaks_for_all_that_wait(scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox) -> None:
    break_out(scene, 0, 40)
    assert deliver(scene) == grouping.MOST_MAILS + 1
    assert states() == {"accepted": 11, "folded": 29}
    spokesman = Delivery.objects.get(alert__subject="m010")
    assert {row.folded_into for row in Delivery.objects.filter(state="folded")} == {spokesman}
    message = compose(spokesman)
    assert message.subject == "No price: m010, 1 request, and 29 more"
    body = str(message.body)
    assert "No price: m030, 1 request" in body and "and 9 more" in body
    assert f"/alerts/{spokesman.alert_id}/" in body
    others = Alert.objects.exclude(pk=spokesman.alert.pk).values_list("pk", flat=True)
    assert not any(f"/alerts/{pk}/" in body for pk in others)
    assert Delivery.objects.filter(state="folded")[0].answer.endswith(f"alert {spokesman.alert_id}")


def test_what_comes_after_waits_together_until_the_ten_minutes_are_over(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox
) -> None:
    break_out(scene, 0, 12)
    assert deliver(scene) == 11
    break_out(scene, 12, 15)
    assert deliver(scene) == 0
    assert states() == {"accepted": 11, "folded": 1, "waiting": 3}
    assert deliver(scene, 570) == 0
    assert deliver(scene, 30) == 3, "the window is empty again, so each goes alone"


def test_other_people_kinds_and_ends_are_not_held(scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox) -> None:
    break_out(scene, 0, 12)
    deliver(scene)
    scene.set("m000", False)
    scene.set("m011", False)
    scene.look()
    assert deliver(scene) == 1, "that m000 is over; nobody was told that m011 began"
    Delivery.objects.filter(state="accepted").update(recipient="other@example.com")
    break_out(scene, 12, 13)
    assert deliver(scene) == 1


def test_a_mail_for_several_says_the_same_at_every_attempt(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox
) -> None:
    break_out(scene, 0, 11)
    break_out(scene, 11, 14)
    mailbox.plan = [GREYLIST] * 11
    assert deliver(scene) == 0
    assert states() == {"failed": 11, "folded": 3}
    break_out(scene, 14, 15)
    assert deliver(scene, 60) == 11
    assert compose(Delivery.objects.get(alert__subject="m010")).subject.endswith("and 3 more")


def test_a_mail_for_several_that_is_given_up_lets_each_go_alone(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    break_out(scene, 0, 14)
    mailbox.plan = [OK] * 10 + [REJECT]
    assert deliver(scene) == 13, "ten, and the three that the eleventh spoke for"
    assert states() == {"accepted": 13, "dead": 1}
    assert [subject[:15] for subject in mailbox.subjects()[10:]] == [f"No price: m{n:03}," for n in (11, 12, 13)]
    assert "deliveries_split delivery_id=" in caplog.text and " parts=3" in caplog.text


def test_a_mail_for_several_to_an_address_that_is_refused_is_given_up_with_them_and_sent_again_with_them(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox
) -> None:
    break_out(scene, 0, 14)
    mailbox.plan = [OK] * 10 + [REFUSE]
    assert deliver(scene) == 10
    assert states() == {"accepted": 10, "dead": 4}
    assert set(Delivery.objects.filter(state="dead").values_list("answer", flat=True)) == {"550 5.1.1 no such person"}
    assert delivery_services.retry_address(address_id=Address.objects.get().pk, now=scene.now) == 4
    assert deliver(scene, 600) == 4


def test_an_end_waits_for_the_mail_that_tells_its_beginning(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox
) -> None:
    break_out(scene, 0, 12)
    mailbox.plan = [OK] * 10 + [GREYLIST]
    assert deliver(scene) == 10
    group = Delivery.objects.filter(alert__subject="m011")
    group.update(group="vendor:x")  # of those the end is told as well
    scene.set("m011", False)
    scene.look(1)
    assert deliver(scene) == 0
    assert deliver(scene, 60) == 2
    assert mailbox.subjects()[10:] == ["No price: m010, 1 request, and 1 more", "Up again: m011, $0"]
