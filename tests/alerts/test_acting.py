"""What people do with alerts on the pages: hand on, note, put off, several at once; silences; who cries wolf."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alerts.charts.timeline import timeline
from alerts.evaluation import services
from alerts.metrics.scopes import Scope
from alerts.metrics.watch import OVER, UNDER, Watch
from alerts.metrics.windows import Window
from alerts.models import Alert, Rule, Sample, Silence
from alerts.rules import noise
from alerts.rules.forms import duration_text
from providers.audit.log import AuditEntry
from tests.alerts.conftest import Scene, person
from tests.alerts.people import client_of
from tests.pages import html_of


def url(name: str, alert: Alert) -> str:
    return reverse(f"alerts:{name}", args=[alert.pk])


def test_an_alert_is_assigned_to_someone_who_may_act_and_the_list_says_so(alert: Alert, ops_client: Client) -> None:
    otto, mara = person("otto", "ops"), person("mara", "manager")
    otto.first_name, otto.last_name = "Otto", "Berg"
    otto.save()
    page = html_of(ops_client.get(url("assign", alert)))
    assert "Otto Berg" in page and "mara" not in page
    refused = ops_client.post(url("assign", alert), {"to": mara.pk})
    assert refused.status_code == 422
    answer = ops_client.post(url("assign", alert) + "?back=list", {"to": otto.pk, "note": "your machine"})
    assert answer.url == reverse("alerts:list")  # type: ignore[attr-defined]  # a redirect
    assert "assigned to Otto Berg" in ops_client.get(reverse("alerts:list")).content.decode()


def test_a_note_needs_words_and_stands_in_the_timeline(alert: Alert, ops_client: Client) -> None:
    assert ops_client.post(url("note", alert), {"note": " "}).status_code == 422
    ops_client.post(url("note", alert), {"note": "the fan broke <b>"})
    page = ops_client.get(url("detail", alert)).content.decode()
    assert "the fan broke &lt;b&gt;" in page


def test_a_snoozed_alert_stands_apart_until_somebody_wakes_it(alert: Alert, ops_client: Client) -> None:
    ops_client.post(url("snooze", alert), {"hours": 8})
    page = ops_client.get(reverse("alerts:list")).content.decode()
    assert "1 snoozed" in page and "No unassigned alerts" in page
    assert "Snoozed until" in ops_client.get(url("detail", alert)).content.decode()
    ops_client.post(url("unsnooze", alert))
    assert "1 snoozed" not in ops_client.get(reverse("alerts:list")).content.decode()


def test_a_silenced_alert_says_so_in_its_row_and_still_needs_someone(alert: Alert, ops_client: Client) -> None:
    row = re.compile(r"<tr data-row>.*?</tr>", re.DOTALL)
    page = ops_client.get(reverse("alerts:list")).content.decode()
    assert ">silenced<" not in "".join(row.findall(page))
    ops_client.post(url("silence", alert), {"hours": 8, "reason": "moving house"})
    page = ops_client.get(reverse("alerts:list")).content.decode()
    assert ">silenced<" in "".join(row.findall(page)) and "1 open, unassigned" in page


def test_several_are_acknowledged_at_once_and_what_cannot_be_is_named(
    scene: Scene, roles: None, ops: Any, ops_client: Client
) -> None:
    for name in "abc":
        scene.set(name, True)
    scene.look()
    ids = list(Alert.objects.values_list("pk", flat=True))
    sent = {"action": "acknowledge", "alert": [str(pk) for pk in ids[:2]] + ["x"]}
    ops_client.post(reverse("alerts:bulk"), sent)
    assert sorted(Alert.objects.values_list("state", flat=True)) == ["acknowledged", "acknowledged", "open"]
    page = ops_client.post(reverse("alerts:bulk"), sent, follow=True).content.decode()
    assert page.count("Not changed:") == 2
    page = ops_client.post(reverse("alerts:bulk"), {"action": "burn"}, follow=True).content.decode()
    assert "Nothing was changed" in page


@pytest.mark.parametrize("action", ["acknowledge", "snooze", "resolve"])
def test_what_was_done_to_several_is_taken_back_at_once(
    scene: Scene, roles: None, ops: Any, ops_client: Client, action: str
) -> None:
    for name in "abc":
        scene.set(name, True)
    scene.look()
    before = list(Alert.objects.order_by("pk").values_list("state", "snoozed_until", "resolved_at"))
    ids = list(Alert.objects.order_by("pk").values_list("pk", flat=True))[:2]
    page = ops_client.post(reverse("alerts:bulk"), {"action": action, "alert": ids}, follow=True).content.decode()
    [undo] = set(re.findall(r'action="(/alerts/bulk/\?[^"]+)"', page))
    assert list(Alert.objects.order_by("pk").values_list("state", "snoozed_until", "resolved_at")) != before
    assert ops_client.get(unescape(undo)).status_code == 405
    ops_client.post(unescape(undo))
    assert list(Alert.objects.order_by("pk").values_list("state", "snoozed_until", "resolved_at")) == before


def test_every_key_of_a_row_is_a_control_that_works_without_script(alert: Alert, ops_client: Client) -> None:
    page = ops_client.get(reverse("alerts:list")).content.decode()
    for key in "axinzs":
        assert f'data-key="{key}"' in page, key
    for name in ("assign", "note", "snooze", "silence"):
        assert f"{url(name, alert)}?back=list" in page
        assert ops_client.get(url(name, alert)).status_code == 200


def test_a_silence_is_added_seen_and_ended_and_the_audit_log_knows(
    alert: Alert, ops_client: Client, manager: Client
) -> None:
    where = reverse("alerts:silences")
    empty = ops_client.post(where, {"hours": 8, "reason": "all"})
    assert empty.status_code == 422 and "Fill in at least one of kind" in empty.content.decode()
    bad = ops_client.post(where, {"hours": 8, "reason": "x", "labels": "vast"})
    assert "is not a label" in bad.content.decode()
    ops_client.post(where, {"hours": 8, "reason": "disk swap", "subject": "a*", "severity": "critical"})
    page = manager.get(where).content.decode()
    assert "“a*”, critical" in page and "disk swap" in page and "covers 1 open alert" in page
    assert "Add a silence" not in page and manager.post(where, {}).status_code == 403
    ops_client.post(reverse("alerts:lift", args=[Silence.objects.get().pk]))
    assert not Silence.objects.in_force(timezone.now())
    assert AuditEntry.objects.count() == 2


def test_a_silence_that_begins_later_is_planned(alert: Alert, ops_client: Client) -> None:
    start = timezone.now() + timedelta(days=1)
    sent = {"hours": 1, "reason": "move", "kind": "outage", "starts_at": f"{start:%Y-%m-%dT%H:%M}"}
    page = ops_client.post(reverse("alerts:silences"), sent, follow=True).content.decode()
    assert "1 planned" in page and "No active silences" in page
    sent["starts_at"] = "2020-01-01T00:00"
    assert "That time is over" in ops_client.post(reverse("alerts:silences"), sent).content.decode()


def test_the_timeline_is_a_chart_with_its_words_and_its_table(alert: Alert, ops_client: Client) -> None:
    begun = alert.pending_since
    for n, value in enumerate(("11", "19.5", "14"), start=1):
        Sample.objects.create(alert=alert, at=begun + timedelta(minutes=n), value=value, threshold="10")
    seen = timeline(alert)
    assert seen is not None
    assert [float(point.value) for point in seen.points] == [12.5, 11, 19.5, 14]
    page = ops_client.get(url("detail", alert)).content.decode()
    assert "<svg" in page and "limit 10" in page


@pytest.mark.parametrize(
    ("kind", "threshold", "value", "limit", "reached"),
    [
        ("budget", "100.00", "104.10", "limit $100", "$104.10"),
        ("error-rate", "100", "100.00", "limit 100 %", "100 %"),
        ("latency", "1500", "2100", "limit 1.5 s", "2.1 s"),
    ],
)
def test_a_limit_and_the_values_of_an_alert_have_one_form(
    alert: Alert, ops_client: Client, kind: str, threshold: str, value: str, limit: str, reached: str
) -> None:
    Rule.objects.filter(pk=alert.rule_id).update(kind=kind)
    Alert.objects.filter(pk=alert.pk).update(threshold=threshold)
    alert.transitions.update(value=value)
    Sample.objects.create(alert=alert, at=alert.pending_since + timedelta(minutes=1), value=value, threshold=threshold)
    page = html_of(ops_client.get(url("detail", alert)))
    assert f'<span class="source">{limit}</span>' in page
    assert f'<td class="num">{reached}</td>' in page
    assert f", {limit}.</p>" in page


def test_the_history_is_filtered_by_the_address(scene: Scene, roles: None, ops_client: Client) -> None:
    for name, severity in (("apple", "critical"), ("pear", "info")):
        scene.set(name, True, severity=severity)
        scene.look()
        scene.set(name, False)
        scene.look()
    Alert.objects.filter(subject="pear").update(acknowledged_at=scene.now)

    def shown(**asked: str) -> set[str]:
        page = ops_client.get(reverse("alerts:history"), asked).content.decode()
        return {name for name in ("apple", "pear") if f": {name}," in page}

    assert (
        shown()
        == shown(kind="outage")
        == shown(severity="bogus")
        == shown(**{"from": "2026-11-24"})
        == {"apple", "pear"}
    )
    assert shown(severity="critical") == shown(answered="no") == shown(q="APP") == {"apple"}
    assert shown(to="2026-11-23") == shown(kind="budget") == set()


def test_how_fast_people_are_is_told_by_period_and_severity(scene: Scene, roles: None, ops_client: Client) -> None:
    scene.now = timezone.now() - timedelta(days=20)
    scene.set("a", True)
    scene.look()
    Alert.objects.update(acknowledged_at=scene.now + timedelta(minutes=5), resolved_at=scene.now + timedelta(hours=1))
    page = ops_client.get(reverse("alerts:list"), {"days": "90"}).content.decode()
    assert '<th scope="row">critical</th>' in page and "5 min" in page
    page = ops_client.get(reverse("alerts:list"), {"days": "7"}).content.decode()
    assert '<th scope="row">critical</th>' not in page


WATCH = Watch("spend", Window.TODAY, Scope(), OVER, Decimal(4))


def test_a_better_line_leaves_the_worst_fifth() -> None:
    peaks = [Decimal(n) / 10 for n in range(41, 61)]  # 4.1 to 6.0
    found = noise.better_line(WATCH, peaks)
    assert found and (found.text, found.left) == ("Raise the limit to $5.60", 4)
    assert noise.better_line(WATCH, peaks[:9]) is None, "too few to say"
    assert noise.better_line(WATCH, [Decimal(4)] * 20) is None, "no line further out"
    under = Watch("uptime", Window.MONTH, Scope(), UNDER, Decimal(99))
    found = noise.better_line(under, [Decimal(98) - Decimal(n) for n in range(20)])
    assert found and found.left == 4 and found.form_values["line"].startswith("83")


def test_a_better_wait_outlasts_most_of_what_came_and_went() -> None:
    lengths = [timedelta(minutes=n) for n in range(1, 21)]
    found = noise.better_wait(60, lengths)
    assert found and found.form_values == {"for_s": "1080"} and found.left == 3
    assert noise.better_wait(0, [timedelta(days=2)] * 20) is None, "that would be no alert any more"


def test_a_noisy_rule_is_named_with_a_form_that_is_filled_already(
    scene: Scene, roles: None, ops_client: Client
) -> None:
    scene.now = timezone.now() - timedelta(days=2)
    for _n in range(12):
        scene.set("a", True)
        scene.look(3600)
        scene.set("a", False)
        scene.look(240)
        scene.look(3600)
    page = ops_client.get(reverse("alerts:list")).content.decode()
    assert "fired 12 times and was acknowledged 0" in page
    [one] = noise.noisy(timezone.now() - timedelta(days=30))
    assert one.suggestion and one.url in page.replace("&amp;", "&")
    form = ops_client.get(one.url).content.decode()
    assert f'name="for_s" value="{duration_text(int(one.suggestion.form_values["for_s"]))}"' in form
    Rule.objects.update(enabled=False)
    assert noise.noisy(timezone.now() - timedelta(days=30)) == []


def test_a_manager_sees_alerts_and_acts_on_none(alert: Alert, manager: Client) -> None:
    page = manager.get(reverse("alerts:list")).content.decode()
    assert 'id="bulk"' not in page and 'data-key="a"' not in page
    for name in ("assign", "note", "snooze"):
        assert manager.get(url(name, alert)).status_code == 403
    assert client_of(person("stan", "staff")).get(reverse("alerts:silences")).status_code == 403


@pytest.mark.parametrize(
    ("action", "given"),
    [
        ("acknowledge", {}),
        ("resolve", {}),
        ("silence", {"hours": 8, "reason": "disk"}),
        ("snooze", {"hours": 8}),
        ("assign", {"to": ""}),
        ("note", {"note": "disk full"}),
    ],
)
@pytest.mark.parametrize("came_from", ["list", "detail"])
def test_a_step_and_its_undo_lead_back_to_where_one_was(
    alert: Alert, ops_client: Client, action: str, given: dict[str, Any], came_from: str
) -> None:
    home = reverse("alerts:list") if came_from == "list" else alert.get_absolute_url()
    query = "?back=list" if came_from == "list" else ""
    before = steps_of(alert)
    done = ops_client.post(reverse(f"alerts:{action}", args=[alert.pk]) + query, given, follow=True)
    assert done.redirect_chain[-1][0] == home
    [undo] = re.findall(r'<form[^>]* action="([^"]*back=[^"]+)"', done.content.decode())
    back = ops_client.post(unescape(undo), follow=True)
    assert back.redirect_chain[-1][0] == home
    alert.refresh_from_db()
    assert (alert.state, alert.assigned_to, asleep(alert)) == ("open", None, False)
    assert not Silence.objects.in_force(timezone.now())
    assert steps_of(alert) == before + (0 if action in ("note", "silence") else 2), "a note undone is gone"


def steps_of(alert: Alert) -> int:
    return alert.transitions.count()


def asleep(alert: Alert) -> bool:
    return alert.snoozed_until is not None and alert.snoozed_until > timezone.now()


def test_a_note_of_somebody_else_cannot_be_taken_back(alert: Alert, ops_client: Client) -> None:
    services.write_note(alert_id=alert.pk, note="mine", by=person("nora", "ops"))
    page = ops_client.post(reverse("alerts:erase-note", args=[alert.pk]), follow=True).content.decode()
    assert "Nothing was changed: you have no note here." in page
    assert alert.transitions.filter(note="mine").exists()
