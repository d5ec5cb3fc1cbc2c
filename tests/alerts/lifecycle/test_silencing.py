"""What a silence matches, and what a finding depends on or goes together with."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from alerts.defaults import ensure_defaults
from alerts.delivery import outbox
from alerts.delivery.compose import compose
from alerts.evaluation import services
from alerts.inbox.patterns import pattern_of
from alerts.lifecycle.silences import Matcher, Target, labels_of, read_labels
from alerts.models import Alert, Delivery, Preference, Rule, Sample, Silence
from alerts.rules.explain import explain
from tests.alerts.conftest import Scene, person
from tests.alerts.smtp_server import Mailbox, Smtp
from tests.dashboard.logins import logged_in, with_role
from tests.factories import ApplicationFactory, DeploymentFactory

DOWN = Target("outage", "deployment:mistral-7b", "critical", {"deployment": "mistral-7b", "provider": "vast"})


@pytest.mark.parametrize(
    ("matcher", "matches"),
    [
        (Matcher(), True),
        (Matcher("outage"), True),
        (Matcher("budget"), False),
        (Matcher(subject="deployment:mistral-*"), True),
        (Matcher(subject="*-7b"), True),
        (Matcher(subject="deployment:mistral-"), False),
        (Matcher(subject="deployment:m[a-z]*"), False),
        (Matcher(severity="critical"), True),
        (Matcher(severity="info"), False),
        (Matcher(labels={"provider": "vast"}), True),
        (Matcher(labels={"provider": "vast", "deployment": "other"}), False),
        (Matcher(labels={"region": "eu"}), False),
        (Matcher("outage", "deployment:*", "critical", {"provider": "vast"}), True),
    ],
)
def test_a_silence_matches_by_kind_subject_severity_and_label(matcher: Matcher, matches: bool) -> None:
    assert matcher.matches(DOWN) is matches


def test_labels_are_read_from_subjects_of_every_shape() -> None:
    assert labels_of("deployment:a") == {"deployment": "a"}
    assert labels_of("spend/application:a+model:meta/llama-3+8b") == {"application": "a", "model": "meta/llama-3+8b"}
    assert labels_of("model:meta/llama-3") == {"model": "meta/llama-3"}
    assert labels_of("spend/all") == {}
    assert read_labels("provider:vast, model:m") == {"provider": "vast", "model": "m"}
    with pytest.raises(ValueError, match="vast"):
        read_labels("vast")


def test_a_silence_by_label_quiets_what_bears_it_and_nothing_else(scene: Scene, ops: Any) -> None:
    until = scene.now + timedelta(hours=1)
    matcher = Matcher(labels={"provider": "vast"})
    services.silence(matcher=matcher, until=until, reason="moving", by=ops, now=scene.now)
    scene.set("deployment:a", True, labels={"provider": "vast"})
    scene.set("deployment:b", True, labels={"provider": "runpod"})
    scene.look()
    assert [d.alert.subject for d in Delivery.objects.all()] == ["deployment:b"]
    assert scene.alert("deployment:a").labels == {"deployment": "a", "provider": "vast"}


def test_a_maintenance_window_quiets_from_its_beginning_to_its_end(scene: Scene, ops: Any) -> None:
    begins, ends = scene.now + timedelta(minutes=10), scene.now + timedelta(minutes=20)
    services.silence(matcher=Matcher("outage"), starts_at=begins, until=ends, reason="move", by=ops, now=scene.now)
    scene.set("a", True)
    scene.look()
    assert Delivery.objects.count() == 1, "it has not begun"
    scene.set("b", True)
    scene.look(601)
    assert Delivery.objects.count() == 1, "it is in force"
    scene.look(600)
    assert Delivery.objects.count() == 2, "it is over, and b still so"


def test_a_silence_that_ends_before_it_begins_is_refused(scene: Scene, ops: Any) -> None:
    later = scene.now + timedelta(hours=2)
    with pytest.raises(ValueError, match="after it begins"):
        services.silence(
            matcher=Matcher(), starts_at=later, until=later - timedelta(hours=1), reason="x", by=ops, now=scene.now
        )


def test_what_began_with_a_larger_alert_is_quiet_and_what_began_long_after_is_not(scene: Scene, ops: Any) -> None:
    scene.set("account:vast", True)
    scene.look()
    scene.set("deployment:a", True, depends_on=("account:vast",))
    scene.look(60)
    covered = scene.alert("deployment:a")
    assert covered.covered_by == "account:vast"
    assert not covered.deliveries.exists()
    scene.set("deployment:b", True, depends_on=("account:vast",))
    scene.look(3600)
    assert scene.alert("deployment:b").covered_by == ""
    scene.set("account:vast", False)
    scene.look()
    assert [t.cause for t in covered.transitions.all()] == ["crossed", "unsilenced"], "its cause is over, it is not"


def test_ten_deployments_of_one_vendor_are_one_mail_that_lists_them_and_one_that_says_they_are_over(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox
) -> None:
    def deliver() -> int:
        return outbox.deliver(clock=lambda: scene.now).accepted

    for n in range(10):
        scene.set(f"deployment:{n}", True, title=f"Down: d{n}", group="provider:vast")
    scene.look()
    assert deliver() == 1
    [sent] = Delivery.objects.filter(state="accepted")
    message = compose(sent)
    assert message.subject == "Down: d0, and 9 more"
    assert all(f"Down: d{n}" in str(message.body) for n in range(10))
    for n in range(10):
        scene.set(f"deployment:{n}", False, title=f"Up again: d{n}", group="provider:vast")
    scene.look()
    assert deliver() == 1
    assert compose(Delivery.objects.filter(state="accepted").latest("id")).subject == "Up again: d0, and 9 more"


def test_those_that_follow_the_first_of_a_group_wait_for_each_other(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox
) -> None:
    for n in range(4):
        scene.set(f"deployment:{n}", True, title=f"Down: d{n}", group="provider:vast")
        scene.look()
        outbox.deliver(clock=lambda: scene.now)
    assert len(mailbox.accepted) == 1
    scene.now += timedelta(seconds=60)
    outbox.deliver(clock=lambda: scene.now)
    assert len(mailbox.accepted) == 2
    assert {d.state for d in Delivery.objects.all()} == {"accepted", "folded"}


def test_escalation_tells_the_rules_second_group_instead_of_admins(scene: Scene, ops: Any) -> None:
    person("boss", "leads")
    person("root", "admin")
    Group.objects.get(name="leads")
    scene.set("a", True)
    scene.look()
    Rule.objects.filter(kind="outage").update(escalate_s=600, escalate_groups=["leads"])
    scene.look(601)
    told = Delivery.objects.filter(transition__cause="escalated").values_list("recipient", flat=True)
    assert sorted(told) == ["boss@example.com", "olga@example.com"]


def test_whoever_is_given_an_alert_is_told_and_the_timeline_says_who_by(scene: Scene, ops: Any) -> None:
    mia = person("mia", None)
    scene.set("a", True)
    scene.look()
    alert = services.assign(alert_id=scene.alert().pk, to=mia, by=ops, note="you know it", now=scene.now)
    row = alert.transitions.latest("id")
    assert (row.cause, row.by, row.note, row.after) == ("assigned", ops, "mia: you know it", "open")
    assert [d.recipient for d in row.deliveries.all()] == ["mia@example.com"]
    assert compose(row.deliveries.get()).subject.startswith("Assigned to you: Down: a")
    services.assign(alert_id=alert.pk, to=ops, by=ops, now=scene.now)
    assert not alert.transitions.latest("id").deliveries.exists(), "they know"


def test_a_snooze_ends_with_a_mail_and_a_note_changes_nothing(scene: Scene, ops: Any) -> None:
    scene.set("a", True)
    scene.look()
    pk = scene.alert().pk
    services.snooze(alert_id=pk, until=scene.now + timedelta(hours=1), by=ops, now=scene.now)
    services.write_note(alert_id=pk, note="the disk is full", by=ops, now=scene.now)
    scene.look(1800)
    assert Delivery.objects.count() == 1
    scene.look(1801)
    assert [t.cause for t in scene.alert().transitions.all()] == ["crossed", "snoozed", "noted", "woken"]
    assert Delivery.objects.count() == 2


def test_the_value_is_kept_for_the_chart_ever_more_seldom(scene: Scene, ops: Any) -> None:
    scene.set("a", True)
    for _n in range(8):
        scene.look(30)
    assert Sample.objects.count() == 4, "one a minute"
    Alert.objects.update(pending_since=scene.now - timedelta(days=10))
    scene.look(600)
    scene.look(600)
    assert Sample.objects.count() == 4, "then one for each hundredth of its life"


def test_explain_says_what_an_alert_waits_for(scene: Scene, ops: Any) -> None:
    scene.set("account:vast", True)
    scene.set("deployment:a", True)
    scene.look()
    scene.set("deployment:b", True, depends_on=("account:vast",))
    scene.look()
    until = scene.now + timedelta(hours=1)
    services.snooze(alert_id=scene.alert("deployment:a").pk, until=until, by=ops, now=scene.now)
    services.silence(matcher=Matcher(subject="deployment:*"), until=until, reason="move", by=ops, now=scene.now)
    said = "\n".join(explain(Rule.objects.get(kind="outage"), scene.now))
    assert "Snoozed until" in said and "Grouped under account:vast" in said and "Silenced until" in said
    assert "If not acknowledged, it escalates to admins in" in said


def test_a_window_that_comes_every_sunday_quiets_each_of_them_across_the_clock_change(scene: Scene, ops: Any) -> None:
    zone = ZoneInfo("Europe/Berlin")
    first = datetime(2027, 3, 21, 2, tzinfo=zone)
    made = services.silence(
        matcher=Matcher("outage"), starts_at=first, until=first + timedelta(hours=2), repeats="week",
        zone="Europe/Berlin", repeats_until=datetime(2027, 4, 5, tzinfo=UTC), reason="backup", by=ops, now=scene.now,
    )  # fmt: skip
    assert made.rhythm == "every Sunday 02:00–04:00 Europe/Berlin until 5 Apr 2027"

    def told(at: datetime) -> bool:
        """Whether something that opens then is told."""
        scene.set(f"{at:%d %H}", True)
        scene.look((at - scene.now).total_seconds())
        return Delivery.objects.filter(alert__subject=f"{at:%d %H}").exists()

    assert told(datetime(2027, 3, 20, 22, tzinfo=UTC)), "it has not begun"
    assert not told(datetime(2027, 3, 21, 1, tzinfo=UTC)), "02:00 in winter"
    assert told(datetime(2027, 3, 21, 3, tzinfo=UTC)), "04:00, it is over for this week"
    assert Silence.objects.planned(scene.now)[0][1].start == datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert not told(datetime(2027, 3, 28, 1, tzinfo=UTC)), "03:00 in summer, the hour from 02:00 does not exist"
    assert told(datetime(2027, 3, 28, 2, tzinfo=UTC)), "04:00 in summer"
    assert not told(datetime(2027, 4, 4, 0, tzinfo=UTC)), "02:00 in summer"
    assert told(datetime(2027, 4, 11, 0, tzinfo=UTC)), "it came for the last time on the 4th"
    assert Silence.objects.over(scene.now).get() == made


def test_one_that_comes_again_is_ended_for_good_and_must_be_over_before_it_comes_again(scene: Scene, ops: Any) -> None:
    given: dict[str, Any] = {"matcher": Matcher("outage"), "repeats": "day", "reason": "x", "by": ops}
    with pytest.raises(ValueError, match="before it repeats"):
        services.silence(until=scene.now + timedelta(hours=25), **given, now=scene.now)
    made = services.silence(until=scene.now + timedelta(hours=1), **given, now=scene.now)
    assert Silence.objects.in_force(scene.now + timedelta(days=3, minutes=30)) == [made]
    services.end_silence(silence_id=made.pk, now=scene.now + timedelta(days=1))
    assert not Silence.objects.in_force(scene.now + timedelta(days=3, minutes=30))
    assert not Silence.objects.unexpired(scene.now + timedelta(days=1))


def test_a_weekly_window_is_planned_on_its_page_and_shown_as_people_say_it(db: None) -> None:
    client = logged_in(with_role("ops"))
    window = {"labels": "provider:vast", "starts_at": "2099-01-04T02:00", "hours": 2, "zone": "europe/berlin"}
    window |= {"repeats": "week", "repeats_until": "2099-03-01", "reason": "backup"}
    page = client.post("/alerts/silences/", window, follow=True).content.decode()
    assert "every Sunday 02:00–04:00 Europe/Berlin until 1 Mar 2099" in page
    made = Silence.objects.get()
    assert (made.starts_at, made.until) == (datetime(2099, 1, 4, 1, tzinfo=UTC), datetime(2099, 1, 4, 3, tzinfo=UTC))
    refused = client.post("/alerts/silences/", window | {"zone": "Europe/Nowhere"})
    assert refused.status_code == 422 and 'id="id_zone_error"' in refused.content.decode()
    refused = client.post("/alerts/silences/", window | {"repeats": "day", "hours": 72})
    assert refused.status_code == 422 and 'id="id_repeats_error"' in refused.content.decode()
    refused = client.post("/alerts/silences/", window | {"repeats_until": "2026-12-01"})
    assert refused.status_code == 422 and 'id="id_repeats_until_error"' in refused.content.decode()
    refused = client.post("/alerts/silences/", window | {"starts_at": "2099-03-29T02:00", "repeats_until": ""})
    assert refused.status_code == 422 and 'id="id_starts_at_error"' in refused.content.decode(), "the clock skips 02:00"
    client.post(f"/alerts/silences/{made.pk}/lift/")
    assert not Silence.objects.unexpired(timezone.now())


def test_the_form_names_rules_and_the_zone_that_the_page_shows(db: None) -> None:
    ops = with_role("ops")
    page = logged_in(ops).get("/alerts/silences/").content.decode()
    assert '<option value="budget">Phase budget</option>' in page and 'name="zone" value="UTC"' in page
    Preference.objects.create(person=ops, timezone="Europe/Berlin")
    page = logged_in(ops).get("/alerts/silences/").content.decode()
    assert 'name="zone" value="Europe/Berlin"' in page


def test_a_silence_lasts_until_the_end_time_of_its_form(scene: Scene) -> None:
    client = logged_in(with_role("ops"))
    sent = {"kind": "outage", "hours": 1, "reason": "move", "zone": "Europe/Berlin"}
    sent |= {"starts_at": "2099-01-04T02:00", "ends_at": "2099-01-06T09:30"}
    client.post("/alerts/silences/", sent)
    made = Silence.objects.get()
    assert (made.starts_at, made.until) == (
        datetime(2099, 1, 4, 1, tzinfo=UTC), datetime(2099, 1, 6, 8, 30, tzinfo=UTC)
    )  # fmt: skip
    for wrong in ("2099-01-04T02:00", "2098-01-01T00:00", "2101-01-01T00:00"):
        refused = client.post("/alerts/silences/", sent | {"ends_at": wrong})
        assert refused.status_code == 422 and 'id="id_ends_at_error"' in refused.content.decode(), wrong


def test_a_silence_that_matches_everything_is_refused_at_its_field_whatever_else_is_missing(scene: Scene) -> None:
    refused = logged_in(with_role("ops")).post("/alerts/silences/", {"hours": 1})
    page = refused.content.decode()
    assert refused.status_code == 422 and 'id="id_kind_error"' in page and 'id="id_reason_error"' in page


def test_maintenance_of_a_deployment_takes_no_other_match(db: Any) -> None:
    DeploymentFactory.create(slug="mistral-7b")
    client = logged_in(with_role("admin"))
    sent = {"deployment": "mistral-7b", "severity": "warning", "hours": 1, "reason": "driver"}
    page = client.post("/alerts/silences/", sent)
    assert page.status_code == 422 and "Maintenance is of its deployment" in page.content.decode()
    assert client.post("/alerts/silences/", sent | {"severity": ""}).status_code == 302


def test_what_a_silence_covers_is_shown_before_it_is_made(scene: Scene) -> None:
    scene.set("deployment:mistral-7b", True)
    scene.set("deployment:bge-m3", True)
    scene.look(0)
    Alert.objects.update(pending_since=timezone.now())
    client, rule = logged_in(with_role("ops")), Rule.objects.get(kind="outage")

    def covers(**fields: Any) -> str:
        sent = {"preview": "1", **fields}
        return client.post("/alerts/silences/", sent, headers={"hx-request": "true"}).content.decode()

    assert f"Covers 2 open alerts and 1 rule: {rule.name}." in covers(kind="outage")
    assert f"Covers 1 open alert and 1 rule: {rule.name}." in covers(labels="deployment:mistral-7b")
    assert "Covers no open alert and no rule" in covers(subject="lease:*")
    assert "Fill in at least one of kind" in covers()
    ends = {"ends_at": "2026-12-24T18:00", "hours": "1"}
    assert "Ends 24 Dec" in " ".join(re.sub("<[^>]+>", "", covers(kind="outage", **ends)).split())
    assert "Ends" not in covers(kind="outage", **ends | {"ends_at": "x"}) and "Ends" not in covers(**ends)
    assert "is not a label" in covers(labels="mistral")
    Rule.objects.create(
        slug="dear", name="Dear <i>", kind="figure", thresholds={"figure": "spend", "scope": {"application": "docs-qa"}}
    )
    assert "Covers 0 open alerts and 1 rule: Dear &lt;i&gt;." in covers(labels="application:docs-qa")
    page = client.post("/alerts/silences/", {"preview": "1", "kind": "outage", "reason": "move"}).content.decode()
    assert "Covers 2 open alerts" in page and 'value="move"' in page and "_error" not in page, "without script"
    assert not Silence.objects.exists()


@pytest.mark.parametrize(
    ("matcher", "pattern"),
    [
        (Matcher("outage"), "Deployment down"),
        (Matcher("outage", "deployment:mistral-7b", "critical"), "Deployment down: deployment Mistral 7B, critical"),
        (Matcher(subject="deployment:mistral-*"), "Deployment “mistral-*”"),
        (Matcher(labels={"application": "site-chat", "task": "rag"}), "Application Website chat, task RAG"),
        (Matcher(subject="budget:site-chat:2026-11"), "Over budget: Website chat"),
        (Matcher(subject="spend/all"), "“spend/all”"),
        (Matcher(labels={"provider": "vast"}), "Provider Vast.ai"),
        (Matcher(labels={"deployment": "gone"}), "Deployment “gone” (removed)"),
    ],
)
def test_a_silence_is_named_as_people_named_what_it_covers(ops_client: Client, matcher: Matcher, pattern: str) -> None:
    DeploymentFactory.create(slug="mistral-7b", name="Mistral 7B")
    ApplicationFactory.create(slug="site-chat", name="Website chat")
    ensure_defaults()
    rule, until = Rule.objects.get(slug="budget"), timezone.now() + timedelta(hours=1)
    for title in ("90 % of budget: Website chat", "Over budget: Website chat"):
        Alert.objects.create(
            rule=rule, subject="budget:site-chat:2026-11", title=title, state="resolved", pending_since=until
        )
    silence = Silence(
        kind=matcher.kind, subject=matcher.subject, severity=matcher.severity, labels=matcher.labels, until=until
    )
    silence.save()
    assert pattern_of(silence) == pattern
    assert f"<b>{pattern}</b>" in ops_client.get("/alerts/silences/").content.decode()
