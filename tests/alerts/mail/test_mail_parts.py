"""What a mail is made of: a subject that fits a phone, a chart and the words for it, links that act once."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from alerts.charts.picture import LINE, VALUE, png
from alerts.charts.timeline import Point
from alerts.charts.value_history import value_history
from alerts.delivery.compose import compose
from alerts.lifecycle.states import Cause
from alerts.mail import links, subjects
from alerts.models import Alert, Delivery, OptOut, Rule, Silence
from tests.alerts.conftest import START, Scene
from tests.alerts.mail_parts import parsed, part
from tests.costs.usage_rows import usage
from tests.factories import ApplicationFactory

# A title of each kind of rule as its evaluator writes it: verdict, name, amounts that must stay whole.
TITLES = [
    ("Over budget: ", "{}", ", $12,412.30 of $10,000"),
    ("90 % of budget: ", "{}", ", $9,412.30 of $10,000"),
    ("Heading over budget: ", "{}", ", $12,412.30 of $10,000"),
    ("Left the phase: ", "{}", ", 106,700 requests a month"),
    ("Down: ", "{}", ", for 3 min 10 s so far"),
    ("Up again: ", "{}", ", after 9 h 40 min"),
    ("Missed: ", "{}", ", late for 12 min so far"),
    ("No price: ", "{}", ", 12,345 requests of unknown cost"),
    ("Balance low: ", "{}", ", $12.40, 1.2 days"),
    ("Stopped but billed: ", "{}", ", $120.00 in 9 h 40 min"),
    ("Offer: ", "{}", " at $0.3412 an hour, below $0.40"),
    ("Bill apart: ", "{}", ", October 2026, $120.40 from ours"),
    ("Mail refused: ", "{}", ", 3 times in a row"),
    ("Channel dead: ", "{}", ", 12 failures in a row"),
    ("Poll overdue: ", "{}", ", due 3 d 4 h ago"),
    ("", "Spend of application {} this month", ": $512.00, over $500"),
]
PREFIXED = [Cause.CROSSED, Cause.REMINDED, Cause.ESCALATED, Cause.CLOSED]
NAMES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200),
    st.text(st.sampled_from("👩‍💻🏳️‍🌈🚀é中文:, ,"), min_size=1, max_size=120),
)


@given(st.sampled_from(TITLES), NAMES, st.sampled_from(PREFIXED), st.sampled_from([0, 1, 12]))
def test_every_subject_holds_verdict_name_and_amount_within_sixty_characters(
    title: tuple[str, str, str], name: str, cause: Cause, more: int
) -> None:
    verdict, middle, amounts = title
    whole = verdict + middle.format(name) + amounts
    after = "resolved" if cause == Cause.CLOSED else "open"
    said = subjects.subject(subjects.heading(whole, cause, after), more)
    assert len(said) <= subjects.MOST
    if cause == Cause.CROSSED:
        assert said.startswith(verdict)
        assert said[len(verdict) : len(verdict) + 8].partition(subjects.CUT)[0].rstrip(". ") in whole
        assert amounts.rstrip() in said if not more else amounts.rstrip()[-12:] in said
    if more:
        assert str(more) in said.rpartition(amounts.rstrip()[-12:])[2]


@pytest.mark.parametrize("name", [" " + "0" * 60, "0000 " + "0" * 60, " " * 9 + "x" * 60])
def test_blanks_in_a_name_leave_the_verdict_whole(name: str) -> None:
    subject = subjects.subject(f"Over budget: {name}, $12,412.30 of $10,000")
    assert subject.startswith("Over budget: ") and subject.endswith(", $12,412.30 of $10,000")
    assert len(subject) <= subjects.MOST


def test_a_cut_takes_no_emoji_apart_and_what_fits_is_whole() -> None:
    assert subjects.subject("Down: a, for 3 min") == "Down: a, for 3 min"
    for n in range(120):
        said = subjects.subject(f"Down: {'x' * n}{'👩‍💻' * 30}, for 3 min")
        assert "\N{ZERO WIDTH JOINER}..." not in said
        assert not said.partition("...")[2].startswith("\N{ZERO WIDTH JOINER}")


def test_a_cut_leaves_no_half_of_a_word_where_a_name_has_more_of_them() -> None:
    said = subjects.subject("Budget over: Answers of the customer support desk in Italian this month, $512.00 of $500")
    assert said == "Budget over: Answers...Italian this month, $512.00 of $500"
    one_word = subjects.subject(f"Budget over: {'x' * 60}, $512.00 of $500")
    assert one_word == f"Budget over: xxxxxxxx...{'x' * 19}, $512.00 of $500"


NOISE = random.Random(1).choices(range(99), k=999)


def points(values: list[int], line: int | None = 50) -> list[Point]:
    limit = None if line is None else Decimal(line)
    return [Point(START + timedelta(hours=n), Decimal(value), limit) for n, value in enumerate(values)]


@pytest.mark.parametrize("values", [[1, 2], [0, 0, 0], [-5, 5], [10**12, 1], NOISE])
def test_a_chart_is_small_has_no_background_and_shows_value_and_line_on_both_papers(values: list[int]) -> None:
    image = png(points(values))
    assert len(image) <= 20_000
    drawn = Image.open(BytesIO(image)).convert("RGBA")
    assert drawn.getpixel((0, 0))[3] == 0  # type: ignore[index]  # four numbers
    near = [
        any(max(abs(a - b) for a, b in zip(colour[:3], tone, strict=True)) < 30 and colour[3] > 200 for colour in seen)  # type: ignore[index]
        for tone in (VALUE, LINE)
        if (seen := [colour for _n, colour in drawn.getcolors(10**6) or []])
    ]
    assert near == [True, True]
    for tone in (VALUE, LINE):
        for paper in ((253, 252, 249), (18, 20, 23)):
            assert contrast(tone, paper) >= 3


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """As WCAG reckons it."""

    def luminance(colour: tuple[int, ...]) -> float:
        parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_chart_is_a_part_of_the_mail_and_its_words_stand_in_every_part(grown: Delivery) -> None:
    message = parsed(grown)
    assert message.get_content_type() == "multipart/related"
    assert [one.get_content_type() for one in message.iter_parts()] == ["multipart/alternative", "image/png"]
    image = next(one for one in message.walk() if one.get_content_type() == "image/png")
    html, text = part(message, "html"), part(message, "plain")
    assert f'src="cid:{image["Content-ID"].strip("<>")}"' in html
    alt = "the value was 12.5, limit 10"
    assert alt in html and alt in text
    assert html.count(alt) == 1 and "<img " in html and 'alt="From ' in html
    assert compose(grown).attachments[0].get_payload() == compose(grown).attachments[0].get_payload()


def test_the_first_line_says_what_to_do(scene: Scene, ops: Any) -> None:
    scene.set("a", True, words={"todo": "Look at the machine.", "detail": "It does not answer."})
    scene.look()
    message = parsed(Delivery.objects.get())
    assert part(message, "plain").splitlines()[0] == "Look at the machine."
    html = part(message, "html")
    assert html.index("Look at the machine.") < html.index("It does not answer.")


def test_links_act_by_one_click_once_without_a_login_and_a_scanner_that_opens_them_changes_nothing(
    grown: Delivery,
) -> None:
    for action in ("acknowledge", "silence"):
        url = links.action_url(grown, action)
        stranger = Client()
        for _n in range(3):
            assert stranger.get(url).status_code == 200 and stranger.head(url).status_code == 200
        assert not done(action), "GET never changes anything"
        sent = {"hours": "8", "reason": "known"} if action == "silence" else {}
        assert stranger.post(url, sent).status_code == 200
        assert done(action)
        assert stranger.post(url, sent).status_code == 410, "single use"


def done(action: str) -> bool:
    return Silence.objects.exists() if action == "silence" else Alert.objects.get().state == "acknowledged"


def test_a_link_ends_after_a_week_and_where_logins_are_asked_for_it_needs_one(grown: Delivery, settings: Any) -> None:
    url = links.action_url(grown, "acknowledge")
    settings.MAIL_LINKS_ACT = False
    answer = Client().get(url)
    assert (answer.status_code, answer["Location"].startswith("/login/")) == (302, True)
    assert "?by=" not in links.action_url(grown, "acknowledge")
    assert "/acknowledge/" in part(parsed(grown), "html")
    settings.MAIL_LINKS_ACT = True
    with pytest.raises(links.BadLink, match="expired"):
        links.read(url.partition("?by=")[2], "acknowledge", lasts=timedelta(seconds=-1))
    assert timedelta(days=7) == links.LASTS


def test_a_mail_about_several_rules_unsubscribes_from_all_of_them_with_one_post(grown: Delivery) -> None:
    other = Rule.objects.exclude(pk=grown.alert.rule_id)[0]
    twin = Delivery.objects.exclude(pk=grown.pk)[0]
    Alert.objects.filter(pk=twin.alert.pk).update(rule=other)
    Delivery.objects.filter(pk=grown.pk).update(deferred_by="digest")
    twin.folded_into_id = grown.pk
    twin.save()
    grown.refresh_from_db()
    with time_machine.travel(timezone.now(), tick=False):  # a link is signed with the second that it is written in
        message = parsed(grown)
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = message["List-Unsubscribe"].strip(" <>")
    assert url in part(message, "html") and url in part(message, "plain")
    reader = Client(enforce_csrf_checks=True)
    assert reader.get(url).status_code == 200 and not OptOut.objects.exists()
    assert reader.post(url, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert set(OptOut.objects.values_list("rule", flat=True)) == {other.pk}
    reader.post(url, {"again": "1"})
    assert not OptOut.objects.exists()


def test_a_budgets_chart_is_its_month_added_up_and_ends_in_the_figure_of_the_mail(db: Any) -> None:
    application = ApplicationFactory.create(slug="bot", name="Bot")
    for day in range(1, 25):
        usage(day=START.date().replace(day=day), application_id=application.pk, cost=Decimal(2))
    rule = Rule.objects.create(slug="b", kind="budget", name="B")
    alert = Alert(rule=rule, kind="budget", subject="phase:now:2026-11", threshold="40", pending_since=START)
    seen = value_history(alert, START, "47.50")
    assert seen is not None
    values = [point.value for point in seen.points]
    assert values[:3] == [0, 2, 4] and values[-2:] == [46, Decimal("47.50")]
    assert seen.sentence.endswith("$0.00 to $47.50, limit $40.")
    with timezone.override(ZoneInfo("Europe/Berlin")):
        assert seen.sentence.startswith("From 1 Nov 2026 to 24 Nov 2026 the value"), "a day of money has no hour"
