"""Spend adds up to its total in every grouping, and one provenance counts for a provider and day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from costs.allocation.queries import spend
from costs.ledger import posting as ledger
from costs.models import Charge
from lib.allocation import divide
from lib.money import COST_STEP
from providers.models import Account, Deployment, Feed, Lease, VendorCost
from tests.costs.usage_rows import at, usage
from tests.factories import (
    AccountFactory,
    ApplicationFactory,
    ChargeFactory,
    DeploymentFactory,
    LeaseFactory,
    LeaseSpanFactory,
    VendorCostFactory,
)
from traffic.authentication.keys import callers, create_key
from traffic.models import Application, UsageHour
from traffic.usage.filters import Filters

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
D1, D2 = (TODAY - timedelta(days=3)).date(), (TODAY - timedelta(days=2)).date()
GROUPS = ("provider", "model", "application", "task", "day", "month", "provenance")


@pytest.fixture
def apps(db: Any) -> list[Application]:
    return [ApplicationFactory.create(slug=slug) for slug in ("shop", "docs", "chat")]


@pytest.fixture
def claude(db: Any) -> Account:
    return AccountFactory.create(slug="claude", name="Claude")


@pytest.fixture
def pod(db: Any) -> Lease:
    account = AccountFactory.create(slug="runpod", name="RunPod", kind="runpod")
    made = LeaseFactory.create(
        account=account, external_id="p1", price_per_hour=Decimal("0.34"), started_at=at(D1),
        seen_at=at(D2),
    )  # fmt: skip
    LeaseSpanFactory.create(
        lease=made, starts_at=at(D1), ends_at=at(D1, 3) + timedelta(minutes=30),
        price_per_hour=Decimal("0.34"),
    )  # fmt: skip
    DeploymentFactory.create(slug="own", name="Own", url="http://x", lease=made)
    return made


def bill(account: Account, day: Any, amount: str, **given: Any) -> VendorCost:
    values = {"external_id": f"{day}-{amount}", "category": "tokens", "model": "claude", **given}
    return VendorCostFactory.create(
        account=account, starts_at=at(day), ends_at=at(day) + timedelta(days=1), amount=Decimal(amount),
        original_amount=Decimal(amount) * 100, **values,
    )  # fmt: skip


def complete(account: Account, until: datetime | None) -> None:
    Feed.objects.update_or_create(
        account=account, kind="costs", defaults={"every_s": 60, "due_at": timezone.now(), "complete_until": until}
    )
    ledger.post()


def assert_adds_up(filters: Filters | None = None) -> Decimal:
    totals = set()
    for group_by in GROUPS:
        found = spend(D1, TODAY.date(), group_by, filters)  # type: ignore[arg-type]
        assert sum(group.amount for group in found.groups) == found.total == sum(found.provenance.values())
        for group in found.groups:
            assert sum(group.provenance.values(), Decimal(0)) == group.amount
        totals.add(found.total)
    (total,) = totals
    return total


def test_a_bill_counts_once_it_is_complete_and_what_we_measured_before(apps: Any, claude: Account) -> None:
    usage(day=D1, cost=Decimal("1.00"))
    usage(day=D2, cost=Decimal("2.00"))
    bill(claude, D1, "1.10")
    bill(claude, D2, "0.40")  # the day is not over at the vendor
    ledger.post()
    complete(claude, at(D2, 9))
    found = spend(D1, TODAY.date())
    assert found.provenance == {
        "billed": Decimal("1.1"), "measured": Decimal(2), "estimated": Decimal(0), "entered": Decimal(0),
    }  # fmt: skip
    assert_adds_up()


def test_what_was_billed_stays_billed_when_the_account_is_switched_off(apps: Any, claude: Account) -> None:
    usage(day=D1, cost=Decimal("1.00"))
    bill(claude, D1, "1.10")
    ledger.post()
    complete(claude, at(D2))
    Account.objects.update(enabled=False)
    ledger.post()
    assert spend(D1, D2).provenance["billed"] == Decimal("1.1")
    other = AccountFactory.create(slug="claude-2", name="Claude 2")
    complete(other, None)
    assert spend(D1, D2).provenance["billed"] == Decimal("1.1")
    # Another account of the vendor has taken over: its own bill says what is whole.
    complete(other, at(D1))
    assert spend(D1, D2).provenance["billed"] == 0


def test_a_bill_is_divided_by_what_each_application_was_measured_at(apps: Any, claude: Account) -> None:
    for application, cost in zip(apps, ("1", "1", "1"), strict=True):
        usage(day=D1, application_id=application.pk, cost=Decimal(cost))
    bill(claude, D1, "10")
    ledger.post()
    complete(claude, at(D2))
    groups = {group.key: group.amount for group in spend(D1, D2, "application").groups}
    assert sorted(groups.values()) == [Decimal("3.333333333333"), Decimal("3.333333333333"), Decimal("3.333333333334")]
    assert assert_adds_up(Filters(application=[apps[0].pk])) == groups["shop"]


def test_a_bill_without_measured_usage_is_unattributed(apps: Any, claude: Account) -> None:
    bill(claude, D1, "5", model="unseen")
    ledger.post()
    complete(claude, at(D2))
    assert [(group.key, group.amount) for group in spend(D1, D2, "application").groups] == [(None, Decimal(5))]
    assert [group.key for group in spend(D1, D2, "model").groups] == ["unseen"]


def test_a_lease_is_divided_by_tokens_hour_by_hour_and_idle_has_no_key(apps: Any, pod: Lease) -> None:
    own = Deployment.objects.get(slug="own")
    for application, tokens in ((apps[0], 300), (apps[1], 100)):
        given = {"application_id": application.pk, "deployment_id": own.pk, "provider": "self", "model": "mistral"}
        usage(UsageHour, hour=at(D1, 1), output=tokens, **given)
        usage(day=D1, output=tokens, leased=10, **given)
    ledger.post()
    groups = {group.key: group.amount for group in spend(D1, TODAY.date(), "application").groups}
    assert groups == {"shop": Decimal("0.255"), "docs": Decimal("0.085"), None: Decimal("0.85")}
    by_provider = {group.key: (group.amount, group.requests) for group in spend(D1, TODAY.date()).groups}
    assert by_provider == {"runpod": (Decimal("1.19"), 0), "self": (Decimal(0), 20)}
    assert assert_adds_up() == Decimal("1.19")


def test_a_lease_that_is_billed_by_the_day_is_divided_by_the_hours_of_the_day(apps: Any, pod: Lease) -> None:
    own = Deployment.objects.get(slug="own")
    for application, hour, tokens in ((apps[0], 1, 300), (apps[1], 1, 100), (apps[1], 2, 7), (apps[2], 2, 0)):
        given = {"application_id": application.pk, "deployment_id": own.pk, "provider": "self", "model": "mistral"}
        usage(UsageHour, hour=at(D1, hour), output=tokens, **given)
    bill(pod.account, D1, "24", category="gpu", model="", resource="p1")
    complete(pod.account, at(D2))
    ledger.post()
    groups = {group.key: group.amount for group in spend(D1, TODAY.date(), "application").groups}
    assert groups == {"shop": Decimal("0.75"), "docs": Decimal("1.25"), None: Decimal(22)}
    assert_adds_up()


def test_a_lease_in_thirds_adds_up_to_the_last_step(apps: Any, pod: Lease) -> None:
    own = Deployment.objects.get(slug="own")
    for application in apps:
        given = {"application_id": application.pk, "deployment_id": own.pk, "provider": "self", "model": "mistral"}
        usage(UsageHour, hour=at(D1, 1), output=1, **given)
    ledger.post()
    groups = {group.key: group.amount for group in spend(D1, TODAY.date(), "application").groups}
    assert sorted(groups.values())[:3] == [Decimal("0.113333333333")] * 2 + [Decimal("0.113333333334")]
    assert sum(groups.values()) == Decimal("1.19")


def test_a_bill_takes_the_place_of_the_estimate(apps: Any, pod: Lease) -> None:
    bill(pod.account, D1, "1.25", category="gpu", model="", resource="p1")
    ledger.post()
    assert spend(D1, TODAY.date()).provenance["estimated"] == Decimal("1.19")
    complete(pod.account, at(D2))
    found = spend(D1, TODAY.date())
    assert (found.provenance["estimated"], found.provenance["billed"]) == (Decimal(0), Decimal("1.25"))
    assert Charge.objects.get(provenance="billed").lease == pod


def test_a_bill_counts_when_its_lines_are_in_the_ledger_and_not_when_its_watermark_moves(claude: Account) -> None:
    usage(day=D1, cost=Decimal("1.00"))
    complete(claude, at(D1))
    bill(claude, D1, "1.10")
    Feed.objects.update(complete_until=at(D2))  # a poll came in; the next posting is still to come
    assert spend(D1, D2).provenance["measured"] == 1
    ledger.post()
    assert spend(D1, D2).provenance["billed"] == Decimal("1.1")


def test_an_entered_invoice_replaces_what_is_not_billed(apps: Any, pod: Lease) -> None:
    ledger.post()
    ChargeFactory.create(
        key="entered:1", provider="runpod", day=D1, starts_at=at(D1), ends_at=at(D2), category="invoice",
        provenance="entered", amount=2, original_amount=2, invoice_month=f"{D1:%Y-%m}",
    )  # fmt: skip
    found = spend(D1, D2)
    assert found.total == 2


def test_the_ledger_is_made_once_and_follows_revisions(apps: Any, claude: Account, pod: Lease) -> None:
    line = bill(claude, D1, "1")
    assert ledger.post() == 5  # one billed line and four hours
    assert ledger.post() == 0
    VendorCost.objects.update(amount=Decimal("1.5"))
    assert ledger.differences() == []  # it came in a moment ago: the next posting is still to come
    VendorCost.objects.update(updated_at=at(D1))
    assert [one[0] for one in ledger.differences()] == [f"billed:{claude.pk}:{line.external_id}"]
    assert ledger.post() == 1
    assert not ledger.differences()
    Charge.objects.filter(provenance="billed").update(amount=7)
    assert [one[1:] for one in ledger.differences()] == [("7.000000000000", "1.500000000000")]
    line.delete()
    assert ledger.post() == 1


@pytest.mark.parametrize("amount", ["10", "0.000000000001", "-3.33", "0"])
@pytest.mark.parametrize("weights", [[1, 1, 1], [0, 5], [1, 10**12], [7]])
def test_shares_add_up_to_the_amount_at_the_stored_step(amount: str, weights: list[int]) -> None:
    shares = divide(Decimal(amount), list(enumerate(weights)))
    assert sum(share for _, share in shares) == Decimal(amount)
    assert all(share == share.quantize(COST_STEP) for _, share in shares)


def test_the_api_answers_decimal_strings(apps: Any, claude: Account) -> None:
    callers.clear()
    usage(day=D1, cost=Decimal("1.00"))
    secret = create_key(name="reader", scopes=["read"])[1]
    answer = Client().get(f"/api/v1/spend?from={D1}&to={D2}", headers={"Authorization": f"Bearer {secret}"}).json()
    assert (answer["from"], answer["to"], answer["currency"]) == (D1.isoformat(), D2.isoformat(), "USD")
    assert Decimal(answer["total"]) == 1
    assert answer["groups"][0]["provenance"] == {"measured": "1.000000000000"}


def test_the_api_takes_one_month_in_the_place_of_two_days(apps: Any, claude: Account) -> None:
    callers.clear()
    reader = {"Authorization": f"Bearer {create_key(name='reader', scopes=['read'])[1]}"}
    usage(day=date(2026, 10, 31), cost=Decimal("1.00"))
    usage(day=date(2026, 11, 1), cost=Decimal("2.00"))
    usage(day=date(2026, 11, 30), cost=Decimal("4.00"))
    usage(day=date(2026, 12, 1), cost=Decimal("8.00"))
    answer = Client().get("/api/v1/spend?month=2026-11", headers=reader).json()
    assert (answer["from"], answer["to"]) == ("2026-11-01", "2026-12-01")
    assert Decimal(answer["total"]) == 6
    for query in ("month=2026-11&from=2026-11-02", "month=2026-11&to=2026-11-02", "month=2026-13", "month=november"):
        refused = Client().get(f"/api/v1/spend?{query}", headers=reader)
        assert refused.status_code == 422, query
        assert "month" in str(refused.json()["errors"]), query
