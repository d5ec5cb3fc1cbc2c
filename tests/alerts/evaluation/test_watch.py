"""When the rules do not run somebody outside the worker notices."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from alerts import tasks
from alerts.context.evaluation import EvaluationContext
from alerts.defaults import ensure_defaults
from alerts.delivery import outbox
from alerts.evaluation import services, watch
from alerts.kinds import KINDS
from alerts.kinds.system import addresses
from alerts.models import Alert, Channel, Delivery, Rule
from alerts.rules import services as rule_changes
from alerts.rules.explain import explain
from lib.encryption import encrypt
from tests.alerts.conftest import START, Scene, person
from tests.alerts.receiver import Receiver, receiving
from tests.alerts.smtp_server import Mailbox, Smtp
from tests.dashboard.logins import logged_in, with_role
from tests.factories import AccountFactory, FeedFactory


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def monitor(db: Any, receiver: Receiver) -> Channel:
    return outside(f"{receiver.url}/ping/secret")


def outside(address: str, **more: Any) -> Channel:
    made = {"slug": "outside", "name": "Outside", "shown": "127.0.0.1", "local": True, **more}
    return Channel.objects.create(kind="monitor", address=encrypt(address), **made)


def test_an_outside_monitor_is_told_once_a_minute_whatever_the_number_of_workers(
    monitor: Channel, receiver: Receiver
) -> None:
    told = [watch.heartbeat(START + timedelta(seconds=seconds)) for seconds in (0, 0, 15, 30, 60)]
    assert told == [1, 0, 0, 0, 1]
    assert [call.path for call in receiver.calls] == ["/ping/secret"] * 2
    monitor.refresh_from_db()
    assert (monitor.answer, monitor.answered_at) == ("204 No Content", START + timedelta(seconds=60))
    Channel.objects.update(enabled=False)
    assert watch.heartbeat(START + timedelta(hours=1)) == 0


def test_a_monitor_that_fails_is_asked_again_seen_by_all_and_told_to_admins(
    monitor: Channel, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.plan = [(500, "no")] * 45
    for n in range(45):
        assert watch.heartbeat(START + timedelta(seconds=15 * n)) == 0
    monitor.refresh_from_db()
    assert (monitor.answer, monitor.failures, monitor.failing_since) == ("500 Internal Server Error: no", 45, START)
    (found,) = addresses(EvaluationContext(START + timedelta(seconds=675)), KINDS["system"].read({}), frozenset())
    assert found.crossed and "receives no pings" in found.words["detail"]
    page = logged_in(with_role("admin")).get("/alerts/channels/").content.decode()
    assert "500 Internal Server Error: no" in page and "every minute" in page
    assert watch.heartbeat(START + timedelta(seconds=690)) == 1
    assert "secret" not in "".join(
        record.getMessage() for record in caplog.records if record.name == "alerts.evaluation.watch"
    )
    assert f"monitor_heartbeat_refused channel_id={monitor.pk} failures=45 status=500" in caplog.text


def test_a_monitor_hears_nothing_while_a_rule_cannot_be_evaluated(
    monitor: Channel, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "evaluate", lambda: services.Evaluated(errors={"outage": "broken"}))
    tasks.evaluate()
    assert receiver.calls == []
    monkeypatch.setattr(services, "evaluate", services.Evaluated)
    tasks.evaluate()
    assert len(receiver.calls) == 1


def test_a_monitor_at_a_private_address_is_refused_when_it_is_asked(db: Any, receiver: Receiver) -> None:
    made = outside(f"{receiver.url}/ping".replace("http:", "https:"), local=False)
    assert watch.heartbeat(START) == 0
    made.refresh_from_db()
    assert "private address" in made.answer and receiver.calls == []


def test_a_monitor_is_set_up_and_tested_in_the_browser_and_no_rule_can_choose_it(db: Any, receiver: Receiver) -> None:
    admin = logged_in(with_role("admin"))
    assert "Add an outside monitor" in admin.get("/alerts/channels/").content.decode()
    sent = {"name": "Outside", "address": f"{receiver.url}/ping/secret", "local": "on", "action": "test"}
    receiver.plan = [(404, "no such check")]
    tried = admin.post("/alerts/channels/add/monitor/", sent).content.decode()
    assert "Test failed" in tried and "404 Not Found: no such check" in tried
    page = admin.post("/alerts/channels/add/monitor/", {**sent, "action": "save"}, follow=True).content.decode()
    assert "Outside is saved." in page and "ping/secret" not in page
    assert "Outside" not in admin.get("/alerts/rules/outage/").content.decode()
    refused = logged_in(with_role("ops")).post(
        "/alerts/channels/add/monitor/", {"name": "x", "address": "https://127.0.0.1/"}
    )
    assert refused.status_code == 422 and "private address" in refused.content.decode()


def test_the_web_process_tells_that_the_worker_is_silent_and_the_worker_that_it_is_back(
    ops: Any, smtp: Smtp, mailbox: Mailbox
) -> None:
    services.evaluate()
    assert not watch.stand_in()
    Rule.objects.update(evaluated_at=timezone.now() - timedelta(minutes=20))
    assert watch.stand_in()
    assert watch.stand_in()
    alert = Alert.objects.get(state="open")
    assert (alert.kind, alert.subject, alert.severity) == ("late", "evaluation", "critical")
    assert [subject[:11] for subject in mailbox.subjects()] == ["Rules late:"]
    assert Rule.objects.filter(evaluated_at__gt=timezone.now() - timedelta(minutes=1)).count() == 0, "no false trace"
    for _ in range(2):  # its own rule runs last, so the second pass finds all of them fresh
        services.evaluate(wait=True)
    alert.refresh_from_db()
    assert alert.state == "resolved"
    assert Delivery.objects.filter(alert=alert).count() == 2


def test_a_rule_about_polls_that_is_switched_off_still_tells_that_nobody_evaluates(
    ops: Any, smtp: Smtp, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    services.evaluate()
    where = AccountFactory.create(slug="runpod", name="RunPod", kind="runpod")
    ago = timezone.now() - timedelta(hours=2)
    FeedFactory.create(account=where, kind="leases", every_s=60, due_at=ago, last_success_at=ago)
    rule = Rule.objects.get(slug="late")
    rule_changes.switch(rule=rule, on=False)
    Rule.objects.exclude(pk=rule.pk).update(evaluated_at=timezone.now() - timedelta(minutes=20))
    assert watch.stand_in()
    assert [subject[:11] for subject in mailbox.subjects()] == ["Rules late:"]
    assert not Alert.objects.exclude(subject="evaluation").exists(), "polls stay switched off"
    assert "Only evaluation is still notified" in "\n".join(explain(rule))
    services.evaluate(wait=True)
    services.evaluate(wait=True)
    assert Alert.objects.get().state == "resolved"
    rule.refresh_from_db()
    assert rule.evaluated_at is None, "a rule that is off leaves no trace that it ran"
    assert f"rule_switched rule_id={rule.pk} kind=late enabled=false" in caplog.text


def test_the_web_process_sees_polls_that_are_overdue_and_names_the_account(db: Any) -> None:
    """Polls and rules run in the worker: with both of them silent, neither can tell of the other."""
    services.evaluate()
    ago = timezone.now() - timedelta(hours=2)
    where = AccountFactory.create(slug="runpod", name="RunPod", kind="runpod")
    FeedFactory.create(account=where, kind="leases", every_s=60, due_at=ago, last_success_at=ago)
    Rule.objects.update(evaluated_at=timezone.now() - timedelta(minutes=20))
    assert watch.stand_in()
    alert = Alert.objects.get(subject="account:runpod", state="open")
    assert alert.title == "Poll overdue: RunPod, due 1 h 59 min ago"
    assert alert.words["page"] == "/settings/accounts/runpod/"


@pytest.mark.django_db(transaction=True)
def test_several_web_processes_mail_once_for_each_silence(smtp: Smtp, mailbox: Mailbox) -> None:
    person("olga", "ops")
    ensure_defaults()
    for silence in (1, 2):
        Rule.objects.update(evaluated_at=timezone.now() - timedelta(minutes=20))
        at_the_same_time(4, watch.stand_in)
        assert [subject[:11] for subject in mailbox.subjects()].count("Rules late:") == silence
        for _ in range(2):
            services.evaluate(wait=True)
        outbox.deliver()
        assert [subject[:15] for subject in mailbox.subjects()].count("Rules run again") == silence


def at_the_same_time(count: int, work: Callable[[], object]) -> None:
    barrier = threading.Barrier(count)

    def one() -> None:
        barrier.wait()
        work()
        connection.close()

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_the_web_process_sends_what_nobody_sends(scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox) -> None:
    services.evaluate()
    scene.set("a", True)
    services.evaluate(kinds=["outage"])
    now = timezone.now()
    assert not watch.stand_in(now)
    assert watch.stand_in(now + timedelta(seconds=170)) is False
    Delivery.objects.update(due_at=now - timedelta(minutes=4))
    assert watch.stand_in(now)
    assert mailbox.recipients == ["olga@example.com"]


def test_a_look_that_fails_is_a_line_and_the_next_one_comes(
    db: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Pause:
        """Ends after two looks."""

        looks = 0

        def wait(self, _seconds: float) -> bool:
            self.looks += 1
            return self.looks > 2

    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("alerts.evaluation.watch.threading.Event", Pause)
    monkeypatch.setattr(watch, "close_old_connections", lambda: None)
    monkeypatch.setattr(watch, "stand_in", fail)
    watch._look_forever()
    assert [record.getMessage() for record in caplog.records] == ["watch_failed"] * 2
    assert "ZeroDivisionError" in caplog.text
