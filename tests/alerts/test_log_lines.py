"""What the alerts write to the log: an alert from its rule to its accepted mail can be followed by ids, and no line
names a person."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from alerts.channels import Gone, remembered
from alerts.channels import services as channel_services
from alerts.delivery import outbox
from alerts.delivery import services as delivery_services
from alerts.evaluation import retention, services, watch
from alerts.kinds.finding import BadThreshold, Kind
from alerts.lifecycle.silences import Matcher
from alerts.mail.smtp import status_of_answer
from alerts.models import Address, Alert, Channel, Delivery, Report, Rule
from alerts.models.reports import ReportKind
from tests.alerts.conftest import Scene
from tests.alerts.smtp_server import GREYLIST, OK, REFUSE, Mailbox, Smtp


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """The fields of an event's lines."""
    return [record.__dict__["fields"] for record in caplog.records if record.__dict__.get("event") == event]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def deliver(scene: Scene, seconds: float = 0) -> outbox.Delivered:
    scene.now += timedelta(seconds=seconds)
    return outbox.deliver(clock=lambda: scene.now)


def test_transition_is_written_with_ids_cause_and_messages(
    scene: Scene, ops: Any, log: pytest.LogCaptureFixture
) -> None:
    scene.set("a", True)
    scene.look()
    alert = Alert.objects.get()
    (fields,) = lines(log, "alert_transition")
    assert {name: fields[name] for name in ("alert_id", "rule_id", "kind", "before", "after", "cause", "messages")} == {
        "alert_id": alert.pk,
        "rule_id": alert.rule_id,
        "kind": "outage",
        "before": None,
        "after": "open",
        "cause": "crossed",
        "messages": 1,
    }
    (run,) = lines(log, "evaluation_finished")
    assert (run["transitions"], run["errors"]) == (1, 0) and run["ms"] >= 0
    log.clear()
    scene.look()
    assert not log.records, "an evaluation that changes nothing writes nothing"
    services.acknowledge(alert_id=alert.pk, by=ops)
    (fields,) = lines(log, "alert_transition")
    assert (fields["after"], fields["user_id"]) == ("acknowledged", ops.pk)
    assert "olga" not in log.text, "neither a name nor an address of a person"


def test_transition_that_is_rolled_back_is_not_written(
    scene: Scene, ops: Any, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise ZeroDivisionError

    scene.set("a", True)
    monkeypatch.setattr("alerts.evaluation.write.Writer.finish", fail)
    services.evaluate(now=scene.now, kinds=["outage"])
    assert not Alert.objects.exists() and not lines(log, "alert_transition")
    (record,) = [record for record in log.records if record.__dict__.get("event") == "evaluation_failed"]
    assert record.levelname == "ERROR" and "ZeroDivisionError" in log.text
    assert lines(log, "evaluation_finished")[0]["errors"] == 1


def test_rule_that_cannot_be_evaluated_is_written_once(
    scene: Scene, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> Any:
        raise BadThreshold("no number")

    monkeypatch.setattr(Kind, "read", refuse)
    scene.look()
    scene.look()
    assert lines(log, "rule_not_evaluated") == [{"rule_id": Rule.objects.get(kind="outage").pk, "kind": "outage"}]


def test_delivery_is_written_from_failure_to_yes(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox, log: pytest.LogCaptureFixture
) -> None:
    mailbox.plan = [GREYLIST, OK]
    scene.set("a", True)
    scene.look()
    deliver(scene)
    deliver(scene, 60)
    (failed,), (accepted,) = lines(log, "delivery_failed"), lines(log, "delivery_accepted")
    delivery = Delivery.objects.get()
    assert failed["delivery_id"] == accepted["delivery_id"] == delivery.pk
    assert failed["alert_id"] == delivery.alert_id and 400 <= failed["status"] < 500
    assert failed["retry_at"] > scene.now - timedelta(seconds=60) and (failed["attempt"], accepted["attempt"]) == (1, 2)
    assert "olga" not in log.text


def test_refused_address_is_written_by_its_id_and_so_is_its_return(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox, log: pytest.LogCaptureFixture
) -> None:
    mailbox.plan = [REFUSE]
    scene.set("a", True)
    scene.look()
    deliver(scene)
    address = Address.objects.get()
    assert lines(log, "address_refused") == [{"address_id": address.pk, "status": 550, "disabled": True}]
    assert lines(log, "delivery_given_up")[0]["status"] == 550
    delivery_services.retry_address(address_id=address.pk, now=scene.now)
    assert lines(log, "address_enabled") == [{"address_id": address.pk, "messages": 1}]
    assert "olga" not in log.text


def test_flood_is_written_as_throttled_and_merged(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox, log: pytest.LogCaptureFixture
) -> None:
    for n in range(14):
        scene.set(f"s{n}", True)
    scene.look()
    deliver(scene)
    assert len(lines(log, "alert_transition")) == 14
    assert len(lines(log, "delivery_accepted")) == 11, "ten alone, and one for the rest"
    assert not lines(log, "delivery_throttled")
    scene.set("late", True)
    scene.look()
    deliver(scene, 1)
    (throttled,) = lines(log, "delivery_throttled")
    assert throttled["delivery_id"] == Delivery.objects.latest("pk").pk


def test_silence_channel_and_monitor_are_written_without_their_secret(
    db: Any, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = timezone.now() + timedelta(hours=1)
    silence = services.silence(matcher=Matcher("outage"), until=until, reason="for olga", by=None)
    services.end_silence(silence_id=silence.pk)
    assert lines(log, "silence_added")[0]["silence_id"] == silence.pk
    assert lines(log, "silence_ended") == [{"silence_id": silence.pk}]
    channel = Channel.objects.create(slug="hook", name="Hook", kind="webhook", address="https://example.com/verysecret")
    assert channel_services.switch(channel=channel, enabled=False, now=until)
    assert lines(log, "channel_switched") == [{"channel_id": channel.pk, "kind": "webhook", "enabled": False}]

    def gone() -> str:
        raise Gone("410 Gone: https://example.com/verysecret")

    with pytest.raises(Gone):
        remembered(channel, gone, until)
    assert lines(log, "channel_gone") == [{"channel_id": channel.pk, "kind": "webhook"}]
    assert "verysecret" not in log.text and "olga" not in log.text


def test_stand_in_of_a_web_process_is_written(scene: Scene, log: pytest.LogCaptureFixture) -> None:
    Rule.objects.update(evaluated_at=scene.now - timedelta(hours=1))
    assert watch.stand_in(scene.now)
    assert lines(log, "evaluation_late") == [{"late_after_s": 180}]


@pytest.mark.parametrize(
    ("answer", "status"), [("550 5.1.1 no such person", 550), ("TimeoutError: ", None), ("", None), ("42", None)]
)
def test_status_is_the_number_that_an_answer_begins_with(answer: str, status: int | None) -> None:
    assert status_of_answer(answer) == status


def test_messages_that_leave_with_another_are_counted(
    scene: Scene, ops: Any, smtp: Smtp, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "merge_due", lambda row, now: 3)
    scene.set("a", True)
    scene.look()
    deliver(scene)
    assert lines(log, "deliveries_merged") == [{"delivery_id": Delivery.objects.get().pk, "merged": 3}]


def test_rows_past_their_retention_are_counted(ops: Any, log: pytest.LogCaptureFixture) -> None:
    now = timezone.now()
    retention.purge(now)
    assert not lines(log, "old_alert_rows_deleted")
    long_ago = now - timedelta(days=500)
    Report.objects.create(
        person=ops, kind=ReportKind.DAILY, starts_on=long_ago.date(), ends_on=long_ago.date(), created_at=long_ago
    )
    retention.purge(now)
    assert lines(log, "old_alert_rows_deleted") == [{"samples": 0, "reports": 1, "used_links": 0}]
