"""Every kind's mail, read as a person would: what to do, which figures, where to go. With `BREAKEVEN_MAILS=DIR` each is
written there as well, to look at."""

from __future__ import annotations

import os
import re
from datetime import date, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission

from alerts.defaults import ensure_defaults
from alerts.delivery import outbox
from alerts.delivery.grouping import merge_due
from alerts.digests import services as reporting
from alerts.digests.periods import newest
from alerts.evaluation import services
from alerts.kinds import KINDS
from alerts.mail.subjects import MOST
from alerts.management.commands.mails import write
from alerts.models import Alert, Delivery, Preference, Rule
from tests.alerts.conditions import NOW, TODAY, use
from tests.alerts.conftest import Scene, person
from tests.alerts.mail_parts import parsed, part
from tests.alerts.samples import DAY, SAMPLES, applications, mended, planned, spent

# Whose mail names what moves its figure most; the others have nothing that could be divided.
DRIVEN = {
    "budget", "budget-forecast", "burn-rate", "phase", "break-even", "outage", "error-rate", "anomaly", "unpriced",
    "price", "retiring", "balance", "bill-gap", "figure",
}  # fmt: skip


class Seen(HTMLParser):
    """What a person reads of the HTML: its texts one after the other, without its head and what is hidden."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.off = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.off += tag in ("head", "style")

    def handle_endtag(self, tag: str) -> None:
        self.off -= tag in ("head", "style")

    def handle_data(self, data: str) -> None:
        if not self.off:
            self.texts.append(" ".join(data.split()))


def figures_of(text: str) -> set[str]:
    return set(re.findall(r"[\d][\d,.:]*\d|\d", text))


@pytest.fixture
def told(db: Any) -> None:
    """Somebody of each role, and rules that wait for nothing."""
    for name, group in (("olaf", "ops"), ("mara", "manager"), ("ada", "admin")):
        person(name, group)
    acts = Permission.objects.filter(codename__in=("change_alert", "add_silence"))
    Group.objects.get(name="ops").permissions.add(*acts)
    ensure_defaults()
    Rule.objects.update(for_s=0, clear_for_s=0)


def test_every_kind_has_a_sample() -> None:
    assert SAMPLES.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kinds_mail_says_what_to_do_how_much_and_where(
    kind: str, told: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    SAMPLES[kind](monkeypatch)
    services.evaluate(now=NOW, kinds=[kind], wait=True)
    first = {row.alert_id: row for row in Delivery.objects.order_by("-pk")}
    assert first, "nothing was told"
    for delivery in first.values():
        reads_well(delivery)
    assert any(row.transition.words.get("drivers") for row in first.values()) == (kind in DRIVEN)
    monkeypatch.undo()
    mended()
    services.evaluate(now=NOW, kinds=[kind], wait=True)
    assert [str(one) for one in Alert.objects.live() if kind != "quality"] == []
    for delivery in Delivery.objects.filter(transition__after="resolved").order_by("pk"):
        keep_alert(delivery)


@pytest.mark.parametrize("report", ["daily", "weekly", "monthly", "statement"])
def test_what_the_calendar_brings_says_what_to_do_and_the_same_in_its_text(
    report: str, told: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    planned(starts_on=date(2026, 1, 1))
    spent("15.70", days=90)
    late = {"task": "chat", "application_id": applications()["docs-qa"].pk}
    use(TODAY - DAY, 4000, cost=Decimal("21.40"), **late)
    SAMPLES["outage"](monkeypatch)
    services.evaluate(now=NOW, kinds=["outage"], wait=True)
    mara = get_user_model().objects.get(username="mara")
    wishes = Preference.objects.create(person=mara, timezone="Europe/Berlin")
    assert reporting.write(mara, wishes, report, newest(report, TODAY), NOW) == 1
    delivery = Delivery.objects.get(report__isnull=False)
    line = f"report_written report_id={delivery.report_id} delivery_id={delivery.pk} kind={report} since="
    assert line in caplog.text
    message = parsed(delivery)
    text, html = part(message, "plain"), part(message, "html")
    assert len(message["Subject"]) <= MOST and figures_of(message["Subject"])
    assert text.startswith(delivery.report.words["todo"])  # type: ignore[union-attr]  # it has one
    assert_same_figures(html, text)
    assert "24 Nov 2026, 13:00 CET" in text, "moments are the reader's"
    assert not re.search(r"0[01]:00 CE", text), "a day of money is no moment"
    keep(report, delivery)


def test_an_escalation_a_flood_and_what_was_held_say_the_same_in_their_text(
    told: None, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.now = NOW
    for n in range(14):
        title = f"Down: llama-{n}, for 3 min so far"
        words = {"todo": "Look at the machine.", "detail": "3 checks in a row failed: connection refused"}
        scene.set(f"deployment:llama-{n}", True, title=title, words=words)
    scene.look()
    outbox.deliver(clock=lambda: scene.now)
    flood = Delivery.objects.filter(folded__isnull=False).first()
    assert flood and parsed(flood)["Subject"].endswith(", and 3 more")
    assert "connection refused. Open since" in " ".join(part(parsed(flood), "html").split())
    said_alike("flood", flood)
    scene.look(3600)
    escalated = Delivery.objects.filter(transition__cause="escalated").first()
    assert escalated
    said_alike("escalation", escalated)
    Delivery.objects.filter(state="waiting").update(deferred_by="digest")
    row = Delivery.objects.filter(state="waiting").first()
    assert row
    merge_due(row, NOW + 2 * DAY)
    said_alike("held", row)


def test_the_mail_that_the_rules_do_not_run_says_what_to_look_at(told: None) -> None:
    Rule.objects.update(evaluated_at=NOW - timedelta(minutes=12))
    services.evaluate(now=NOW, kinds=["late"], stamp=False)
    delivery = Delivery.objects.latest("pk")
    assert str(parsed(delivery)["Subject"]).startswith("Rules late: ")
    said_alike("dead-man", delivery)


def said_alike(name: str, delivery: Delivery) -> None:
    message = parsed(delivery)
    assert len(message["Subject"]) <= MOST
    assert_same_figures(part(message, "html"), part(message, "plain"))
    keep(name, delivery)


def assert_same_figures(html: str, text: str) -> None:
    seen = Seen()
    seen.feed(html)
    assert figures_of(" ".join(seen.texts)) <= figures_of(text), "the text says every figure of the HTML"


def reads_well(delivery: Delivery) -> None:
    message = parsed(delivery)
    text, html = part(message, "plain"), part(message, "html")
    verdict, _colon, rest = str(message["Subject"]).partition(": ")
    assert len(message["Subject"].strip()) <= MOST
    assert verdict and rest, "the verdict, then what it is about"
    assert figures_of(message["Subject"]), "the amount"
    words = delivery.transition.words
    assert text.splitlines()[0] == words["todo"] != "", "the first line says what to do"
    assert_same_figures(html, text)
    for fact in words["facts"]:
        assert all(said in text for said in fact[:3]), "label, value and origin; what follows is for the audit"
    for action in ("acknowledge", "silence"):
        assert (f"/{action}/" in text) == (f"/{action}/" in html) == (delivery.recipient == "olaf@example.com")
    assert words["page"] and f"{words['page']}" in text
    keep_alert(delivery)


def keep_alert(delivery: Delivery) -> None:
    keep(f"{delivery.alert.rule.kind}-{delivery.alert.subject}-{delivery.transition.after}", delivery)


def keep(name: str, delivery: Delivery) -> None:
    if folder := os.environ.get("BREAKEVEN_MAILS"):
        write(Path(folder), name, delivery)
