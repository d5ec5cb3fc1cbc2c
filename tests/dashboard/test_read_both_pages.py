"""Contradictions 9, 14 and 20 of the review: what a person does on one page, and what the other page then says."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts.evaluation.services import evaluate
from alerts.models import Alert, Delivery, Rule
from tests.alerts.conftest import person as recipient
from tests.pages import html_of, words
from tests.providers.people import account, deployment, lease
from tests.traffic.people import PROMPT, application, arrive


def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("mia", "mia@example.com", "a long password of hers"))
    return client


def text(client: Client, url: str) -> str:
    return words(html_of(client.get(url)))


# 9: Rate and Quality.


def test_quality_calls_acceptable_what_rate_offers_as_acceptable(conn: psycopg.Connection) -> None:
    client, shop = admin(), application("shop")
    since = timezone.now() - timedelta(hours=2)
    arrive(
        conn,
        *(
            {"application_id": shop.pk, "started_at": since + timedelta(minutes=n), "external_id": f"k{n}",
             "response_id": f"r{n}", "prompt": PROMPT, "answer": f"Answer {n}."}
            for n in range(5)
        ),
    )  # fmt: skip
    promised = {}
    for stars in "12345":
        page = html_of(client.get("/quality/rate/"))
        offered = re.findall(r'name="stars" value="(\d)"', page)
        assert offered == [*"12345"]
        line = page.index("acceptable from here")
        promised[stars] = page.index(f'name="stars" value="{stars}"') > line
        [asked] = re.findall(r'name="request" value="([^"]+)"', page)[:1]
        sent = {"request": asked, "stars": stars, "comment": f"As told: {stars}."}
        assert client.post("/quality/rate/", sent).status_code == 302
    quality = text(client, "/quality/")
    for stars, acceptable in promised.items():
        word = "acceptable" if acceptable else "not acceptable"
        assert re.findall(rf"((?:not )?acceptable) {stars} of 5 As told: {stars}\.", quality) == [word]
    assert f"{sum(promised.values())} of 5" in quality and sum(promised.values()) == 2


# 14: Rules and Notifications.


def down(name: str) -> Alert:
    rule = Rule.objects.get(kind="outage")
    now = timezone.now()
    return Alert.objects.create(
        rule=rule, kind=rule.kind, subject=name, title=name, severity="critical", state="open", pending_since=now,
        opened_at=now,
    )  # fmt: skip


def message(alert: Alert, to: str, state: str) -> None:
    now = timezone.now()
    Delivery.objects.create(
        alert=alert, transition=alert.transitions.create(before="", after="open", cause="crossed", at=now),
        recipient=to, state=state, answer="550 5.1.1 no such person" if state == "dead" else "250 OK", channel="email",
        due_at=now,
    )  # fmt: skip


def test_rules_and_its_rows_count_the_recipients_whom_the_newest_notification_did_not_reach(db: Any) -> None:
    client = admin()
    evaluate(now=timezone.now(), kinds=[], wait=True)
    for name in ("olga", "nina"):
        recipient(name, "ops")

    def rules() -> tuple[str, set[str], str]:
        page = text(client, "/alerts/rules/")
        listed = {*re.findall(r"Not delivered to (\S+):", page)}
        assert {*re.findall(r"Not delivered to (\S+):", text(client, "/alerts/rules/outage/"))} <= listed
        return page, listed, text(client, "/alerts/deliveries/")

    page, listed, sent = rules()
    assert "all with working recipients" in page and not listed
    message(down("a"), "nina@example.com", "dead")
    page, listed, sent = rules()
    assert listed == {"nina@example.com"} and "but notifications to 1 recipient fail" in page
    assert "0 of 1 notification was accepted, 0 will be retried, 1 failed." in sent
    message(down("b"), "nina@example.com", "accepted")
    page, listed, sent = rules()
    assert "all with working recipients" in page and not listed, "the address works again"
    assert "1 of 2 notifications were accepted" in sent


# 20: the lease's page, the list of leases and Uptime.


@pytest.mark.parametrize(
    ("hours", "unused"), [(61, "no requests since it started 2 d 13 h ago"), (24 * 9, "none for 7 days")]
)
def test_a_lease_was_idle_for_no_longer_than_the_list_of_leases_has_it(db: Any, hours: int, unused: str) -> None:
    client = admin()
    made = lease(account(), hours=hours, name="gpu-1")
    deployment("mistral", lease=made)
    page, listed = (text(client, url) for url in (f"/providers/leases/{made.pk}/", "/providers/leases/"))
    assert unused in page and ("none for" in page) is (hours > 7 * 24)
    [existed] = re.findall(r"gpu-1 .*? 0\.4000 ([\d.]+)", listed)
    assert float(existed) == pytest.approx(hours, abs=0.1)
    idle = {"2 d 13 h": 61, "7 days": 7 * 24}
    assert [span <= float(existed) for wording, span in idle.items() if wording in unused] == [True]
