"""The due-queue of checks over real HTTP, with the time handed in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lib.encryption import encrypt
from providers.engines import CheckResult
from providers.models import Check, CheckHour, Deployment, Outage
from providers.uptime import due_checks
from tests.factories import MaintenanceFactory
from tests.providers import engine_stubs as stubs
from tests.providers.engine_stubs import Stub, as_json, serving
from tests.providers.rows import deployment

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 10, 9, 58, tzinfo=UTC)
EVERY = timedelta(seconds=30)
BOOM = as_json({"error": {"message": "boom"}}, 500)


def at(n: float) -> datetime:
    return START + n * EVERY


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving(stubs.vllm("qwen")) as running:
        yield running


def check_at(*ns: float) -> int:
    """Runs of the queue at these times, every deployment being due at each."""
    recorded = 0
    for n in ns:
        Deployment.objects.update(check_due_at=START)
        recorded += due_checks.check_due(now=at(n))
    return recorded


def test_a_check_is_recorded_with_its_hour_and_its_deployment(stub: Stub) -> None:
    one = deployment("qwen", stub.url)
    assert due_checks.check_due(now=at(0)) == 1
    check = Check.objects.get(day=at(0).date())
    assert (check.deployment_id, check.at, check.ok, check.step, check.cause) == (one.pk, at(0), True, "models", "")
    one.refresh_from_db()
    assert (one.state, one.state_since, one.last_check_at, one.check_claimed_until) == ("up", at(0), at(0), None)
    assert one.last_latency_ms == check.latency_ms
    hour = CheckHour.objects.get()
    assert (hour.hour, hour.checks, hour.failed, hour.observed_s) == (at(0).replace(minute=0), 1, 0, 0)


def test_what_is_not_due_is_left_alone(stub: Stub) -> None:
    deployment("off", stub.url, enabled=False)
    deployment("unchecked", stub.url, checked=False)
    deployment("later", stub.url, check_due_at=at(1))
    deployment("taken", stub.url, check_claimed_until=at(1))
    assert due_checks.check_due(now=at(0)) == 0
    assert not stub.seen


def test_the_next_check_is_due_one_interval_later_and_late_ones_are_not_made_up_for(stub: Stub) -> None:
    one = deployment("qwen", stub.url, check_due_at=at(0))
    due_checks.check_due(now=at(0.2))
    one.refresh_from_db()
    assert one.check_due_at == at(1)
    due_checks.check_due(now=at(10))
    one.refresh_from_db()
    assert one.check_due_at == at(11)


def test_deployments_added_at_once_do_not_stay_in_step(stub: Stub) -> None:
    for n in range(8):
        deployment(f"d{n}", stub.url)
    assert due_checks.check_due(now=at(0)) == 8
    due = list(Deployment.objects.values_list("check_due_at", flat=True))
    assert len(set(due)) == 8
    assert all(moment and at(0) < moment <= at(1) for moment in due)


def test_three_failures_open_one_outage_and_two_successes_end_it(stub: Stub) -> None:
    one = deployment("qwen", stub.url)
    check_at(0)
    stub.routes["GET /health"] = BOOM
    check_at(1, 2)
    assert not Outage.objects.exists()
    check_at(3, 4, 5)
    outage = Outage.objects.get()
    assert (outage.started_at, outage.confirmed_at, outage.ended_at) == (at(1), at(3), None)
    assert outage.cause == "The server returns 500: boom"
    one.refresh_from_db()
    assert (one.state, one.state_since, one.last_cause) == ("down", at(1), "The server returns 500: boom")
    stub.routes["GET /health"] = stubs.Answer()
    check_at(6, 7, 8)
    outage.refresh_from_db()
    assert outage.ended_at == at(6)
    assert Outage.objects.count() == 1
    one.refresh_from_db()
    assert (one.state, one.state_since, one.last_cause) == ("up", at(6), "")


def test_the_time_between_checks_is_observed_in_its_own_hours(stub: Stub) -> None:
    deployment("qwen", stub.url)
    check_at(0, 1, 3, 5)  # 09:58:00 to 10:00:30
    hours = CheckHour.objects.order_by("hour").values_list("hour__hour", "checks", "observed_s")
    assert list(hours) == [(9, 3, 120.0), (10, 1, 30.0)]


def test_a_gap_without_a_poller_is_not_observed(stub: Stub) -> None:
    deployment("qwen", stub.url)
    check_at(0, 1, 500)
    assert sum(CheckHour.objects.values_list("observed_s", flat=True)) == 30.0


def test_maintenance_is_recorded_and_counts_for_nothing(stub: Stub) -> None:
    one = deployment("qwen", stub.url)
    MaintenanceFactory.create(deployment=one, starts_at=at(1), ends_at=at(4), reason="new driver")
    check_at(0)
    stub.routes["GET /health"] = BOOM
    check_at(1, 2, 3)
    one.refresh_from_db()
    assert one.state == "maintenance"
    stub.routes["GET /health"] = stubs.Answer()
    check_at(4, 5)
    one.refresh_from_db()
    assert one.state == "up"
    assert not Outage.objects.exists()
    assert Check.objects.filter(day=START.date(), ok=False).count() == 3
    assert sum(CheckHour.objects.values_list("checks", flat=True)) == 3
    assert sum(CheckHour.objects.values_list("observed_s", flat=True)) == 60.0


def test_one_engine_that_hangs_or_is_unknown_stops_no_other(stub: Stub) -> None:
    slow = stubs.vllm("qwen")
    slow.routes["GET /health"] = stubs.Answer(delay_s=1.0)
    with serving(slow):
        deployment("slow", slow.url, timeout_s=0.2)
        deployment("gone", "http://127.0.0.1:1")
        deployment("odd", stub.url, engine="never-heard-of")
        deployment("fine", stub.url)
        assert due_checks.check_due(now=at(0)) == 4
    causes = dict(Deployment.objects.values_list("slug", "last_cause"))
    assert causes == {
        "slow": "No response within 0.2 s.",
        "gone": "127.0.0.1:1 refuses the connection: nothing listens there.",
        "odd": "The engine never-heard-of is not supported.",
        "fine": "",
    }


def test_a_result_for_a_deployment_that_is_no_longer_ours_is_dropped(stub: Stub) -> None:
    one = deployment("qwen", stub.url)
    batch = due_checks.claim(now=at(0))
    Deployment.objects.update(check_claimed_until=at(99))
    result = CheckResult(ok=True, state="up", step="models", latency_ms=1.0)
    assert due_checks.record(batch, [(one, result)]) == 0
    assert not Check.objects.filter(day=START.date()).exists()
    assert not CheckHour.objects.exists()


def test_a_claim_of_a_worker_that_died_comes_back(stub: Stub) -> None:
    deployment("qwen", stub.url)
    batch = due_checks.claim(now=at(0))
    assert not due_checks.claim(now=at(0)).deployments
    assert due_checks.check_due(now=batch.claimed_until) == 1


def test_our_own_mistake_is_no_verdict_and_frees_the_claim(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(client: object, deployment: object) -> None:
        raise RuntimeError("ours")

    one = deployment("qwen", stub.url)
    monkeypatch.setattr(due_checks, "check", broken)
    assert due_checks.check_due(now=at(0)) == 0
    one.refresh_from_db()
    assert (one.state, one.check_claimed_until) == ("unknown", None)


def test_past_the_deadline_the_rest_is_given_up_without_a_verdict(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.routes["GET /health"] = stubs.Answer(delay_s=0.6)
    one = deployment("qwen", stub.url)
    monkeypatch.setattr(due_checks.Batch, "deadline_s", 0.1)
    assert due_checks.check_due(now=at(0)) == 0
    one.refresh_from_db()
    assert (one.state, one.check_claimed_until) == ("unknown", None)


def test_a_deployment_can_be_tried_before_it_is_saved(stub: Stub) -> None:
    tried = Deployment(slug="new", engine="vllm", url=stub.url, model="another", local=True)
    assert due_checks.check_now(deployment=tried).cause == "The model another is not served there. Served: qwen."
    assert not Check.objects.filter(day=START.date()).exists()


def test_a_stored_key_is_sent(stub: Stub) -> None:
    deployment("qwen", stub.url, api_key=encrypt("sk-of-the-suite"))
    due_checks.check_due(now=at(0))
    assert stub.seen[-1][2]["authorization"] == "Bearer sk-of-the-suite"


def test_the_number_of_statements_does_not_grow_with_the_deployments(stub: Stub) -> None:
    deployment("first", stub.url)
    check_at(0)
    with CaptureQueriesContext(connection) as one:
        check_at(1)
    for n in range(12):
        deployment(f"d{n}", stub.url)
    check_at(2)
    with CaptureQueriesContext(connection) as many:
        check_at(3)
    assert len(many) == len(one)


def test_a_deployment_that_is_checked_no_more_ends_its_outage(stub: Stub) -> None:
    one = deployment("qwen", "http://127.0.0.1:1")
    check_at(0, 1, 2, 3)
    due_checks.stop_checking(deployment=one)
    one.refresh_from_db()
    assert (one.checked, one.state) == (False, "unknown")
    assert Outage.objects.get().ended_at == at(3)


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_check_the_same_deployment_twice(stub: Stub) -> None:
    for n in range(20):
        deployment(f"d{n}", stub.url)
    counts: list[int] = []

    def work() -> None:
        counts.append(due_checks.check_due(now=at(0), limit=12))
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(counts) == Check.objects.filter(day=START.date()).count() == 20
    assert len([seen for seen in stub.seen if seen[1] == "/health"]) == 20
