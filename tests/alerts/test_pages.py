"""The alerts' pages: who may, what they show, what a click does, and that names are only ever text."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alerts.defaults import ensure_defaults
from alerts.evaluation import services
from alerts.kinds.sentences import sentence
from alerts.mail import links
from alerts.models import Address, Alert, Delivery, OptOut, Rule, Silence
from alerts.rules.forms import RuleForm, SecondsField
from dashboard.environment import Environment
from providers.audit.log import AuditEntry
from tests.alerts.conftest import Scene, person
from tests.alerts.people import EVIL, client_of
from tests.query_ceilings import ceiling
from tests.sorted_lists import assert_sorts, rows_of


@pytest.fixture
def staff(roles: None) -> Client:
    return client_of(person("stan", "staff"))


def pages(alert: Alert) -> list[str]:
    return [
        reverse("alerts:list"),
        reverse("alerts:history"),
        reverse("alerts:rules"),
        reverse("alerts:rule", args=["outage"]),
        reverse("alerts:detail", args=[alert.pk]),
    ]


def test_whoever_sees_figures_sees_alerts_and_nobody_else(
    alert: Alert, staff: Client, manager: Client, ops_client: Client
) -> None:
    for page in pages(alert):
        assert manager.get(page).status_code == 200, page
        assert ops_client.get(page).status_code == 200, page
        assert staff.get(page).status_code == 403, page
        assert Client().get(page).url.startswith("/login/"), page  # type: ignore[attr-defined]  # a redirect


def test_every_page_is_one_sentence_first_and_names_are_only_text(alert: Alert, ops_client: Client) -> None:
    more = [reverse(f"alerts:{action}", args=[alert.pk]) for action in ("acknowledge", "silence", "resolve")]
    for page in [*pages(alert), *more]:
        html = ops_client.get(page).content.decode()
        [finding] = re.findall(r'<p class="finding">(.*?)</p>', html, re.DOTALL)
        assert len(re.sub(r"<[^>]+>", " ", finding).split()) >= 3, page
        assert EVIL not in html, page


def test_the_page_says_what_needs_someone_now(alert: Alert, ops_client: Client) -> None:
    html = ops_client.get(reverse("alerts:list")).content.decode()
    assert "unknown" in html, "the rules have not run for five minutes"
    Rule.objects.update(evaluated_at=timezone.now())
    html = ops_client.get(reverse("alerts:list")).content.decode()
    assert "1 open, unassigned" in html
    assert "Acknowledge" in html


def test_the_mark_beside_alerts_counts_what_nobody_has_and_nobody_put_off(
    scene: Scene, ops: Any, ops_client: Client
) -> None:
    for name in "abcd":
        scene.set(name, True, title=f"Down: {name}, $1")
    scene.look()
    Rule.objects.update(evaluated_at=timezone.now())
    found = {one.subject: one.pk for one in Alert.objects.all()}

    def seen() -> tuple[str, str]:
        html = ops_client.get(reverse("alerts:list")).content.decode()
        marks = re.findall(r'<span\s+class="count"\s+aria-label="[^"]*"\s*>(\d+)</span>', html)
        return re.findall(r'class="finding">(.*?)</p>', html, re.DOTALL)[0].strip(), "".join(marks)

    assert seen()[1] == "4"
    services.assign(alert_id=found["a"], to=ops, by=None)
    services.snooze(alert_id=found["b"], until=timezone.now() + timedelta(hours=1), by=ops)
    services.acknowledge(alert_id=found["c"], by=ops)
    sentence, mark = seen()
    assert mark == "1" and sentence == "1 open, unassigned: <b>Down: d, $1</b>."
    services.assign(alert_id=found["d"], to=ops, by=None)
    assert seen() == ("No unassigned alerts. All 3 open alerts have an owner.", "")
    for name in "acd":
        services.resolve(alert_id=found[name], by=ops)
    assert seen() == ("No unassigned alerts. The only open alert is snoozed.", "")
    Alert.objects.update(snoozed_until=timezone.now() - timedelta(seconds=1))
    assert seen()[1] == "1", "a snooze that is over"


def test_the_page_that_asks_has_its_first_field_ready_and_offers_whoever_asks(
    alert: Alert, ops: Any, ops_client: Client
) -> None:
    html = ops_client.get(reverse("alerts:assign", args=[alert.pk])).content.decode()
    [field] = re.findall(r"<select[^>]*>", html)
    assert "autofocus" in field and 'name="to"' in field
    assert f'<option value="{ops.pk}" selected>' in html


def test_the_list_reads_the_same_number_of_queries_whatever_it_holds(
    scene: Scene, ops_client: Client, django_assert_max_num_queries: Any
) -> None:
    for n in range(30):
        scene.set(f"d{n}", True)
    scene.look()
    with django_assert_max_num_queries(ceiling("/alerts/")):
        ops_client.get(reverse("alerts:list"))


def test_managers_look_and_do_not_touch(alert: Alert, manager: Client) -> None:
    for action in ("acknowledge", "resolve", "unacknowledge", "reopen", "silence"):
        assert (
            manager.post(reverse(f"alerts:{action}", args=[alert.pk]), {"hours": 1, "reason": "x"}).status_code == 403
        )
    assert manager.post(reverse("alerts:rule", args=["outage"]), {}).status_code == 403
    assert b"Read-only for your role" in manager.get(reverse("alerts:rule", args=["outage"])).content
    alert.refresh_from_db()
    assert alert.state == "open"
    assert not Silence.objects.exists()


def test_an_acknowledgement_can_be_undone_from_its_toast(alert: Alert, ops_client: Client) -> None:
    page = ops_client.post(reverse("alerts:acknowledge", args=[alert.pk]), {"note": "mine"}, follow=True)
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by.username) == ("acknowledged", "olga")  # type: ignore[union-attr]  # just set
    undo = reverse("alerts:unacknowledge", args=[alert.pk])
    assert f'action="{undo}?back={alert.pk}"' in page.content.decode()
    ops_client.post(undo)
    alert.refresh_from_db()
    assert alert.state == "open"
    again = ops_client.post(undo, follow=True)
    assert "Nothing was changed" in again.content.decode()


def test_a_get_changes_nothing(alert: Alert, ops_client: Client) -> None:
    for action in ("acknowledge", "resolve", "silence"):
        assert ops_client.get(reverse(f"alerts:{action}", args=[alert.pk])).status_code == 200
    for action in ("unacknowledge", "reopen"):
        assert ops_client.get(reverse(f"alerts:{action}", args=[alert.pk])).status_code == 405
    alert.refresh_from_db()
    assert alert.state == "open"


def test_resolve_and_its_undo(alert: Alert, ops_client: Client) -> None:
    ops_client.post(reverse("alerts:resolve", args=[alert.pk]))
    alert.refresh_from_db()
    assert alert.state == "resolved"
    ops_client.post(reverse("alerts:reopen", args=[alert.pk]))
    alert.refresh_from_db()
    assert alert.state == "open"


def test_a_silence_needs_a_reason_and_can_be_ended(alert: Alert, ops_client: Client) -> None:
    address = reverse("alerts:silence", args=[alert.pk])
    assert ops_client.post(address, {"hours": 24, "reason": ""}).status_code == 422
    ops_client.post(address, {"hours": 24, "reason": "moving house"})
    silence = Silence.objects.get()
    assert (silence.kind, silence.subject) == ("outage", "a")
    ops_client.post(reverse("alerts:lift", args=[silence.pk]))
    silence.refresh_from_db()
    assert silence.until <= timezone.now()


def rule_form(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Down", "enabled": "on", "severity": "warning", "threshold_group": "4", "for_s": "0",
        "clear_for_s": "1 minute", "escalate_s": "", "remind_s": "", **changes,
    }  # fmt: skip


def test_a_rule_is_edited_with_its_numbers_and_people(alert: Alert, ops_client: Client, ops: Any) -> None:
    address = reverse("alerts:rule", args=["outage"])
    assert ops_client.post(address, rule_form(recipients=[ops.pk])).status_code == 302
    rule = Rule.objects.get(slug="outage")
    assert (rule.thresholds, rule.clear_for_s, list(rule.recipients.all())) == ({"group": 4}, 60, [ops])
    for bad in (
        {"threshold_group": "many"},
        {"threshold_group": "-1"},
        {"threshold_group": "NaN"},
        {"remind_s": "1 second"},
        {"clear_for_s": "60"},
    ):
        assert ops_client.post(address, rule_form(**bad)).status_code == 422, bad


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("15 minutes", 900, "15 minutes"), ("1.5 h", 5400, "1 hour 30 minutes"), ("2d", 172_800, "2 days"),
        ("1 h 30 min", 5400, "1 hour 30 minutes"), ("0", 0, "0"), ("90 s", 90, "1 minute 30 seconds"),
    ],
)  # fmt: skip
def test_durations_are_written_and_shown_as_people_say_them(text: str, seconds: int, shown: str) -> None:
    field = SecondsField()
    assert (field.clean(text), field.prepare_value(seconds)) == (seconds, shown)
    assert not field.has_changed(seconds, shown), "what was not touched is no change for the log"
    for wrong in ("90", "1 fortnight", "h", "1 h x", "-1 h"):
        with pytest.raises(ValidationError):
            field.clean(wrong)


def test_no_form_and_no_sentence_of_a_shipped_rule_has_seconds(ops_client: Client) -> None:
    ensure_defaults()
    for rule in Rule.objects.all():
        page = ops_client.get(reverse("alerts:rule", args=[rule.slug])).content.decode()
        assert not re.search(r"seconds (that|without|while)|\d\d+ s[,;)]", page), rule.slug
    rule = Rule.objects.get(slug="late")
    assert 'value="3 minutes"' in str(RuleForm(instance=rule)["threshold_evaluation_s"])
    assert "Rules not run for: 3 min" in sentence(rule)


def test_the_sentence_of_a_shipped_rule_is_shown_while_its_form_is_filled_in(alert: Alert, ops_client: Client) -> None:
    address = reverse("alerts:rule", args=["outage"])
    shown = ops_client.post(address, rule_form(for_s="6 hours", sentence="1")).content.decode()
    assert "4 deployments down) for 6 h, notify ops." in shown
    assert Rule.objects.get(slug="outage").for_s != 6 * 3600, "nothing is saved"
    assert "Not complete yet. Delay: Enter a time" in (
        ops_client.post(address, rule_form(for_s="6", sentence="1")).content.decode()
    )


def test_a_mail_link_acts_without_a_login_once(alert: Alert, ops: Any, roles: None, settings: Any) -> None:
    delivery = Delivery.objects.get()
    address = links.action_url(delivery, "acknowledge").removeprefix(settings.BASE_URL)
    assert Client().get(address).status_code == 200
    alert.refresh_from_db()
    assert alert.state == "open", "a mail scanner that follows links changes nothing"
    assert b"Acknowledged" in Client().post(address).content
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", ops)
    assert Client().post(address).status_code == 410


def test_a_mail_link_acts_for_whom_it_was_sent_to_whoever_is_logged_in(
    alert: Alert, ops: Any, manager: Client, settings: Any
) -> None:
    for action, sent in (("acknowledge", {}), ("silence", {"hours": "8", "reason": "known"})):
        address = links.action_url(Delivery.objects.get(), action).removeprefix(settings.BASE_URL)
        assert manager.get(address).status_code == Client().get(address).status_code == 200, action
        assert manager.post(address, sent).status_code == 200
        assert manager.post(address, sent).status_code == 410, "once"
        assert manager.get(address.partition("?")[0]).status_code == 403, "without the token their own role decides"
    alert.refresh_from_db()
    assert (alert.acknowledged_by, Silence.objects.get().by) == (ops, ops)


def test_a_mail_link_acts_for_its_alert_and_action_and_person_only(alert: Alert, ops: Any, roles: None) -> None:
    token = links.sign("acknowledge", alert.pk, ops.email)
    for action, key in (("acknowledge", alert.pk + 1), ("resolve", alert.pk), ("silence", alert.pk)):
        assert Client().post(f"/alerts/{key}/{action}/?by={token}").status_code == 410
    assert Client().get(f"/alerts/{alert.pk}/acknowledge/?by=forged").status_code == 410
    stranger = links.sign("acknowledge", alert.pk, person("stan", "staff").email)
    assert Client().post(f"/alerts/{alert.pk}/acknowledge/?by={stranger}").status_code == 403
    nobody = links.sign("acknowledge", alert.pk, "gone@example.com")
    assert Client().post(f"/alerts/{alert.pk}/acknowledge/?by={nobody}").status_code == 302


def test_a_mail_link_holds_up_its_own_alert_for_a_day_at_most_and_is_on_record(
    alert: Alert, ops: Any, roles: None, settings: Any
) -> None:
    address = links.action_url(Delivery.objects.get(), "silence").removeprefix(settings.BASE_URL)
    assert "whole_kind" not in Client().get(address).content.decode()
    assert Client().post(address, {"hours": "720", "reason": "for ever"}).status_code == 422
    assert Client().post(address, {"hours": "24", "reason": "known", "whole_kind": "on"}).status_code == 200
    silence = Silence.objects.get()
    assert silence.subject == alert.subject != ""
    assert silence.until <= timezone.now() + timedelta(hours=24)
    entry = AuditEntry.objects.get(actor_kind="mail")
    assert (entry.actor, entry.object_id, entry.message) == (ops.get_username(), str(alert.pk), "silence, 24 h")


def test_without_being_asked_for_mail_links_do_not_act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for demo, expected in (("", False), ("1", True)):
        monkeypatch.setenv("BREAKEVEN_DEMO", demo)
        environment = Environment(tmp_path)
        assert environment.flag("BREAKEVEN_MAIL_LINKS_ACT", environment.flag("BREAKEVEN_DEMO")) is expected


def test_one_click_unsubscribes_without_a_session(alert: Alert, settings: Any) -> None:
    address = links.unsubscribe_url(Delivery.objects.get()).removeprefix(settings.BASE_URL)
    strict = Client(enforce_csrf_checks=True)
    assert strict.get(address).status_code == 200
    assert not OptOut.objects.exists()
    assert strict.post(address, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert OptOut.objects.get().address == "olga@example.com"
    strict.post(address, {"again": "1"})
    assert not OptOut.objects.exists()
    assert strict.post("/alerts/unsubscribe/forged/").status_code == 410


def test_a_dead_message_is_shown_and_sent_again(alert: Alert, ops_client: Client) -> None:
    Delivery.objects.update(state="dead", answer=f"550 {EVIL}")
    Address.objects.create(address="olga@example.com", refusals=3, disabled_at=timezone.now())
    html = ops_client.get(reverse("alerts:list")).content.decode()
    assert "550 &lt;script&gt;" in html
    ops_client.post(reverse("alerts:again", args=[Delivery.objects.get().pk]))
    assert Delivery.objects.get().state == "waiting"
    assert Address.objects.get().disabled_at is None


def test_history_pages_by_what_came_before(scene: Scene, ops_client: Client) -> None:
    for n in range(60):
        scene.set(f"d{n}", True)
    scene.look()
    for n in range(60):
        scene.set(f"d{n}", False)
    scene.look()
    first = ops_client.get(reverse("alerts:history"), {"kind": "outage"}).content.decode()
    [further] = re.findall(r'href="(\?[^"]+)" data-key="\]"', first)
    assert first.count("<tr data-row>") == 50
    second = ops_client.get(reverse("alerts:history") + further.replace("&amp;", "&")).content.decode()
    assert second.count("<tr data-row>") == 10
    assert ops_client.get(reverse("alerts:history"), {"before": "x", "kind": "nope"}).status_code == 200


def test_what_is_not_there_is_not_found(ops_client: Client, scene: Scene) -> None:
    for address in ("/alerts/99/", "/alerts/99/acknowledge/", "/alerts/rules/nope/", "/mail/", "/mail/x/"):
        assert ops_client.get(address).status_code == 404, address
    ensure_defaults()


@pytest.mark.parametrize("name", ["for_s", "clear_for_s", "escalate_s", "remind_s"])
def test_more_seconds_than_a_year_has_are_refused_where_they_stand(ops_client: Client, alert: Alert, name: str) -> None:
    for seconds in (f"{2**31} s", f"{10**40} s", "9999999 days"):
        answer = ops_client.post(f"/alerts/rules/{alert.rule.kind}/", {"name": "x", "severity": "info", name: seconds})
        assert answer.status_code == 422
        assert f'id="id_{name}_error"' in answer.content.decode()


def test_the_first_table_of_alerts_has_the_headings_that_sort_all(scene: Scene, ops_client: Client) -> None:
    ensure_defaults()
    now = timezone.now()
    times = {"pending_since": now, "opened_at": now, "severity": "info", "rule": Rule.objects.get(slug="outage")}
    for state in ("open", "acknowledged"):
        Alert.objects.create(subject=f"deployment:{state}", title=state, state=state, **times)
    page = ops_client.get("/alerts/").content.decode()
    assert page.count('aria-label="Acknowledged alerts"') == 1
    assert re.findall(r'id="sort-(\w+)"', page) == ["state", "title", "since", "told"]


def test_open_and_past_alerts_are_sorted_by_every_column(scene: Scene, ops_client: Client) -> None:
    now = timezone.now()
    ensure_defaults()
    rule = Rule.objects.get(slug="outage")
    for number, severity in enumerate(("warning", "critical", "info")):
        words = {"title": f"Title {9 - number}", "severity": severity, "opened_at": now - timedelta(hours=number + 2)}
        words |= {"pending_since": words["opened_at"]}
        Alert.objects.create(rule=rule, subject=f"deployment:o{number}", state="open", **words)
        ended = {"resolved_at": now - timedelta(minutes=number)} if number else {}
        Alert.objects.create(rule=rule, subject=f"deployment:p{number}", state="resolved", **words, **ended)
    assert_sorts(ops_client, "/alerts/", ("state", "title", "since", "told"))
    assert_sorts(ops_client, "/alerts/history/", ("title", "since", "over", "lasted", "rule", "mails"))
    usual, titles = (ops_client.get(f"/alerts/{query}").content.decode() for query in ("", "?sort=title"))
    assert [row.split("Title ")[1][0] for row in rows_of(titles)] == ["7", "8", "9"]
    [first] = re.findall(r'<p class="finding">(.*?)</p>', usual, re.DOTALL)
    assert first in titles, "the finding names the most urgent alert in any order"
    for sort in ("lasted", "-lasted"):
        rows = rows_of(ops_client.get(f"/alerts/history/?sort={sort}").content.decode())
        assert "Title 9" in rows[-1], "an alert without an end has no duration"
