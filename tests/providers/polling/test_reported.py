"""What a vendor reports of an account stands on its page by name: workspaces, keys, tiers, extras, and payments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from lib.encryption import encrypt
from providers.accounts.vendor_report import reported
from providers.models import Account, Feed, Offer, VendorName, VendorPayment
from providers.polling import due
from providers.polling.services import poll
from sandbox.google import TABLE
from sandbox.testing import Sandbox, running_sandbox
from tests.factories import AccountFactory, TokenPriceFactory, VendorCostFactory
from tests.providers.people import in_role, text

pytestmark = pytest.mark.django_db
DAY = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=2)


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        tokens = {"uncached_input": 1000, "output": 200}
        cost = {"uncached_input": "2", "output": "1"}
        common = {"hour": DAY.isoformat(), "model": "claude-sonnet-5-5", "workspace": "wrkspc_1", "requests": 4}
        common |= {"tokens": tokens, "cost": cost}
        usage = [
            common | {"api_key": "apikey_1", "service_tier": "standard", "web_searches": 100, "code_execution": "0.5"},
            common | {"api_key": "apikey_1", "service_tier": "batch"},
            common | {"api_key": "apikey_2", "service_tier": "priority"},
        ]
        names = {"wrkspc_1": "Shop floor", "apikey_1": "shop, production", "apikey_2": "ops laptop"}
        sandbox.load("anthropic", {"usage": usage, "names": names})
        paid = [{"id": 71, "at": DAY.isoformat(), "amount": "25.50"}]
        sandbox.load("vast", {"instances": [], "payments": paid, "balance": 20})
        yield sandbox


def polled(vendors: Sandbox, kind: str, only: str = "", **settings: Any) -> Account:
    """An account of which every list, or this one alone, has been read once."""
    config = vendors.config(kind)
    made = AccountFactory.create(
        slug=kind, name=kind.title(), kind=kind, base_url=config.base_url, local=True,
        secret=encrypt(config.secret), settings=settings,
    )  # fmt: skip
    made.refresh_from_db()
    due.ensure_feeds(made, timezone.now())
    if only:
        made.feeds.exclude(kind=only).delete()
    assert all(poll(feed) for feed in due.claim(timezone.now())), list(Feed.objects.values_list("kind", "last_error"))
    return made


def test_a_bill_is_told_by_workspace_key_tier_and_extra(vendors: Sandbox) -> None:
    told = reported(polled(vendors, "anthropic"), timezone.now())
    (space,) = told.workspaces
    assert (space.name, space.cost, space.requests, space.tokens) == ("Shop floor", Decimal("10.5"), 12, 3600)
    assert [(key.name, key.tokens, key.state) for key in space.keys] == [
        ("shop, production", 2400, "active"),
        ("ops laptop", 1200, "active"),
    ]
    assert {tier.id: tier.cost for tier in told.tiers} == {
        "standard": 3, "batch": 3, "priority": 3, "web_search": 1, "code_execution": Decimal("0.5"),
    }  # fmt: skip
    assert not told.unbilled, "the analytics report has the priority tier"


def test_what_a_workspace_is_billed_is_divided_among_its_keys(vendors: Sandbox) -> None:
    (space,) = reported(polled(vendors, "anthropic"), timezone.now()).workspaces
    assert sum(key.cost or 0 for key in space.keys) == space.cost
    # No price of this model is in the book of this test, so that tokens count: two rows of three are of the first key.
    assert [key.cost for key in space.keys] == [7, Decimal("3.5")]
    price_model("claude-sonnet-5-5")  # now batch counts half
    (space,) = reported(Account.objects.get(), timezone.now()).workspaces
    assert [key.cost for key in space.keys] == [Decimal("6.3"), Decimal("4.2")]


def price_model(model: str) -> None:
    TokenPriceFactory.create(
        model=model, starts_at=DAY - timedelta(days=99), seen_at=DAY, uncached_input=Decimal(1),
        output=Decimal(1), batch_factor=Decimal("0.5"),
    )  # fmt: skip


def test_a_bill_is_looked_at_by_workspace_and_period(vendors: Sandbox) -> None:
    polled(vendors, "anthropic")
    url, client = "/settings/accounts/anthropic/", in_role("manager")
    assert "last 30 days" in text(client, url)
    page = text(client, url, workspace="wrkspc_1", days=7)
    assert '<option value="wrkspc_1" selected>Shop floor' in page and "last 7 days" in page and "10.50" in page
    page = text(client, url, workspace="another", days="x")
    assert "0 workspaces used it" in page and "10.50" not in page and "last 30 days" in page


def test_the_bill_by_workspace_and_key_is_told_by_the_json_api(vendors: Sandbox) -> None:
    polled(vendors, "anthropic")
    client = in_role("manager")
    told = client.get("/api/v1/accounts/anthropic/bill").json()
    (space,) = told["workspaces"]
    assert (space["name"], Decimal(space["cost"])) == ("Shop floor", Decimal("10.5"))
    assert sum(Decimal(key["cost"]) for key in space["keys"]) == Decimal("10.5")
    assert told["not_in_the_bill"] == []
    assert client.get("/api/v1/accounts/anthropic/bill?workspace=another").json()["workspaces"] == []
    assert client.get("/api/v1/accounts/nobody/bill").status_code == 404


def test_the_account_page_names_workspaces_and_keys(vendors: Sandbox) -> None:
    polled(vendors, "anthropic")
    page = text(in_role("manager"), "/settings/accounts/anthropic/")
    for words in ("One workspace used it", "with 2 keys", "Shop floor", "shop, production", "ops laptop", "Batch"):
        assert words in page
    assert "Code execution" in page and "Web searches" in page
    assert "are not in this bill" not in page


def test_the_older_reports_say_that_priority_is_not_in_the_bill(vendors: Sandbox) -> None:
    made = polled(vendors, "anthropic", reports="legacy")
    assert [tier.id for tier in reported(made, timezone.now()).unbilled] == ["priority"]
    page = text(in_role("ops"), "/settings/accounts/anthropic/")
    assert "1,200 tokens of the tier priority are not in this bill" in page
    assert "not in the bill" in page


def test_a_name_outlives_what_it_names_and_follows_when_it_is_changed(vendors: Sandbox) -> None:
    made = polled(vendors, "anthropic")
    VendorName.objects.create(
        account=made, kind="api_key", external_id="apikey_old", name="an old one", seen_at=timezone.now()
    )
    VendorName.objects.filter(external_id="apikey_1").update(name="as it was called before")
    assert all(poll(feed) for feed in due.claim(timezone.now(), account=made))
    named = dict(VendorName.objects.values_list("external_id", "name"))
    assert (named["apikey_1"], named["apikey_old"]) == ("shop, production", "an old one")


def test_payments_are_shown_and_are_no_cost(vendors: Sandbox) -> None:
    made = polled(vendors, "vast", only="payments")  # bills of a long past are asked for 3 s apart
    assert VendorPayment.objects.get().amount == Decimal("25.5")
    due_again = due.claim(timezone.now(), account=made)
    assert all(poll(feed) for feed in due_again)
    assert VendorPayment.objects.count() == 1, "the same answer twice"
    page = text(in_role("manager"), "/settings/accounts/vast/")
    assert "25.50 paid in recently" in page and "credit stripe_payments" in page


def test_a_gpu_of_google_shows_what_its_machine_and_disk_cost_besides(vendors: Sandbox) -> None:
    polled(vendors, "google", billing_table=TABLE)
    offer = Offer.objects.get(gpu="T4", kind="on_demand", region="us-central1")
    assert offer.machine_per_gpu_hour == 4 * Decimal("0.031611") + 15 * Decimal("0.004237")
    assert offer.disk_per_gb_month == Decimal("0.17")
    committed = Offer.objects.get(gpu="T4", kind="committed_3y", region="us-central1")
    assert committed.machine_per_gpu_hour is not None and committed.machine_per_gpu_hour < offer.machine_per_gpu_hour
    page = text(in_role("ops"), "/providers/offers/", gpu="T4")
    assert "GPU 0.3500, host 0.1900" in page and "disk 0.17 a GB and month" in page


def test_what_nobody_knows_is_listed_with_its_words_and_sum() -> None:
    account = AccountFactory.create(slug="google", name="Google", kind="google")
    for day, amount in ((1, "0.25"), (2, "0.15")):
        VendorCostFactory.create(
            account=account, external_id=f"{day}", category="other", amount=Decimal(amount), original_amount=0,
            description="Cloud Run: Jobs Requests", starts_at=DAY - timedelta(days=day), ends_at=DAY,
        )  # fmt: skip
    page = text(in_role("manager"), "/settings/accounts/google/")
    assert "1 kind of charge without a category" in page
    assert "Cloud Run: Jobs Requests" in page and "0.40" in page
