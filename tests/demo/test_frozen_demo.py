"""The demo company when a month turns: every page and digest shows the same figure for the same meaning."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.utils import timezone

from alerts.evaluation import services
from alerts.models import Alert
from costs.ledger import posting
from costs.reconciliation import bill_status
from costs.verdicts.verdict import WORDS, State
from dashboard.management.commands.prepare import APPS
from dashboard.overview import page
from dashboard.page_audit.compare import Figures, read
from demo import bills, history, setup
from demo.bills import ClaudeBill
from demo.client import BATCH, Client
from demo.files import Credentials
from demo.loader import rows_between
from demo.opinions import opinions
from demo.story import Story
from demo.traffic import Traffic
from sandbox.testing import running_sandbox
from tests.pages import words

pytestmark = pytest.mark.django_db(transaction=True)

DAYS = 36  # of history: the month that closed, and what lies around it
JUDGED = 6  # days whose answers are rated


@contextmanager
def demo_at(now: datetime, folder: Path) -> Iterator[None]:
    """Within, the clock stands at `now`, and the demo's last weeks are there with their bills, leases and alerts."""
    story, credentials = Story(now.date()), Credentials.kept_in(folder)
    traffic = Traffic(story)
    with time_machine.travel(now, tick=False), running_sandbox(now=now) as sandbox:
        for app in APPS:
            import_module(f"{app}.defaults").ensure_defaults()
        setup.set_up(story, credentials, sandbox.url, now)
        first = now.date() - timedelta(days=DAYS)
        days = [first + timedelta(days=n) for n in range(DAYS + 1)]
        bill = ClaudeBill()
        for day in days:
            made = traffic.day(day)
            bill.add(made, now if day == now.date() else None)
            send("/api/v1/requests", rows_between(made.rows, None, now), credentials.keys["ingest/"])
        client = Client(sandbox.url, sandbox.url, threading.Event())
        client.put_state("anthropic", bill.state())
        client.put_state("runpod", bills.runpod_state(story, now))
        client.put_state("vast", bills.vast_state(story))
        setup.accounts(sandbox.url, client.read(setup.GOOGLE_KEY), now)
        client.close()
        setup.poll_accounts()
        setup.link_lease()
        history.add_checks(story, now)
        setup.enter_charges(story, now)
        rate(traffic, days[-JUDGED - 1 : -1], credentials)
        posting.post()
        bill_status.refresh(now)
        services.evaluate(now=now, wait=True)
        yield


def send(path: str, rows: list[Any], key: str) -> None:
    browser = Browser(headers={"authorization": f"Bearer {key}"})
    for place in range(0, len(rows), BATCH):
        answer = browser.post(path, {"requests": rows[place : place + BATCH]}, content_type="application/json")
        assert answer.status_code == 200, answer.content[:300]


def rate(traffic: Traffic, days: list[date], credentials: Credentials) -> None:
    for day in days:
        for row in traffic.day(day).rows:
            for opinion in opinions(row):
                headers = {"authorization": f"Bearer {credentials.keys['rate/' + row['application']]}"}
                Browser(headers=headers).post(
                    "/api/v1/feedback", opinion.as_feedback(), content_type="application/json"
                )


def audited(now: datetime) -> Figures:
    admin = User.objects.filter(is_superuser=True)[0]
    return read(admin, now, of_one_view=2)


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 12, 1, 0, 2, tzinfo=UTC),
        datetime(2026, 12, 3, 9, 30, tzinfo=UTC),
        datetime(2026, 11, 30, 18, 0, tzinfo=UTC),
    ],
    ids=lambda now: f"{now:%d %B %H:%M}",
)
def test_pages_and_digests_agree_and_the_front_page_says_what_is_known(now: datetime, tmp_path: Path) -> None:
    with demo_at(now, tmp_path):
        figures = audited(now)
        assert [*figures.differences()] == []
        compared = {meaning[0] for meaning, values in figures.values.items() if len(places_of(values)) > 1}
        assert {
            "spend",
            "budget",
            "saving",
            "crossing",
            "saving-low",
            "saving-high",
            "acceptable-share",
            "bill-gap",
            "bill-difference",
            "busy",
            "open-alerts",
            "verdict: saving",
            "verdict: quality",
        } <= compared
        overview = page.context(timezone.now())
        headline = words(overview["headline"])
        assert len(headline.split()) <= 15, headline
        if now.day <= 5:
            assert overview["closed"].month == date(2026, 11, 1)
            assert "heading over" not in headline and "% " not in headline
        else:
            admin = Browser()
            admin.force_login(User.objects.filter(is_superuser=True)[0])
            seen = states_seen(figures, admin)
            assert all(seen.values()), f"a state that no page of the demo shows: {seen}"
            assert {"/break-even/", "/quality/"} & seen["Too close to call"]
            assert overview["closed"] is None
            assert any("(mail)" in place for place in places_of(figures.values["forecast", "2026-11", ""]))
            assert any("digests" in place for place in places_of(figures.values["budget", "2026-11", ""]))
        assert not Alert.objects.filter(title__contains="25,268")


def states_seen(figures: Figures, admin: Browser) -> dict[str, set[str]]:
    """Where each of the four states of a verdict can be seen: by its mark, or as a word in a chip or a sentence."""
    seen: dict[str, set[str]] = {str(word): set() for word in WORDS.values()}
    for (name, _period, _scope), values in figures.values.items():
        if name.startswith("verdict: "):
            for state, places in values.items():
                where = {f"{name.removeprefix('verdict: ')} on {place}" for place in places}
                seen[str(WORDS[State(state)])] |= where
    for page_of in ("/break-even/", "/quality/"):
        html = admin.get(page_of).content.decode().lower()
        for word in seen:
            seen[word] |= {page_of} if word.lower() in html else set()
    return seen


def places_of(values: dict[str, list[str]]) -> set[str]:
    return {place for places in values.values() for place in places}
