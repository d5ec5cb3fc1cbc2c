"""The page Health: a sentence for each part of the installation, and each vendor feed with its state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from alerts.context.restarts import Restart
from dashboard.health import page as health
from lib.disk import Disk
from tests.dashboard.logins import logged_in, with_role
from tests.factories import AccountFactory, FeedFactory
from tests.pages import html_of

NOW = datetime(2026, 6, 18, 12, tzinfo=UTC)
GIB = 1 << 30


def test_a_disk_below_its_floor_and_one_elsewhere_are_told_apart() -> None:
    full, roomy = Disk(100 * GIB, 99 * GIB, GIB, 3 * GIB), Disk(100 * GIB, GIB, 99 * GIB, 3 * GIB)
    assert (health.disk(full).mark, health.disk(roomy).mark, health.disk(None).mark) == ("bad", "ok", "unknown")
    assert "99.0" in health.disk(roomy).finding.replace("\xa0", " ")


def test_a_queue_that_does_not_answer_is_not_an_empty_one() -> None:
    assert health.queue(None).mark == "bad"
    assert (health.queue(0).mark, health.queue(0).finding) == ("ok", "0 tasks wait.")
    assert (health.queue(1).finding, health.queue(5_000).mark) == ("1 task waits.", "warn")


def test_what_readyz_refuses_stands_on_the_page() -> None:
    assert health.storing([]).mark == "ok"
    refused = health.storing(["The database does not answer."])
    assert (refused.mark, refused.finding) == ("bad", "The database does not answer.")


def test_rules_that_never_ran_are_unknown_and_late_ones_do_not_work() -> None:
    assert health.rules(None, True).mark == "unknown"
    assert (health.rules(NOW, False).mark, health.rules(NOW, True).mark) == ("ok", "bad")


def test_a_notification_that_waits_for_minutes_is_marked() -> None:
    assert health.notifications(0, None, now=NOW).finding == "None waits to be sent."
    assert health.notifications(2, NOW - timedelta(seconds=4), now=NOW).mark == "ok"
    late = health.notifications(2, NOW - timedelta(minutes=9), now=NOW)
    assert late.mark == "warn" and "2 wait to be sent, the oldest since" in late.finding


def test_restarts_and_a_missing_mail_server_ask_for_a_check() -> None:
    assert health.processes({}).mark == "ok"
    assert health.processes({"web": [Restart("web", NOW, "was ended by SIGKILL")]}).mark == "warn"
    assert (health.mail(True).mark, health.mail(False).mark) == ("ok", "warn")


@pytest.mark.parametrize(
    ("status", "mark"),
    [
        (200, "ok"),
        (503, "bad"),
        (httpx.ConnectError("refused"), "bad"),
        (httpx.ConnectTimeout("late"), "unknown"),
        (httpx.ReadTimeout("late"), "unknown"),
    ],
)
def test_the_gateway_is_asked_once(status: int | httpx.HTTPError, mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(url: str, **options: Any) -> httpx.Response:
        if isinstance(status, httpx.HTTPError):
            raise status
        return httpx.Response(status)

    monkeypatch.setattr(httpx, "get", answer)
    assert health.gateway().mark == mark


def test_the_headline_names_every_part_that_is_not_known_to_work() -> None:
    marks = ("ok", "warn", "bad", "unknown", "warn")
    parts = [health.Part(name, mark, "") for name, mark in zip("VWXYZ", marks, strict=True)]
    answer = health.HealthPage(parts, []).answer()
    assert answer.startswith("X: does not work. W, Z: needs a check. Y: unknown. All vendor feeds")
    assert health.HealthPage(parts[:1], []).answer().startswith("Every part works.")
    assert health.HealthPage(parts[:2], []).answer().startswith("W: needs a check. All")


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Sequence[health.Part]:
    """The parts that do not ask other processes."""
    monkeypatch.setattr(health, "gateway", lambda: health.Part("Gateway", "bad", "It answers with status 503."))
    return ()


@pytest.mark.django_db
def test_failing_feeds_stand_on_health_with_their_error_and_on_spend_as_one_link(
    parts: Sequence[health.Part], valkey_url: str, settings: Any, tmp_path: Path
) -> None:
    settings.REDIS_URL, settings.DATA_DIR = valkey_url, tmp_path
    account = AccountFactory.create(name="Claude", kind="anthropic")
    FeedFactory.create(account=account, kind="costs", failures=3, last_error="The vendor answered 503.")
    manager = logged_in(with_role("manager"))
    page = html_of(manager.get("/settings/health/"))
    assert "Gateway: does not work. " in page and " 1 vendor feed is late or fails." in page
    assert "The vendor answered 503." in page and "Requests are stored." in page and "0 tasks wait." in page
    spend = html_of(manager.get("/spend/"))
    assert '<a href="/settings/health/">1 vendor feed is failing</a>' in spend
    assert "The vendor answered 503." not in spend
