"""What we rent and rented: the list, one lease, when it is called idle, and stopping it over real HTTP."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from lib.encryption import encrypt
from providers.audit.log import AuditEntry
from providers.leases.page import SORTS
from providers.leases.queries import lease_days
from providers.models import Account, Feed, Lease, LeaseSpan
from providers.polling import due
from providers.polling.services import poll
from sandbox.testing import Sandbox
from tests.factories import LeaseSpanFactory, VendorCostFactory
from tests.providers.people import account, assert_access, deployment, in_role, lease, text
from tests.query_ceilings import ceiling
from tests.sorted_lists import assert_sorts, rows_of
from traffic.models import UsageHour

pytestmark = pytest.mark.django_db
URL = "/providers/leases/"


@pytest.fixture
def ops() -> Client:
    return in_role("ops")


def page_of(made: Lease, more: str = "") -> str:
    return f"{URL}{made.pk}/{more}"


def used(one: Any, hours_ago: int, requests: int = 7) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours_ago)
    names = [field.name for field in UsageHour._meta.concrete_fields if field.get_internal_type() == "BigIntegerField"]
    given = dict.fromkeys(names, 0) | {"requests": requests, "cost": 0, "application_id": 0, "deployment_id": one.pk}
    UsageHour.objects.create(hour=hour, provider="self", model="m", task="rag", **given)


def test_figures_are_for_whoever_may_see_leases() -> None:
    made = lease(account())
    assert_access(URL, {"nobody": 403, "staff": 403, "manager": 200})
    manager = Client()
    manager.force_login(User.objects.get(username="manager"))
    page = text(manager, page_of(made))
    assert "Stop GPU" not in page and "Idle after" not in page


def test_the_list_has_now_and_before_and_can_be_filtered(ops: Client) -> None:
    where, other = account(), account("vast", "vast")
    lease(where, 1, name="here")
    lease(where, 2, name="gone", state="ended", hours=48, ended_at=timezone.now() - timedelta(hours=24))
    lease(other, 3, name="elsewhere", gpu="L4", kind="spot")
    whole = text(ops, URL)
    assert "Cost so far: <b>$17.60</b>. Rent now: <b>$0.80 an hour</b>." in whole
    for query, names in (
        ({"when": "now"}, {"here", "elsewhere"}), ({"when": "before"}, {"gone"}), ({"account": "vast"}, {"elsewhere"}),
        ({"gpu": "L4"}, {"elsewhere"}), ({"kind": "spot"}, {"elsewhere"}),
        ({"when": "nonsense"}, {"here", "gone", "elsewhere"}),
    ):  # fmt: skip
        page = text(ops, f"{URL}?{urlencode(query)}")
        assert {name for name in ("here", "gone", "elsewhere") if f">{name}</a>" in page} == names, query
    assert "No lease matches" in text(ops, URL, gpu="L4", when="before")


def test_a_long_list_is_paged_with_as_many_statements(ops: Client) -> None:
    where = account()
    for n in range(35):
        lease(where, n, hours=n + 1)
    with CaptureQueriesContext(connection) as first:
        page = text(ops, URL)
    assert page.count("<tr data-row") == 30 and "30 of 35 shown" in page
    cursor = page.split("cursor=")[1].split('"')[0]
    assert text(ops, f"{URL}?cursor={cursor}").count("<tr data-row") == 5
    assert len(first) <= ceiling(URL)
    assert text(ops, URL, cursor="nonsense").count("<tr data-row") == 30


def test_a_lease_says_what_it_costs_and_what_it_burns_while_nobody_asks(ops: Client) -> None:
    made = lease(account(), hours=10, name="gpu-1", idle_minutes=60)
    one = deployment("mistral", lease=made)
    used(one, 5)
    page = text(ops, page_of(made))
    assert "<b>gpu-1</b> has cost <b>$4.00</b>" in page
    assert "No requests since <time" in page and "spent idle." in page
    assert (
        "curl -X POST https://api.runpod.io/v2/pods/pod1/stop -H &quot;Authorization: Bearer $RUNPOD_API_KEY&quot;"
        in page
    )
    assert "The container disk is deleted" in page
    assert ">7</td>" in page
    used(one, 0)
    assert "spent idle." not in text(ops, page_of(made))


def test_a_stopped_lease_shows_its_disk_and_the_bill(ops: Client) -> None:
    made = lease(
        account(), name="gpu-1", state="stopped", price_per_hour=Decimal("0.02"), disk_per_hour=Decimal("0.02")
    )
    at = timezone.now() - timedelta(hours=3)
    VendorCostFactory.create(
        account=made.account, external_id="1", starts_at=at, ends_at=at + timedelta(hours=1), category="disk",
        amount=Decimal("0.02"), original_amount=Decimal("0.02"), resource=made.external_id,
    )  # fmt: skip
    page = text(ops, page_of(made))
    assert "Paid but unused: stopped, still billed." in page
    assert "disk $0.02." in page
    assert "Its disk is still billed" in page


def test_what_is_not_known_of_a_disk_is_no_zero(ops: Client) -> None:
    made = lease(account(), state="stopped", price_per_hour=Decimal(0))
    assert "disk, billed with the next bill" in text(ops, page_of(made))


def test_serverless_is_told_by_busy_hours(ops: Client) -> None:
    price = Decimal(2)
    made = lease(account(), hours=1, kind="serverless", price_per_hour=price, worker_per_hour=price / 2)
    assert "2.00 hours of workers, $1.0000 an hour each" in text(ops, page_of(made))
    assert "Set its workers to 0" in text(ops, page_of(made))


def test_days_are_cut_at_midnight_utc() -> None:
    made = lease(account(), hours=1)
    LeaseSpan.objects.all().delete()
    start = datetime(2026, 11, 9, 20, tzinfo=UTC)
    for state, begins, ends, price in (("running", 0, 10, "1"), ("stopped", 10, 12, "0.1")):
        LeaseSpanFactory.create(
            lease=made, state=state, price_per_hour=Decimal(price),
            starts_at=start + timedelta(hours=begins), ends_at=start + timedelta(hours=ends),
        )  # fmt: skip
    days = [(str(d.day), d.state, float(d.hours), float(d.cost)) for d in lease_days(made, date(2026, 11, 10), 30)]
    assert days == [
        ("2026-11-09", "running", 4, 4), ("2026-11-10", "running", 6, 6), ("2026-11-10", "stopped", 2, 0.2),
    ]  # fmt: skip


def test_the_idle_time_is_a_leases_own_and_is_logged(ops: Client) -> None:
    made = lease(account())
    assert_access(page_of(made, "idle/"), {"manager": 403}, "post", idle_minutes=30)
    ops.post(page_of(made, "idle/"), {"idle_minutes": "30"})
    made.refresh_from_db()
    assert made.idle_minutes == 30
    assert AuditEntry.objects.get().changes["Idle after"][1] == "30"
    assert "From 5 to 10080 minutes." in " ".join(
        ops.post(page_of(made, "idle/"), {"idle_minutes": "1"}, follow=True).content.decode().split()
    )
    ops.post(page_of(made, "idle/"), {"idle_minutes": ""})
    made.refresh_from_db()
    assert made.idle_minutes is None


# Stopping.

LOADS: dict[str, dict[str, Any]] = {
    "runpod": {"pods": [{"id": "one", "gpu": "NVIDIA L4", "cloud": "SECURE"}]},
    "vast": {"instances": [{"id": "77", "gpu": "RTX 4090"}]},
    "lambda": {"instances": [{"id": "one", "gpu": "gpu_1x_a10"}]},
    "google": {"instances": [{"id": "123", "name": "one", "gpu": "nvidia-l4"}]},
}


def rented(sandbox: Sandbox, kind: str, **more: Any) -> Lease:
    """One machine at a simulated vendor, found by a poll."""
    since = (timezone.now() - timedelta(hours=2)).isoformat()
    (table, (row,)) = next(iter(LOADS[kind].items()))
    spans = [{"from": since, "to": None, "status": "RUNNING"}]
    machine = {"name": "one", "price_per_hour": "0.5", "disk_per_hour": "0.01", "spans": spans} | row
    sandbox.load(kind, {table: [machine]})
    config = sandbox.config(kind)
    made = account(kind, kind, base_url=config.base_url, secret=encrypt(config.secret), local=True, **more)
    made.settings = dict(config.settings)
    made.save()
    poll_leases(made)
    return Lease.objects.get()


def poll_leases(made: Account) -> None:
    for feed in due.claim(timezone.now(), account=made):
        assert feed.kind != "leases" or poll(feed)
    Feed.objects.update(claimed_until=None)


@pytest.mark.parametrize("kind", LOADS)
def test_a_lease_is_stopped_at_its_vendor_and_the_next_poll_tells(
    kind: str, sandbox: Sandbox, ops: Client, caplog: pytest.LogCaptureFixture
) -> None:
    made = rented(sandbox, kind, may_stop=True)
    url = page_of(made, "stop/")
    asked = text(ops, url)
    assert str(made) == "one"
    assert ("This cannot be undone" in asked) == (kind == "lambda")
    dry = " ".join(ops.post(url, {"action": "dry"}).content.decode().split())
    assert "Dry run: nothing was called" in dry
    wrong = ops.post(url, {"action": "stop", "name": "other"})
    assert (wrong.status_code, "The name does not match." in wrong.content.decode()) == (422, True)
    poll_leases(made.account)
    made.refresh_from_db()
    assert (made.state, AuditEntry.objects.count()) == ("running", 0)
    answer = ops.post(url, {"action": "stop", "name": "one"}, follow=True)
    assert "This page follows until" in answer.content.decode()
    stopping = "stopping</span>"
    assert stopping in answer.content.decode() and stopping in text(ops, "/providers/leases/")
    assert "The next poll shows the result." in answer.content.decode()
    (entry,) = AuditEntry.objects.all()
    assert entry.message.startswith("Stopped by API: P")
    poll_leases(made.account)
    made.refresh_from_db()
    assert made.state == ("ended" if kind == "lambda" else "stopped")
    assert not made.stopping and "This page follows until" not in text(ops, page_of(made))
    secret = str(made.account.secret.reveal())
    for page in (asked, dry, answer.content.decode(), entry.message):
        assert secret not in page
    assert f"lease_stop_requested account={made.account.slug} lease_id={made.pk} method=" in caplog.text


def test_nothing_is_called_unless_the_account_allows_it(sandbox: Sandbox, ops: Client) -> None:
    made = rented(sandbox, "runpod")
    page = text(ops, page_of(made, "stop/"))
    assert "Stopping GPUs is disabled for the account Runpod." in page
    ops.post(page_of(made, "stop/"), {"action": "stop", "name": "one"})
    poll_leases(made.account)
    made.refresh_from_db()
    assert made.state == "running"
    assert not AuditEntry.objects.exists()


def test_a_vendor_that_does_not_stop_it_is_quoted_and_logged(sandbox: Sandbox, ops: Client) -> None:
    made = rented(sandbox, "runpod", may_stop=True)
    for fault, words in (("500", "RunPod has a problem (500)."), ("html", "a web page instead of data")):
        sandbox.fault("runpod", fault, count=1)
        answer = ops.post(page_of(made, "stop/"), {"action": "stop", "name": "one"})
        assert answer.status_code == 422
        assert words in answer.content.decode()
    assert AuditEntry.objects.filter(message__startswith="Stopping by API failed: RunPod").count() == 2


def test_only_vendors_that_stop_by_api_offer_the_switch(ops: Client) -> None:
    account()
    account("claude", "anthropic")
    assert "Allow stopping GPUs from Breakeven (always asks first)" in text(
        ops, reverse("providers:account", args=["runpod"])
    )
    assert "Allow stopping GPUs from Breakeven (always asks first)" not in text(
        ops, reverse("providers:account", args=["claude"])
    )


def test_what_is_stopped_with_a_disk_that_no_bill_has_told_is_never_said_to_cost_nothing(ops: Client) -> None:
    made = lease(account(), name="gpu-1", state="stopped", price_per_hour=Decimal(0))
    for url in ("/providers/", "/providers/leases/"):
        page = text(ops, url)
        assert "<b>gpu-1</b> is stopped, but its disk is billed" in page, url
        assert "$0.00 an hour" not in page and "costs nothing" not in page, url
    assert "at least" in text(ops, page_of(made))
    Lease.objects.update(disk_per_hour=Decimal(0))
    assert "Rented GPUs cost nothing at the moment." in text(ops, "/providers/")


def test_a_lease_that_has_ended_is_told_from_when_to_when(ops: Client) -> None:
    ended = timezone.now()  # in the first days of a year the other one is said too
    lease(account(), state="ended", ended_at=ended, started_at=ended - timedelta(days=2))
    page = text(ops, "/providers/leases/")
    assert "since" not in page
    assert re.search(r"<time [^>]+>\d+ \w{3}( \d{4})?, \d\d:\d\d</time> to <time", page)


def test_the_list_is_sorted_by_every_column_and_what_is_not_reported_is_last(
    ops: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = account()
    lease(where, 1, name="middle", hours=20, utilisation=0.5)
    lease(where, 2, name="unknown", hours=5)
    lease(where, 3, name="Largest", hours=30, utilisation=0.9, gpu="A100")
    with time_machine.travel(timezone.now(), tick=False):  # rows say how long, and may not change between two visits
        assert_sorts(ops, URL, SORTS)
    names = {sort: re.findall(r"(?:middle|unknown|Largest)", " ".join(rows_of(text(ops, f"{URL}?sort={sort}"))))
             for sort in ("cost", "-cost", "busy", "-busy", "name")}  # fmt: skip
    assert names["cost"] == ["unknown", "middle", "Largest"] == names["-cost"][::-1]
    assert names["busy"] == ["middle", "Largest", "unknown"]
    assert names["-busy"] == ["Largest", "middle", "unknown"]
    assert names["name"] == ["Largest", "middle", "unknown"]
    monkeypatch.setattr("providers.leases.views.SORTED_MOST", 2)
    assert "Sorted among the newest 2 leases." in text(ops, f"{URL}?sort=cost")


def test_a_sorted_list_is_paged_by_number(ops: Client) -> None:
    where = account()
    for n in range(35):
        lease(where, n, hours=n + 1)
    first, second = (text(ops, f"{URL}?sort=-cost&page={number}") for number in (1, 2))
    assert [len(rows_of(page)) for page in (first, second)] == [30, 5]
    assert not set(rows_of(first)) & set(rows_of(second))
    assert "page=2" in first and "First page" in second and len(rows_of(text(ops, f"{URL}?sort=cost&page=x"))) == 30
