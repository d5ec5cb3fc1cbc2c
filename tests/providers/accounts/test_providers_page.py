"""The Providers page: what we rent, what it costs, how long the money lasts, how fresh all of it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from providers.leases.queries import hours_between, lease_figures, month_bounds, runway
from providers.models import Balance, Lease
from tests.factories import LeaseFactory, LeaseSpanFactory
from tests.providers.people import account, assert_access, deployment, in_role, lease, offer, read, text
from tests.query_ceilings import ceiling

pytestmark = pytest.mark.django_db
URL = "/providers/"
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.fixture
def ops() -> Client:
    return in_role("ops")


def test_figures_are_for_whoever_may_see_offers() -> None:
    assert reverse("providers:providers") == URL
    assert_access(URL, {"nobody": 403, "staff": 403, "manager": 200, "ops": 200, "admin": 200})


def test_someone_who_may_not_see_leases_learns_nothing_of_them() -> None:
    from django.contrib.auth.models import Permission, User

    where = account()
    lease(where, name="secret-pod")
    Balance.objects.create(account=where, amount=Decimal(77), at=timezone.now())
    offer()
    user = User.objects.create_user("guest")
    user.user_permissions.add(Permission.objects.get(codename="view_offer", content_type__app_label="providers"))
    client = Client()
    client.force_login(user)
    page = text(client, URL)
    assert "RTX 4090" in page
    assert "secret-pod" not in page and "77.00" not in page and where.name not in page


# What leases come to.


def pod(start: datetime, *spans: tuple[int, str, str]) -> Lease:
    """A lease with spans of (hours, state, price an hour), one after the other."""
    made = LeaseFactory.create(
        account=account(),
        external_id="p",
        gpu="L4",
        price_per_hour=Decimal(spans[-1][2]),
        state=spans[-1][1],
        started_at=start,
        seen_at=NOON,
    )
    for hours, state, price in spans:
        end = start + timedelta(hours=hours)
        LeaseSpanFactory.create(lease=made, starts_at=start, ends_at=end, state=state, price_per_hour=Decimal(price))
        start = end
    return made


def test_cost_is_observed_time_times_the_price_of_that_time() -> None:
    pod(NOON - timedelta(hours=30), (20, "running", "0.40"), (10, "stopped", "0.02"))
    (row,) = lease_figures(Lease.objects.all(), NOON)
    assert (row.hours, row.cost) == (Decimal(30), Decimal("8.2"))
    assert row.stopped_since == NOON - timedelta(hours=10)
    assert row.wasted == "stopped, still billed"


def test_the_month_counts_from_its_first_hour_on() -> None:
    pod(datetime(2026, 10, 31, 20, tzinfo=UTC), (24, "running", "1.00"))
    (row,) = lease_figures(Lease.objects.all(), NOON)
    assert (row.cost, row.month_cost) == (Decimal(24), Decimal(20))
    # The rest of the month is at the price of now.
    assert row.month_end == Decimal(20) + hours_between(NOON, datetime(2026, 12, 1, tzinfo=UTC))


def test_a_lease_that_has_ended_goes_on_costing_nothing() -> None:
    made = pod(NOON - timedelta(hours=5), (5, "ended", "1.00"))
    Lease.objects.filter(pk=made.pk).update(ended_at=NOON)
    (row,) = lease_figures(Lease.objects.all(), NOON)
    assert (row.month_end, row.wasted) == (None, "")


def test_bounds_of_a_month_are_in_utc() -> None:
    assert month_bounds(datetime(2026, 12, 31, 23, 59, tzinfo=UTC)) == (
        datetime(2026, 12, 1, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    )


# How long the money lasts. Pure but for the model's class.


def balance(amount: str, per_hour: str | None) -> Balance:
    spend = None if per_hour is None else Decimal(per_hour)
    return Balance(amount=Decimal(amount), spend_per_hour=spend, at=NOON)


def test_a_balance_lasts_until_it_is_spent_at_the_vendors_own_rate() -> None:
    found = runway(balance("34", "0.34"), Decimal(9), NOON)
    assert found.lasts_until == NOON + timedelta(hours=100)
    assert found.said_by_vendor and found.soon and not found.low


def test_without_the_vendors_rate_ours_is_taken() -> None:
    found = runway(balance("10", None), Decimal("0.5"), NOON)
    assert (found.lasts_until, found.said_by_vendor, found.low) == (NOON + timedelta(hours=20), False, True)


@pytest.mark.parametrize(("amount", "rate"), [("100", "0"), ("99999999", "0.000001")])
def test_where_no_date_can_be_said_none_is(amount: str, rate: str) -> None:
    assert runway(balance(amount, rate), Decimal(0), NOON).lasts_until is None


def test_money_below_zero_is_used_up() -> None:
    assert runway(balance("-1", "0.5"), Decimal(0), NOON).empty


# The page.


def test_the_answer_says_what_we_rent_and_until_when_it_is_paid(ops: Client) -> None:
    where = account()
    deployment("mistral", lease=lease(where))
    offer(price_per_gpu_hour=Decimal("0.50"))
    at = timezone.now()
    Balance.objects.create(account=where, amount=Decimal(20), spend_per_hour=Decimal("0.40"), at=at)
    page = text(ops, URL)
    assert "with a GPU running</b>: <b>$0.40 an hour</b>, " in page
    assert "No comparable offer is cheaper." in page
    until = at + timedelta(hours=50)
    assert "Runpod balance ($20.00) lasts until <b><time" in page
    assert f'datetime="{until:%Y-%m-%dT%H:%M:%SZ}">{until:%A %H:%M} UTC</time></b> at this rate.' in page


def test_something_cheaper_is_named_with_its_catch(ops: Client) -> None:
    lease(account())
    offer(1, kind="spot", price_per_gpu_hour=Decimal("0.10"))
    assert "RTX 4090 is available for <b>$0.10</b> at RunPod, but only spot." in text(ops, URL)
    account("vast", "vast")
    offer(2, price_per_gpu_hour=Decimal("0.30"), provider="vast")
    assert "The same RTX 4090 is available for <b>$0.30</b> at Vast.ai." in text(ops, URL)


def test_a_machine_with_nothing_on_it_is_called_out(ops: Client) -> None:
    lease(account(), name="idle-pod")
    assert "Idle: <b>idle-pod</b>, $0.40 an hour (no deployment uses it)." in text(ops, URL)


def test_old_figures_are_marked_with_their_age(ops: Client) -> None:
    where = account()
    lease(where)
    offer(seen_at=timezone.now() - timedelta(hours=5))
    Balance.objects.create(account=where, amount=Decimal(20), at=timezone.now() - timedelta(hours=5))
    read(where, timedelta(hours=5), failures=4, last_error="RunPod has a problem (500).", last_error_at=timezone.now())
    page = text(ops, URL)
    assert "Data of Runpod is old: last read" in page
    assert "RunPod has a problem (500)." in page
    assert "running when last read" in page
    assert "old: <time" in page
    assert "One of 1 accounts is not read on time" in page


def test_without_accounts_the_page_says_what_to_do(ops: Client) -> None:
    page = text(ops, URL)
    assert "We rent no GPU now." in page
    assert reverse("providers:account-add") in page
    assert reverse("providers:account-add") not in text(in_role("manager"), URL)


def test_ended_leases_stay_to_be_seen(ops: Client) -> None:
    now = timezone.now()
    lease(account(), name="trial", state="ended", hours=48, ended_at=now - timedelta(hours=24))
    page = text(ops, URL)
    assert "1 ended lease" in page
    assert "9.60" in page  # 24 h at 0.40


def test_the_page_takes_as_many_statements_for_ten_leases_as_for_two(ops: Client) -> None:
    where = account()
    for n in range(2):
        deployment(f"d{n}", lease=lease(where, n))
        offer(n)
    text(ops, URL)
    with CaptureQueriesContext(connection) as two:
        text(ops, URL)
    for n in range(2, 10):
        deployment(f"d{n}", lease=lease(where, n))
        offer(n, gpu=f"GPU {n}")
        account(f"more{n}")
    with CaptureQueriesContext(connection) as ten:
        text(ops, URL)
    assert len(ten) == len(two)
    assert len(ten) <= ceiling(URL)
