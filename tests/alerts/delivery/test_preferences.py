"""Each person is told as they wish: from a severity on, not in quiet hours, once a day, in their own time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.mail import EmailMultiAlternatives

from alerts.delivery import outbox, quiet_hours
from alerts.delivery.compose import compose
from alerts.models import Delivery, Preference
from alerts.wording import localised
from lib import wall_clock
from tests.alerts.conftest import Scene
from tests.alerts.smtp_server import Mailbox, Smtp
from tests.dashboard.logins import logged_in, with_role

BERLIN = ZoneInfo("Europe/Berlin")


def utc(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[arg-type,misc]  # year, month, day and so on


def wishes(person: Any, **more: Any) -> Preference:
    return Preference.objects.create(person=person, **more)


def deliver(scene: Scene, at: datetime | None = None) -> int:
    scene.now = at or scene.now
    return outbox.deliver(clock=lambda: scene.now).accepted


@pytest.mark.parametrize(
    ("at", "end"),
    [
        (utc(2026, 11, 24, 21, 30), utc(2026, 11, 25, 6)),  # 22:30 in Berlin, until 7 the next morning
        (utc(2026, 11, 24, 5, 59), utc(2026, 11, 24, 6)),
        (utc(2026, 11, 24, 6), None),  # the end is no longer quiet
        (utc(2026, 11, 24, 20, 59), None),
        (utc(2026, 11, 24, 21), utc(2026, 11, 25, 6)),
        (utc(2026, 3, 28, 22), utc(2026, 3, 29, 5)),  # clocks are put forward that night
        (utc(2026, 10, 24, 21), utc(2026, 10, 25, 6)),  # and back that one
    ],
)
def test_quiet_hours_end_by_the_clock_on_the_persons_wall(at: datetime, end: datetime | None) -> None:
    assert wall_clock.span_end(at, time(22), time(7), BERLIN) == end


def test_quiet_hours_within_a_day_and_none_at_all() -> None:
    assert wall_clock.span_end(utc(2026, 11, 24, 12), time(12), time(13), ZoneInfo("UTC")) == utc(2026, 11, 24, 13)
    assert wall_clock.span_end(utc(2026, 11, 24, 13), time(12), time(13), ZoneInfo("UTC")) is None
    assert wall_clock.span_end(utc(2026, 11, 24, 13), time(9), time(9), ZoneInfo("UTC")) is None


def test_what_is_critical_waits_for_nothing_and_a_digest_in_quiet_hours_waits_for_their_end() -> None:
    person = Preference(quiet_from=time(22), quiet_until=time(9), digest="info", timezone="Europe/Berlin")
    at = utc(2026, 11, 24, 22)
    assert quiet_hours.send_time(person, "critical", at) == quiet_hours.SendTime(at)
    assert quiet_hours.send_time(person, "warning", at) == quiet_hours.SendTime(utc(2026, 11, 25, 8), "quiet")
    assert quiet_hours.send_time(person, "info", at) == quiet_hours.SendTime(utc(2026, 11, 25, 8), "digest")
    assert quiet_hours.send_time(None, "info", at) == quiet_hours.SendTime(at)


def test_quiet_hours_hold_back_what_is_not_critical_and_then_one_mail_lists_it(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox
) -> None:
    wishes(ops, quiet_from=time(22), quiet_until=time(7), timezone="Europe/Berlin")
    scene.now = utc(2026, 11, 24, 22)
    scene.set("a", True, severity="warning")
    scene.set("b", True, severity="warning", title="Slow: b, $<3>")
    scene.set("c", True, severity="critical")
    scene.look()
    assert deliver(scene) == 1
    assert mailbox.subjects() == ["Down: c, $12.50"]
    scene.set("a", False)
    scene.look()
    assert deliver(scene, utc(2026, 11, 25, 5, 59)) == 0
    assert deliver(scene, utc(2026, 11, 25, 6)) == 1
    assert mailbox.subjects()[1:] == ["During your quiet hours: 3 alerts, 1 open"]
    text = mailbox.accepted[1].get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has one
    html = mailbox.accepted[1].get_body(("html",)).get_content()  # type: ignore[union-attr]  # it has one
    for words in ("Down: a, $12.50", "Resolved: Down: a", "Slow: b", "24 Nov 2026, 23:00 CET"):
        assert words in text or words.replace("Resolved: Down", "Resolved: Up again") in text, words
    assert "Slow: b, $&lt;3&gt;" in html
    states = Delivery.objects.order_by("id").values_list("state", "deferred_by")
    assert sorted(states) == [("accepted", ""), ("accepted", "quiet"), ("folded", "quiet"), ("folded", "quiet")]
    assert deliver(scene, utc(2026, 11, 25, 7)) == 0


def test_a_single_one_that_waited_comes_as_it_is(scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox) -> None:
    wishes(ops, quiet_from=time(22), quiet_until=time(7))
    scene.now = utc(2026, 11, 24, 23)
    scene.set("a", True, severity="warning")
    scene.look()
    assert deliver(scene, utc(2026, 11, 25, 7)) == 1
    assert mailbox.subjects() == ["Down: a, $12.50"]


def test_what_becomes_critical_comes_at_once_after_what_was_held_back_about_it(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox
) -> None:
    wishes(ops, quiet_from=time(22), quiet_until=time(7))
    scene.now = utc(2026, 11, 24, 23)
    scene.set("a", True, severity="warning", level=1, sustained_level=1)
    scene.look()
    assert deliver(scene) == 0
    scene.set("a", True, severity="critical", level=2, sustained_level=2, title="Worse: a, $99")
    scene.look()
    assert deliver(scene) == 1, "the lower level was replaced without a word"
    assert mailbox.subjects() == ["Worse: a, $99"]


def test_a_minimum_severity_and_a_digest_hold_for_one_person_alone(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox
) -> None:
    from tests.alerts.conftest import person

    wishes(ops, least="critical")
    wishes(person("dora", "ops"), digest="warning", digest_at=time(8), timezone="America/New_York")
    person("eve", "ops")
    for name in "ab":
        scene.set(name, True, severity="warning")
    scene.look()
    assert deliver(scene) == 2
    assert mailbox.recipients == ["eve@example.com"] * 2
    assert deliver(scene, utc(2026, 11, 24, 13)) == 1, "8 in New York"
    assert mailbox.subjects()[-1] == "Your digest: 2 alerts, 2 open"
    assert mailbox.recipients[-1] == "dora@example.com"


def test_times_in_a_mail_are_the_readers_own(scene: Scene, ops: Any) -> None:
    wishes(ops, timezone="Asia/Kolkata")
    facts = [["Since", "24 Nov 2026, 20:58 UTC", "down since 24 Nov 2026, 20:58 UTC"]]
    scene.set("a", True, words={"facts": facts, "detail": "Seen 1 May 2026, 23:00 UTC."})
    scene.look()
    message = compose(Delivery.objects.get())
    assert isinstance(message, EmailMultiAlternatives)
    body = str(message.body)
    assert "25 Nov 2026, 02:28 IST  (down since 25 Nov 2026, 02:28 IST)" in body
    assert "Seen 2 May 2026, 04:30 IST." in body
    assert "UTC" not in re.sub(r"https?://\S+", "", body)  # the signature in a link is random letters
    assert localised({"n": 3, "at": ["24 Nov 2026, 20:58 UTC"]}) == {"n": 3, "at": ["24 Nov 2026, 20:58 UTC"]}


def test_everybody_says_on_their_own_page_how_they_want_to_be_told(scene: Scene, ops: Any, smtp: Smtp) -> None:
    admin = logged_in(with_role("admin"))
    url = "/alerts/preferences/"
    assert url in admin.get("/alerts/").content.decode(), "linked from the person's menu"
    assert 'name="language"' not in admin.get(url).content.decode(), "there is one alone"
    good = {"least": "info", "digest": "", "digest_at": "08:00", "timezone": "europe/berlin"}
    for bad, why in (
        ({"timezone": "Mars/Olympus"}, "no time zone of this name"),
        ({"quiet_from": "22:00"}, "both a start and an end"),
        ({"digest_at": "25:99"}, "valid time"),
    ):
        answer = admin.post(url, good | bad)
        assert answer.status_code == 422 and why in answer.content.decode()
    assert not Preference.objects.exists()
    mine = logged_in(ops)
    mine.post(url, good | {"quiet_from": "00:00", "quiet_until": "23:59", "digest": "warning"})
    saved = Preference.objects.get()
    assert (saved.person, saved.timezone, saved.quiet_until) == (ops, "Europe/Berlin", time(23, 59))
    scene.set("a", True, severity="warning")
    scene.look()
    assert Delivery.objects.get().deferred_by == "digest"
    assert "1 notification is waiting" in mine.get(url).content.decode()
    mine.post(url, good)
    assert Delivery.objects.get().deferred_by == "", "what waits follows the new wishes"


# --- bad input ---


def test_a_recipient_with_a_line_break_gets_no_header_in_and_holds_up_no_other(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox
) -> None:
    from tests.alerts.conftest import person

    person("evil", "ops", "evil@example.com\nBcc: everybody@example.com")
    scene.set("a", True, title="Down: x\r\nBcc: all@example.com, $3")
    scene.look()
    assert deliver(scene) == 1
    assert mailbox.recipients == ["olga@example.com"]
    assert mailbox.accepted[0]["Bcc"] is None
    row = Delivery.objects.get(recipient__startswith="evil")
    assert row.state == "dead" and "not a mail" in row.answer


def test_tls_that_fails_loses_nothing_and_stands_beside_the_rule(
    scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox, settings: Any
) -> None:
    scene.set("a", True)
    scene.look()
    settings.EMAIL_USE_SSL = True
    assert deliver(scene) == 0
    settings.EMAIL_USE_SSL, settings.EMAIL_USE_TLS = False, True
    answers = [Delivery.objects.get().answer]
    assert deliver(scene, scene.now.replace(minute=2)) == 0
    answers.append(Delivery.objects.get().answer)
    assert "SSL" in answers[0] and "STARTTLS" in answers[1]
    page = logged_in(with_role("admin")).get("/alerts/rules/").content.decode()
    assert "Not delivered to olga@example.com" in page and "STARTTLS" in page
    settings.EMAIL_USE_TLS = False
    assert deliver(scene, scene.now.replace(minute=4)) == 1
