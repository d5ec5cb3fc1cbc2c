"""Polls, checks, heartbeats and the price book write one line for each event, with ids and no secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from lib.encryption import encrypt
from lib.keyring import KeyFile
from providers import tasks
from providers.defaults import ensure_defaults
from providers.heartbeats.services import judge, ping
from providers.models import Deployment, Feed, Heartbeat, Offer, OfferWatch, Signal, TokenPrice
from providers.polling import due, services
from providers.polling.services import poll
from providers.uptime import due_checks, retention
from sandbox.testing import SECRETS, Sandbox, running_sandbox
from tests.factories import AccountFactory, DeploymentFactory
from tests.providers import engine_stubs as stubs
from tests.providers.engine_stubs import as_json, serving

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 10, 9, 58, tzinfo=UTC)
EVERY = timedelta(seconds=30)


@pytest.fixture(autouse=True)
def all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        sandbox.load("runpod", {"pods": [], "balance": "40"})
        yield sandbox


@pytest.fixture
def balance_feed(vendors: Sandbox) -> Iterator[Feed]:
    account = AccountFactory.create(
        slug="runpod", name="RunPod", kind="runpod", secret=encrypt(SECRETS["runpod"]), local=True,
        base_url=f"{vendors.url}/runpod",
    )  # fmt: skip
    account.refresh_from_db()
    due.ensure_feeds(account, timezone.now())
    (feed,) = [feed for feed in due.claim(timezone.now()) if feed.kind == "balance"]
    yield feed
    vendors.clear_faults()


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, dict[str, Any]]]:
    """Level, event and fields of every line so far."""
    return [
        (record.levelname, record.__dict__["event"], record.__dict__["fields"])
        for record in caplog.records
        if "event" in record.__dict__
    ]


def test_poll_that_goes_well_is_one_line(balance_feed: Feed, caplog: pytest.LogCaptureFixture) -> None:
    assert poll(balance_feed)
    ((level, event, fields),) = events(caplog)
    assert (level, event) == ("INFO", "poll_succeeded")
    assert (fields["account"], fields["feed"], fields["rows"]) == ("runpod", "balance", 1)
    assert 0 <= fields["ms"] < 60_000


def test_poll_that_a_vendor_refuses_is_a_warning_without_its_words_and_key(
    balance_feed: Feed, vendors: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    vendors.fault("runpod", "500", for_s=30)
    assert not poll(balance_feed)
    ((level, event, fields),) = [row for row in events(caplog) if row[1] != "identity_unknown"]
    assert (level, event) == ("WARNING", "poll_failed")
    assert (fields["account"], fields["feed"], fields["failures"], fields["permanent"]) == (
        "runpod",
        "balance",
        1,
        False,
    )
    balance_feed.refresh_from_db()
    assert balance_feed.last_error
    assert balance_feed.last_error not in caplog.text
    assert SECRETS["runpod"] not in caplog.text


def test_refusals_for_good_say_that_the_account_is_switched_off(
    balance_feed: Feed, vendors: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    vendors.fault("runpod", "auth", for_s=30)
    for _strike in range(due.STRIKES):
        poll(balance_feed)
        Feed.objects.filter(pk=balance_feed.pk).update(due_at=timezone.now(), claimed_until=None)
        claimed = [feed for feed in due.claim(timezone.now()) if feed.pk == balance_feed.pk]
        balance_feed = claimed[0] if claimed else balance_feed
    named = [(level, event) for level, event, _fields in events(caplog) if event != "identity_unknown"]
    assert named == [("WARNING", "poll_failed")] * due.STRIKES + [("WARNING", "account_switched_off")]


def test_mistake_of_ours_in_a_poll_is_an_error_with_its_traceback(
    balance_feed: Feed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_args: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(services, "fetch_and_store", broken)
    assert not poll(balance_feed)
    ((level, event, fields),) = events(caplog)
    assert (level, event, fields["account"]) == ("ERROR", "poll_crashed", "runpod")
    assert "ZeroDivisionError" in caplog.text


def test_poll_that_the_queue_brought_too_late_is_said(balance_feed: Feed, caplog: pytest.LogCaptureFixture) -> None:
    assert not tasks.poll_feed(balance_feed.pk, START.isoformat())
    assert events(caplog) == [("WARNING", "poll_dropped", {"feed_id": balance_feed.pk})]


def test_check_is_a_line_only_where_it_changes_a_state(caplog: pytest.LogCaptureFixture) -> None:
    with serving(stubs.vllm("qwen")) as stub:
        DeploymentFactory.create(
            slug="qwen", name="Qwen", local=True, timeout_s=5.0,
            url=stub.url, failures_to_confirm=2, successes_to_recover=1,
        )  # fmt: skip

        def check(n: int) -> list[tuple[str, str]]:
            caplog.clear()
            Deployment.objects.update(check_due_at=START)
            due_checks.check_due(now=START + n * EVERY)
            return [(level, event) for level, event, fields in events(caplog) if fields.get("deployment") == "qwen"]

        assert check(0) == [("INFO", "check_state_changed")]
        assert events(caplog)[0][2]["after"] == "up"
        assert check(1) == []
        healthy = stub.routes["GET /health"]
        stub.routes["GET /health"] = as_json({"error": {"message": "boom"}}, 500)
        assert check(2) == []
        assert check(3) == [("WARNING", "check_state_changed"), ("WARNING", "outage_opened")]
        assert "boom" not in caplog.text
        stub.routes["GET /health"] = healthy
        assert check(4) == [("INFO", "check_state_changed"), ("INFO", "outage_closed")]


def test_heartbeat_that_goes_down_and_comes_back_is_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    beat = Heartbeat.objects.create(slug="nightly", name="Nightly", period_s=3600, grace_s=600)
    ping(ping_id=beat.ping_id, signal=Signal.SUCCESS, now=START)
    ping(ping_id=beat.ping_id, signal=Signal.SUCCESS, now=START + timedelta(minutes=30))
    judge(now=START + timedelta(hours=3))
    ping(ping_id=beat.ping_id, signal=Signal.SUCCESS, now=START + timedelta(hours=4))
    assert [(level, event) for level, event, _fields in events(caplog)] == [
        ("INFO", "heartbeat_up"),
        ("WARNING", "heartbeat_down"),
        ("INFO", "heartbeat_up"),
    ]
    assert str(beat.ping_id) not in caplog.text


def test_price_book_is_a_line_where_it_changed(caplog: pytest.LogCaptureFixture) -> None:
    TokenPrice.objects.all().delete()
    ensure_defaults()
    first = [fields for _level, event, fields in events(caplog) if event == "price_book_updated"]
    assert first
    assert first[0]["token_prices"] > 100
    caplog.clear()
    ensure_defaults()
    assert "price_book_updated" not in caplog.text


def test_purge_is_a_line_where_it_purged_something(caplog: pytest.LogCaptureFixture) -> None:
    now = timezone.now()
    retention.purge_deleted(now)
    assert events(caplog) == []
    OfferWatch.objects.create(gpu="H100", price=1, deleted_at=now - timedelta(days=2))
    retention.purge_deleted(now)
    assert events(caplog) == [("INFO", "deleted_rows_purged", {"rows": 1})]


def test_key_file_that_cannot_be_read_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    KeyFile(tmp_path / "missing", "key-of-before").keys()
    ((level, event, fields),) = events(caplog)
    assert (level, event, fields["error"]) == ("WARNING", "key_file_unreadable", "No such file or directory")
    assert "key-of-before" not in caplog.text


def test_feed_that_is_given_up_is_a_warning_without_the_reason(
    balance_feed: Feed, caplog: pytest.LogCaptureFixture
) -> None:
    services.give_up(balance_feed, "MARKER")
    assert events(caplog) == [("WARNING", "feed_given_up", {"account": "runpod", "feed": "balance"})]


def test_fault_of_ours_in_a_check_is_an_error_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_arguments: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(due_checks, "check", broken)
    DeploymentFactory.create(
        slug="qwen", name="Qwen", local=True, timeout_s=5.0,
        url="http://127.0.0.1:1", check_due_at=START,
    )  # fmt: skip
    due_checks.check_due(now=START)
    assert [(level, event) for level, event, _fields in events(caplog)] == [("ERROR", "check_crashed")]
    assert "ZeroDivisionError" in caplog.text


def test_days_of_checks_and_offers_that_went_are_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    today = date(2026, 11, 10)
    monkeypatch.setattr(retention, "make_partitions", lambda *_arguments: 0)
    monkeypatch.setattr(retention, "existing_days", lambda *_arguments: {today - timedelta(days=90), today})
    monkeypatch.setattr(retention, "drop_partition", lambda *_arguments: None)
    retention.rotate_check_partitions(today)
    now = timezone.now()
    Offer.objects.create(
        provider="vast", external_id="1", kind="spot", gpu="H100", price_per_gpu_hour=1, available=False,
        seen_at=now - timedelta(days=60),
    )  # fmt: skip
    retention.purge_offers(now)
    assert events(caplog) == [
        ("INFO", "check_days_dropped", {"days": 1, "newest": today - timedelta(days=90)}),
        ("INFO", "offers_purged", {"offers": 1, "days": 0}),
    ]
