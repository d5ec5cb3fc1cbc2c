"""Accounts are polled by a due-queue over real HTTP: once each, with back-off, stored without doubles."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone

from lib.encryption import encrypt
from providers import tasks
from providers.accounts.freshness import account_now
from providers.accounts.services import poll_soon
from providers.connectors import connect
from providers.connectors.base import AccountConfig, ConnectorError, LeaseRow
from providers.models import Account, Balance, Feed, Lease, LeaseSpan, Offer, OfferDay, VendorCost, VendorUsage
from providers.polling import due, services
from providers.polling.services import poll, record_failure, try_key, window_start
from providers.polling.store import store_leases
from sandbox.testing import SECRETS, Sandbox, running_sandbox
from tests.factories import LeaseFactory, VendorCostFactory
from tests.providers.answers import Answers
from tests.providers.rows import account

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        day = (NOW - timedelta(days=2)).replace(hour=9)
        tokens = {"uncached_input": 100, "cache_read": 50, "cache_write_5m": 0, "cache_write_1h": 0, "output": 20}
        cost = {**dict.fromkeys(tokens, "0"), "uncached_input": "0.5", "output": "0.25"}
        usage = {
            "hour": day.isoformat(), "model": "claude-sonnet-5-5", "service_tier": "standard", "workspace": None,
            "api_key": None, "requests": 3, "tokens": tokens, "cost": cost, "web_searches": 0,
        }  # fmt: skip
        sandbox.load("anthropic", {"usage": [usage]})
        pod = {
            "id": "pod1", "name": "mistral", "gpu": "NVIDIA GeForce RTX 4090", "gpu_count": 1, "price_per_hour": "0.34",
            "cloud": "SECURE", "status": "RUNNING", "disk_per_hour": "0.01",
            "spans": [{"from": day.isoformat(), "to": None, "status": "RUNNING"}],
        }  # fmt: skip
        sandbox.load("runpod", {"pods": [pod], "balance": "40"})
        yield sandbox


@pytest.fixture
def sandbox(vendors: Sandbox) -> Iterator[Sandbox]:
    yield vendors
    vendors.clear_faults()


def poll_all() -> list[bool]:
    return [poll(feed) for feed in due.claim(timezone.now())]


def test_a_claude_account_brings_usage_and_bill(db: Any, sandbox: Sandbox) -> None:
    account(sandbox, "anthropic")
    assert all(poll_all())
    assert VendorUsage.objects.get().requests == 3
    assert sum(VendorCost.objects.values_list("amount", flat=True)) == Decimal("0.75")
    assert Feed.objects.get(kind="costs").complete_until is not None


@pytest.mark.parametrize(("kind", "feed", "days"), [("anthropic", "costs", 30), ("runpod", "costs", 2)])
def test_what_a_vendor_still_revises_is_read_again(sandbox: Sandbox, kind: str, feed: str, days: int) -> None:
    read = Feed(kind=feed, every_s=900, last_success_at=NOW, complete_until=NOW - timedelta(hours=4))
    start = window_start(read, connect(kind, sandbox.config(kind)), NOW)
    assert start == (NOW - timedelta(days=days)).replace(hour=0)
    never = Feed(kind=feed, every_s=900)
    assert NOW - window_start(never, connect(kind, sandbox.config(kind)), NOW) >= timedelta(days=365)


def test_the_same_answers_twice_change_nothing(db: Any, sandbox: Sandbox) -> None:
    account(sandbox, "anthropic")
    account(sandbox, "runpod")
    poll_all()
    before = [table.objects.count() for table in (VendorUsage, VendorCost, Offer, Lease, LeaseSpan, OfferDay)]
    Feed.objects.update(due_at=timezone.now())
    assert all(poll_all())
    assert before == [table.objects.count() for table in (VendorUsage, VendorCost, Offer, Lease, LeaseSpan, OfferDay)]


def test_a_runpod_account_brings_offers_leases_bill_and_balance(db: Any, sandbox: Sandbox) -> None:
    account(sandbox, "runpod")
    assert all(poll_all())
    assert Offer.objects.filter(gpu="RTX 4090", available=True).exists()
    lease = Lease.objects.get()
    assert (lease.state, lease.price_per_hour, lease.spans.count()) == ("running", Decimal("0.34"), 1)
    assert VendorCost.objects.filter(resource="pod1", category="gpu").exists()
    assert Balance.objects.get().amount == pytest.approx(Decimal(40), abs=Decimal("0.1"))  # it runs down


def test_a_lease_that_vanishes_has_ended(db: Any, sandbox: Sandbox) -> None:
    made = account(sandbox, "runpod")
    LeaseFactory.create(
        account=made, external_id="gone", gpu="H100", price_per_hour=2, started_at=NOW, seen_at=NOW, state="running"
    )
    poll_all()
    gone = Lease.objects.get(external_id="gone")
    assert (gone.state, gone.ended_at) == ("ended", NOW)


@pytest.mark.parametrize("fault", ["429", "500", "garbage", "html", "auth"])
def test_a_failing_vendor_is_explained_and_stops_no_other(db: Any, sandbox: Sandbox, fault: str) -> None:
    account(sandbox, "anthropic")
    account(sandbox, "runpod")
    sandbox.fault("anthropic", fault, for_s=30)
    poll_all()
    for feed in Feed.objects.filter(account__slug="anthropic"):
        assert len(feed.last_error) > 20
        assert SECRETS["anthropic"] not in feed.last_error
        assert (feed.failures, feed.claimed_until) == (1, None)
        assert feed.due_at > timezone.now()
    assert not Feed.objects.filter(account__slug="runpod").exclude(last_error="").exists()


def fail_for(feed: Feed, span: timedelta, now: datetime) -> datetime:
    """The vendor's garbage at each poll of so long a time; when the next one is due."""
    end, broken = now + span, ConnectorError("Claude sent broken or incomplete JSON (11 bytes).")
    while now < end:
        record_failure(feed, broken, now)
        feed.refresh_from_db()
        now = feed.due_at
    return now


@pytest.mark.parametrize("hours", [1, 12])
def test_a_vendor_that_answers_again_is_read_within_two_intervals_however_long_it_did_not(
    db: Any, sandbox: Sandbox, hours: int
) -> None:
    account(sandbox, "anthropic")
    now = timezone.now()
    for feed in Feed.objects.all():
        mended = now + timedelta(hours=hours)
        assert fail_for(feed, timedelta(hours=hours), now) - mended <= 2 * timedelta(seconds=feed.every_s)


def test_the_first_failure_of_a_row_is_remembered_until_a_poll_goes_well(db: Any, sandbox: Sandbox) -> None:
    account(sandbox, "anthropic")
    before = timezone.now()
    for _ in range(2):
        sandbox.fault("anthropic", "garbage", for_s=30)
        Feed.objects.update(due_at=timezone.now())
        poll_all()
    feeds = Feed.objects.filter(failing_since__gte=before, failing_since__lt=F("last_error_at"), failures=2)
    assert feeds.count() == Feed.objects.count() == 3
    sandbox.clear_faults()
    assert not due.claim(timezone.now())
    assert all(poll(feed) for feed in due.claim(timezone.now() + timedelta(minutes=3)))
    assert set(Feed.objects.values_list("failing_since", "failures")) == {(None, 0)}


def test_the_last_good_data_stay_while_a_vendor_fails(db: Any, sandbox: Sandbox) -> None:
    account(sandbox, "runpod")
    poll_all()
    before = Lease.objects.count()
    Feed.objects.update(due_at=timezone.now())
    sandbox.fault("runpod", "500", for_s=30)
    poll_all()
    assert Lease.objects.filter(ended_at=None).count() == before == 1


def test_an_account_that_is_refused_for_good_is_switched_off(db: Any, sandbox: Sandbox) -> None:
    made = account(sandbox, "runpod")
    sandbox.fault("runpod", "auth", for_s=30)
    for _ in range(due.STRIKES):
        Feed.objects.update(due_at=timezone.now())
        poll_all()
    made.refresh_from_db()
    assert not made.enabled
    assert "RunPod" in made.disabled_reason
    assert due.claim(timezone.now() + timedelta(days=1)) == []


def refusing(feed: Feed) -> None:
    """A vendor that says 403 to one feed, three times."""
    for _ in range(due.STRIKES):
        feed.refresh_from_db()
        record_failure(feed, ConnectorError("RunPod rejected the key (403).", True, partial=True), timezone.now())


def test_a_permission_that_lacks_switches_off_one_feed_and_the_others_go_on(db: Any, sandbox: Sandbox) -> None:
    made = account(sandbox, "runpod")
    refusing(made.feeds.get(kind="costs"))
    made.refresh_from_db()
    assert made.enabled
    claimed = due.claim(timezone.now() + timedelta(days=1))
    assert {feed.kind for feed in claimed} == {"offers", "leases", "balance"}
    assert all(poll(feed) for feed in claimed)
    now = account_now(Account.objects.with_feeds().get(), timezone.now())
    assert now.state == "partly"
    assert now.error == (
        "RunPod rejected the key (403). Its costs are no longer read. Its balance, leases, offers still are."
    )
    poll_soon(account=made, now=timezone.now())
    assert {feed.kind for feed in due.claim(timezone.now())} == {"offers", "leases", "balance", "costs"}


def test_a_403_is_about_what_was_asked_and_a_401_about_the_key(answers: Answers) -> None:
    for status, partial in ((403, True), (401, False)):
        answers.say("/v2/pods", {"title": "no"}, status)
        config = AccountConfig(answers.url, "rpa_test_key", local=True)
        with pytest.raises(ConnectorError) as caught:
            connect("runpod", config).test()
        assert (caught.value.permanent, caught.value.partial) == (True, partial)
        answers.forget()


def test_a_vendor_that_hangs_delays_no_other(transactional_db: Any, sandbox: Sandbox) -> None:
    """One account hangs with all its feeds; the other's answers are in while those polls still wait."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hung = account(sandbox, "vast", slug="hung")
        Account.objects.filter(pk=hung.pk).update(base_url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        account(sandbox, "runpod")
        feeds = sorted(due.claim(timezone.now()), key=lambda feed: feed.account.slug)
        waiting = []
        for feed in feeds:  # the silent one's first
            thread = threading.Thread(target=work, args=(feed,))
            thread.start()
            if feed.account == hung:
                waiting.append(thread)
            else:
                thread.join(20)
        assert not Feed.objects.filter(account__slug="runpod", last_success_at=None).exists()
        assert not Feed.objects.filter(account=hung, claimed_until=None).exists(), "it still waits"
    for thread in waiting:
        thread.join(30)
    assert waiting and not Feed.objects.filter(account=hung, last_error="").exists()


def work(feed: Feed) -> None:
    """What a thread of the worker does with a feed that the queue brings."""
    assert feed.claimed_until is not None
    try:
        tasks.poll_feed(feed.pk, feed.claimed_until.isoformat())
    finally:
        connection.close()


def test_polls_leave_threads_of_the_worker_to_other_tasks(
    db: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every place taken a feed is given back at once; the poll that ends first takes what is due by then."""
    monkeypatch.setattr(services, "PLACES", threading.BoundedSemaphore(1))
    account(sandbox, "runpod")
    first, *others = due.claim(timezone.now())
    with services.PLACES:
        assert first.claimed_until is not None
        assert not tasks.poll_feed(first.pk, first.claimed_until.isoformat())
    assert Feed.objects.get(pk=first.pk).last_success_at is None
    (again,) = due.claim(timezone.now())
    assert again == first and again.claimed_until is not None
    for feed in others:
        due.give_back(feed)
    assert tasks.poll_feed(again.pk, again.claimed_until.isoformat())
    assert not Feed.objects.filter(last_success_at=None).exists(), "one task has polled all that was due"


def test_waits_after_failures_differ_so_that_accounts_do_not_come_back_together() -> None:
    assert len({due.backoff(5, 60, None) for _ in range(20)}) > 10


def test_a_stopped_pod_costs_what_the_bill_says_of_its_disk(db: Any, sandbox: Sandbox) -> None:
    made = account(sandbox, "runpod")
    stopped = LeaseRow("pod1", "mistral", "L4", 1, 24, "on_demand", Decimal(0), "stopped", "EXITED")
    now = timezone.now()
    store_leases(made, [stopped], now)
    assert Lease.objects.get().disk_per_hour is None, "not known is not free"
    for hours, amount in ((3, "0.02"), (1, "0.004")):  # the newest is billed in part so far
        start = now - timedelta(hours=hours)
        VendorCostFactory.create(
            account=made, external_id=f"{hours}", starts_at=start, ends_at=start + timedelta(hours=1),
            category="disk", amount=Decimal(amount), original_amount=Decimal(amount), resource="pod1",
        )  # fmt: skip
    store_leases(made, [stopped], now + timedelta(minutes=30))
    lease = Lease.objects.get()
    assert (lease.price_per_hour, lease.disk_per_hour) == (Decimal("0.02"), Decimal("0.02"))
    assert lease.spans.get().price_per_hour == Decimal("0.02"), "what was unknown is priced, from its first moment"


def test_a_vendors_wish_to_wait_is_kept() -> None:
    assert due.backoff(1, 60, 500).total_seconds() == 500
    assert 54 <= due.backoff(1, 60, None).total_seconds() <= 66
    assert due.backoff(30, 60, None).total_seconds() <= 3600 * 1.1


def test_workers_that_claim_at_once_never_poll_twice(transactional_db: Any, sandbox: Sandbox) -> None:
    account(sandbox, "anthropic")
    account(sandbox, "runpod")
    claimed: list[int] = []

    def work() -> None:
        claimed.extend(feed.pk for feed in due.claim(timezone.now()))
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(claimed) == sorted(Feed.objects.values_list("pk", flat=True))


def test_a_claim_that_ran_out_is_free_again(db: Any, sandbox: Sandbox) -> None:
    account(sandbox, "anthropic")
    now = timezone.now()
    assert due.claim(now)
    assert due.claim(now) == []
    assert due.claim(now + timedelta(seconds=due.CLAIM_S + 1))


def test_an_account_can_be_tried_before_it_is_saved(db: Any, sandbox: Sandbox) -> None:
    made = account(sandbox, "anthropic")
    assert try_key(made)[0]
    made.secret = type(made.secret)(encrypt("sk-wrong"))
    good, sentence, _identified = try_key(made)
    assert not good
    assert "sk-wrong" not in sentence


def test_the_command_exits_1_when_an_account_does_not_answer(transactional_db: Any, sandbox: Sandbox) -> None:
    account(sandbox, "runpod")
    call_command("poll")
    sandbox.fault("runpod", "500", for_s=30)
    with pytest.raises(SystemExit) as exit_:
        call_command("poll")
    assert exit_.value.code == 1
