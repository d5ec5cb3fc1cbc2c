"""Evaluation writes states, timelines and messages together, once, whoever evaluates."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from alerts.defaults import ensure_defaults
from alerts.evaluation import services
from alerts.kinds import KINDS
from alerts.lifecycle.silences import Matcher
from alerts.lifecycle.states import NotPossible
from alerts.models import Address, Alert, Delivery, OptOut, Rule, Transition
from tests.alerts.conftest import Scene, person


def test_every_kind_has_a_rule_that_is_on_from_the_start(db: Any) -> None:
    ensure_defaults()
    assert {rule.kind for rule in Rule.objects.enabled()} == {name for name, kind in KINDS.items() if kind.shipped}
    Rule.objects.filter(kind="outage").update(enabled=False)
    ensure_defaults()
    assert not Rule.objects.get(kind="outage").enabled


def test_a_crossing_opens_one_alert_with_one_message_for_each_person(scene: Scene, ops: Any) -> None:
    person("otto", "ops")
    scene.set("a", True)
    scene.look()
    scene.look()
    alert = Alert.objects.get()
    assert (alert.state, alert.kind, alert.title, alert.value) == ("open", "outage", "Down: a, $12.50", "12.50")
    assert sorted(Delivery.objects.values_list("recipient", flat=True)) == ["olga@example.com", "otto@example.com"]
    assert [t.cause for t in alert.transitions.all()] == ["crossed"]


def test_the_end_is_told_to_those_who_were_told_of_the_beginning(scene: Scene, ops: Any) -> None:
    scene.set("a", True)
    scene.look()
    person("newcomer", "ops")
    scene.set("a", False)
    scene.look()
    assert Alert.objects.get().state == "resolved"
    end = Transition.objects.get(after="resolved")
    assert end.title == "Up again: a, $0"
    assert [d.recipient for d in end.deliveries.all()] == ["olga@example.com"]


def test_named_people_are_told_instead_of_the_group_and_each_mailbox_once(scene: Scene, ops: Any) -> None:
    ensure_defaults()
    rule = Rule.objects.get(kind="outage")
    rule.recipients.add(person("mia", None), person("mia2", None, "MIA@example.com"), person("mute", None, " "))
    scene.set("a", True)
    scene.look()
    assert [d.recipient.lower() for d in Delivery.objects.exclude(recipient=" ")] == ["mia@example.com"]


def test_managers_are_told_of_budgets_and_not_of_outages(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    person("olga", "ops")
    person("mara", "manager")
    for kind, told in (("budget", 2), ("outage", 1)):
        scene = Scene(monkeypatch, kind)
        scene.set(f"x:{kind}", True)
        scene.look()
        assert Delivery.objects.filter(alert__kind=kind).count() == told


def test_a_rule_whose_people_nobody_reaches_tells_ops(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    person("olga", "ops")
    scene = Scene(monkeypatch, "system")
    scene.set("a", True)
    scene.look()
    assert [d.recipient for d in Delivery.objects.all()] == ["olga@example.com"]
    get_user_model().objects.create_superuser("root", "root@example.com", "secret")
    scene.set("b", True)
    scene.look()
    assert [d.recipient for d in Delivery.objects.filter(alert__subject="b")] == ["root@example.com"]


def test_opt_outs_and_disabled_addresses_get_nothing(scene: Scene, ops: Any) -> None:
    person("otto", "ops")
    ensure_defaults()
    OptOut.objects.create(rule=Rule.objects.get(kind="outage"), address="OLGA@example.com")
    Address.objects.create(address="otto@example.com", refusals=3, disabled_at=scene.now)
    scene.set("a", True)
    scene.look()
    assert Alert.objects.get().state == "open"
    assert not Delivery.objects.exists()


def test_what_does_not_last_opens_nothing_and_tells_nobody(scene: Scene, ops: Any) -> None:
    ensure_defaults()
    Rule.objects.filter(kind="outage").update(for_s=60)
    scene.set("a", True)
    scene.look()
    assert scene.alert().state == "pending"
    scene.set("a", False)
    scene.look()
    assert scene.alert().state == "resolved"
    assert scene.alert().opened_at is None
    assert not Delivery.objects.exists()
    scene.set("a", True)
    scene.look()
    scene.look(60)
    assert scene.alert().state == "open"


def test_of_a_budgets_levels_only_the_highest_is_open(scene: Scene, ops: Any) -> None:
    scene.set("b", True, level=50, sustained_level=50)
    scene.look()
    scene.set("b", True, level=100, sustained_level=100)
    scene.look()
    states = Alert.objects.filter(subject="b").order_by("id").values_list("level", "state")
    assert list(states) == [(50, "resolved"), (100, "open")]
    assert Delivery.objects.filter(transition__after="resolved").count() == 0
    assert Delivery.objects.count() == 2
    scene.set("b", True, level=75, sustained_level=75)
    scene.look()
    assert list(Alert.objects.order_by("id").values_list("level", "state")) == [
        (50, "resolved"),
        (100, "resolved"),
        (75, "open"),
    ]
    assert Delivery.objects.filter(transition__after="resolved").count() == 1
    scene.set("b", False)
    scene.look()
    ends = Delivery.objects.filter(transition__after="resolved").order_by("id")
    assert [(end.alert.level, end.recipient) for end in ends] == [(100, "olga@example.com"), (75, "olga@example.com")]


def test_a_silence_keeps_the_mail_back_until_it_ends(scene: Scene, ops: Any) -> None:
    until = scene.now + timedelta(minutes=10)
    services.silence(matcher=Matcher("outage", "a"), until=until, reason="moving", by=ops, now=scene.now)
    scene.set("a", True)
    scene.set("b", True)
    scene.look()
    assert [d.alert.subject for d in Delivery.objects.all()] == ["b"]
    scene.look(700)
    assert [d.alert.subject for d in Delivery.objects.order_by("id")] == ["b", "a"]


def test_a_lifted_silence_ends_now(scene: Scene, ops: Any) -> None:
    until = scene.now + timedelta(days=10)
    made = services.silence(matcher=Matcher(), until=until, reason="all", by=ops, now=scene.now)
    scene.set("a", True)
    scene.look()
    services.end_silence(silence_id=made.pk, now=scene.now)
    scene.look()
    assert Delivery.objects.count() == 1


def test_a_larger_alert_speaks_for_the_smaller_ones(scene: Scene, ops: Any) -> None:
    for name in "abc":
        scene.set(name, True, covered_by="vendor")
    scene.set("vendor", True)
    scene.look()
    assert Alert.objects.filter(state="open").count() == 4
    assert [d.alert.subject for d in Delivery.objects.all()] == ["vendor"]
    scene.set("vendor", False)
    scene.set("a", True)
    scene.set("b", False)
    scene.look()
    told = sorted((d.alert.subject, d.transition.after) for d in Delivery.objects.all())
    assert told == [("a", "open"), ("vendor", "open"), ("vendor", "resolved")]


def test_a_subject_that_is_gone_is_resolved(scene: Scene, ops: Any) -> None:
    scene.set("a", True)
    scene.look()
    assert scene.known == frozenset()
    del scene.findings["a"]
    scene.look()
    assert scene.known == {"a"}
    assert scene.alert().state == "resolved"
    assert Transition.objects.get(after="resolved").cause == "gone"
    assert Delivery.objects.count() == 2


def test_a_rule_that_is_switched_off_takes_its_alerts_along_without_a_word(scene: Scene, ops: Any) -> None:
    scene.set("a", True)
    scene.look()
    Rule.objects.filter(kind="outage").update(enabled=False)
    scene.look()
    assert scene.alert().state == "resolved"
    assert Delivery.objects.count() == 1


def test_people_acknowledge_resolve_and_take_it_back(scene: Scene, ops: Any) -> None:
    scene.set("a", True)
    scene.look()
    alert = services.acknowledge(alert_id=scene.alert().pk, by=ops, note="on it", now=scene.now)
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", ops)
    with pytest.raises(NotPossible):
        services.acknowledge(alert_id=alert.pk, by=ops, now=scene.now)
    assert services.unacknowledge(alert_id=alert.pk, by=ops, now=scene.now).acknowledged_at is None
    services.resolve(alert_id=alert.pk, by=ops, now=scene.now)
    scene.look()
    assert Alert.objects.count() == 1, "it is still so, and a person knows"
    assert Delivery.objects.count() == 2
    assert services.reopen(alert_id=alert.pk, by=ops, now=scene.now).state == "open"
    assert Delivery.objects.count() == 1, "the message of the undone step had not left"
    scene.set("a", False)
    scene.look()
    assert scene.alert().state == "resolved"
    with pytest.raises(NotPossible):
        services.reopen(alert_id=alert.pk, by=ops, now=scene.now)
    assert [t.cause for t in scene.alert().transitions.all()] == [
        "crossed", "acknowledged", "undone", "closed", "undone", "cleared",
    ]  # fmt: skip


def test_what_a_person_resolved_opens_anew_after_it_was_over_once(scene: Scene, ops: Any) -> None:
    scene.set("a", True)
    scene.look()
    services.resolve(alert_id=scene.alert().pk, by=ops)
    for crossed in (True, False, True):
        scene.set("a", crossed)
        scene.look()
    assert [a.state for a in Alert.objects.order_by("id")] == ["resolved", "open"]


def test_nobody_acknowledges_and_admins_are_told(scene: Scene, ops: Any) -> None:
    person("ada", "admin")
    ensure_defaults()
    Rule.objects.filter(kind="outage").update(escalate_s=600)
    scene.set("a", True)
    scene.look()
    scene.look(601)
    scene.look()
    escalated = Transition.objects.get(cause="escalated")
    assert sorted(d.recipient for d in escalated.deliveries.all()) == ["ada@example.com", "olga@example.com"]


def test_a_rule_that_cannot_be_read_says_so_and_stops_no_other(scene: Scene, ops: Any) -> None:
    ensure_defaults()
    other = Rule.objects.create(slug="second", kind="outage", name="Second", thresholds={"group": "many"})
    scene.set("a", True)
    scene.look()
    other.refresh_from_db()
    assert "not a number" in other.last_error
    assert other.evaluated_at is None
    assert Alert.objects.get().rule.slug == "outage"


def test_a_kind_that_fails_is_recorded_and_stops_no_other(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch, "outage")
    scene.set("a", True)

    def broken(*_args: object) -> list[Any]:
        raise ZeroDivisionError("nothing to divide by")

    from dataclasses import replace

    monkeypatch.setitem(KINDS, "budget", replace(KINDS["budget"], evaluate=broken))
    done = services.evaluate(kinds=["budget", "outage"])
    assert done.kinds == ["outage"]
    assert "ZeroDivisionError" in Rule.objects.get(kind="budget").last_error
    assert Alert.objects.get().state == "open"


@pytest.mark.django_db(transaction=True)
def test_evaluators_at_the_same_time_open_one_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    ensure_defaults()
    person("olga", "ops")
    scene.set("a", True)
    barrier = threading.Barrier(6)

    def evaluate(wait: bool) -> None:
        barrier.wait()
        services.evaluate(now=scene.now, kinds=["outage"], wait=wait)
        connection.close()

    threads = [threading.Thread(target=evaluate, args=(n % 2 == 0,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Alert.objects.count() == 1
    assert Delivery.objects.count() == 1


def test_control_characters_and_long_names_stay_out_of_titles(scene: Scene, ops: Any) -> None:
    scene.set("a", True, title="Down: evil\r\nBcc: everyone@example.com " + "x" * 500)
    scene.look()
    assert "\n" not in scene.alert().title
    assert len(scene.alert().title) == 300
