"""What a mail says: verdict and amount first, its own links and no others, and names are only text."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from alerts.defaults import ensure_defaults
from alerts.delivery.compose import compose
from alerts.evaluation import services
from alerts.kinds.finding import Bar, Words
from alerts.mail import links
from alerts.models import Alert, Delivery, Rule
from alerts.wording import facts_of
from tests.alerts.conftest import Scene, person
from tests.alerts.mail_parts import Tags, parsed, part

EVIL = '<script>alert("x")</script>&'
FULL = Words(
    todo=f"Look at {EVIL}.",
    detail=f"{EVIL} is over.",
    facts=[[f"Spent by {EVIL}", "$412.30", "billed 90 %"], ["Budget", "$300–400", "plan"]],
    bars=[
        Bar(label=EVIL, text="$412", share=1.0, tone="us"),
        Bar(label="Budget", text="$400", share=0.97, tone="limit"),
    ],
    drivers=[[EVIL, "$200.00", "48 %"]],
    page="/plan/",
)


@pytest.fixture
def opened(scene: Scene, ops: Any) -> Delivery:
    scene.set("a", True, title=f"Over budget: {EVIL}, $412.30 of $400", words=FULL)
    scene.look()
    return Delivery.objects.get()


def test_the_subject_begins_with_the_verdict_and_holds_name_and_amount(opened: Delivery) -> None:
    assert parsed(opened)["Subject"] == f"Over budget: {EVIL}, $412.30 of $400"


def test_names_are_text_in_every_part(opened: Delivery) -> None:
    tags = Tags()
    html = part(parsed(opened), "html")
    tags.feed(html)
    assert tags.open == []
    assert "script" not in tags.seen
    assert not any(name.startswith("on") for name in tags.attributes)
    assert html.count("&lt;script&gt;") >= 6
    assert EVIL in part(parsed(opened), "plain"), "the text part is no HTML"


def test_every_address_is_absolute_and_of_this_alert_alone(opened: Delivery, settings: Any) -> None:
    Alert.objects.exclude(pk=opened.alert.pk).delete()
    message = parsed(opened)
    tags = Tags()
    tags.feed(part(message, "html"))
    assert tags.hrefs
    assert all(href.startswith(f"{settings.BASE_URL}/") for href in tags.hrefs)
    for kind in ("plain", "html"):
        text = part(message, kind)
        assert f"{settings.BASE_URL}/alerts/{opened.alert_id}/" in text
        assert set(re.findall(r"/alerts/(\d+)", text)) == {str(opened.alert_id)}


def test_text_and_html_say_the_same(opened: Delivery) -> None:
    text, html = part(parsed(opened), "plain"), part(parsed(opened), "html")
    for said in ("$412.30", "billed 90 %", "$300–400", "$200.00", "48 %", "Highest costs this month"):
        assert said in text, said
        assert said in html, said
    first = text.splitlines()[0]
    assert first.startswith("Look at"), "what to do comes first"


def test_the_headers_let_a_reader_thread_and_unsubscribe(opened: Delivery, settings: Any) -> None:
    message = parsed(opened)
    assert message["Message-ID"] == opened.message_id
    assert message["List-Unsubscribe"].strip() == f"<{links.unsubscribe_url(opened)}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["To"] == "olga@example.com"


def test_two_attempts_at_a_delivery_are_one_message(opened: Delivery) -> None:
    first, second = parsed(opened), parsed(opened)
    for name in ("Message-ID", "Subject", "Date"):
        assert first[name] == second[name]


def test_a_late_mail_says_what_was_so_when_it_was_written(scene: Scene, ops: Any) -> None:
    scene.set("a", True, title="Down: a, for 1 min so far")
    scene.look()
    scene.set("a", True, title="Down: a, for 2 h so far")
    scene.look()
    assert Alert.objects.get().title == "Down: a, for 2 h so far"
    assert parsed(Delivery.objects.get())["Subject"] == "Down: a, for 1 min so far"


def test_the_end_has_no_button_to_acknowledge_it(scene: Scene, opened: Delivery, ops: Any) -> None:
    ops.user_permissions.add(*Permission.objects.filter(codename="change_alert"))
    scene.set("a", False, title="Within budget: x, $90.00 of $400")
    scene.look()
    end = Delivery.objects.get(transition__after="resolved")
    html = part(parsed(end), "html")
    assert "No action needed" in html
    assert "/acknowledge/" not in html
    assert "It was open from" in html
    assert parsed(end)["In-Reply-To"] == opened.message_id


@pytest.mark.parametrize(
    ("cause", "begins"),
    [("lowered", "Lower level: "), ("gone", "Resolved: "), ("closed", "Closed: "), ("escalated", "Not acknowledged: ")],
)
def test_the_subject_says_why_it_comes(opened: Delivery, cause: str, begins: str) -> None:
    opened.transition.cause, opened.transition.after = cause, "open" if cause == "escalated" else "resolved"
    opened.transition.save()
    assert parsed(opened)["Subject"].startswith(begins)


def test_what_ended_by_hand_or_is_gone_asks_for_nothing_and_an_escalation_asks_to_take_it_on(
    scene: Scene, opened: Delivery, ops: Any
) -> None:
    opened.transition.cause = "escalated"
    opened.transition.save()
    assert part(parsed(opened), "plain").startswith("Not acknowledged yet: acknowledge or assign it. ")
    services.resolve(alert_id=opened.alert.pk, by=ops, now=scene.now)
    end = Delivery.objects.get(transition__cause="closed")
    assert part(parsed(end), "plain").startswith("No action needed: olga resolved it manually.")
    end.transition.cause = "gone"
    end.transition.save()
    assert part(parsed(end), "plain").startswith("No action needed: its subject or its rule was removed")


def test_words_of_a_table_break_only_where_they_fit_nowhere() -> None:
    [usual, long] = facts_of([["Answered elsewhere", "0", "measured"], ["x" * 40, "http://" + "y" * 40, "z" * 30]])
    assert (usual.on_one_line, usual.label_breaks, usual.origin_breaks) == (True, False, False)
    assert (long.on_one_line, long.label_breaks, long.origin_breaks) == (False, True, True)
    assert (usual.has_a_row, long.has_a_row) == (False, True)
    [command] = facts_of([["To stop it", "curl -X POST " + "ab " * 20, "destroyed for good"]])
    assert command.has_a_row, "phones leave out where a figure is from, but not what a command destroys"


def test_links_that_act_are_for_those_who_may(opened: Delivery, ops: Any) -> None:
    assert "/acknowledge/" not in part(parsed(opened), "html"), "it would only lead to a refusal"
    ops.user_permissions.add(*Permission.objects.filter(codename__in=("change_alert", "add_silence")))
    for kind in ("plain", "html"):
        assert f"/alerts/{opened.alert_id}/acknowledge/?by=" in part(parsed(opened), kind)
        assert f"/alerts/{opened.alert_id}/silence/?by=" in part(parsed(opened), kind)


def test_a_recipient_cannot_smuggle_headers_in(scene: Scene, db: Any) -> None:
    person("eve", "ops", "eve@example.com\nBcc: all@example.com")
    scene.set("a", True)
    scene.look()
    delivery = Delivery.objects.get()
    with pytest.raises(ValueError, match="newlines"):
        compose(delivery).message()


def test_demo_mails_say_that_the_vendors_are_simulated(opened: Delivery, settings: Any) -> None:
    assert "simulated" not in part(parsed(opened), "plain")
    settings.DEMO = True
    for kind in ("plain", "html"):
        assert "simulated" in part(parsed(opened), kind)


def test_tokens_are_signed_for_one_thing(opened: Delivery) -> None:
    token = links.sign("silence", 5, "a@example.com")
    assert links.read(token, "silence", 5) == (5, "a@example.com")
    for action, key in (("acknowledge", 5), ("silence", 6)):
        with pytest.raises(links.BadLink):
            links.read(token, action, key)
    with pytest.raises(links.BadLink):
        links.read(token + "x", "silence", 5)


def test_a_rule_that_is_renamed_to_markup_stays_text(opened: Delivery) -> None:
    ensure_defaults()
    Rule.objects.update(name=EVIL)
    assert "<script>" not in part(parsed(opened), "html")


def test_what_mends_it_is_linked_on_the_page_and_not_in_the_mail(scene: Scene, ops: Any) -> None:
    price = "/settings/prices/?provider=aurora&model=a%2Bb"
    scene.set("a", True, words={"todo": "Enter a price.", "page": "/spend/", "fixes": [["Enter its price", price]]})
    scene.look()
    alert, mail = scene.alert(), parsed(Delivery.objects.get())
    for kind in ("plain", "html"):
        text = part(mail, kind)
        assert "/settings/prices/" not in text
        assert set(re.findall(r"/alerts/(\d+)/", text)) == {str(alert.pk)}
    admin = get_user_model().objects.create_superuser("ada", "ada@example.com", "secret")
    browser = Client()
    browser.force_login(admin)
    assert f'href="{price.replace("&", "&amp;")}"' in browser.get(alert.get_absolute_url()).content.decode()
