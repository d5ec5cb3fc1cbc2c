"""Bills against ours: each difference has its cause, and the causes add up to it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from costs.ledger import posting as ledger
from costs.models import Charge
from costs.reconciliation.causes import CAUSES
from costs.reconciliation.reconcile import Reconciled, Reconciliation, reconcile
from providers.models import Account, Feed, Lease, TokenPrice, VendorCost, VendorUsage
from tests.costs.usage_rows import usage
from tests.factories import (
    AccountFactory,
    ChargeFactory,
    LeaseFactory,
    LeaseSpanFactory,
    TokenPriceFactory,
    VendorCostFactory,
)
from traffic.authentication.keys import callers, create_key
from traffic.usage.filters import Filters

MONTH, NEXT = date(2026, 5, 1), datetime(2026, 6, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
DAY = datetime(2026, 5, 12, tzinfo=UTC)
RATES = {"uncached_input": 2, "cache_read": "0.2", "cache_write_5m": "2.5", "cache_write_1h": 4, "output": 10}
MILLION = Decimal(1_000_000)


@pytest.fixture
def claude(db: Any) -> Account:
    account = AccountFactory.create(slug="claude", name="Claude")
    whole(account, NEXT)
    TokenPrice.objects.filter(provider="anthropic", model="claude").delete()
    TokenPriceFactory.create(
        model="claude", starts_at=datetime(2020, 1, 1, tzinfo=UTC), seen_at=NOW,
        batch_factor="0.5", **RATES,
    )  # fmt: skip
    return account


def whole(account: Account, until: datetime | None, *kinds: str) -> None:
    for kind in kinds or ("costs", "usage"):
        Feed.objects.update_or_create(
            account=account,
            kind=kind,
            defaults={"every_s": 60, "due_at": NOW, "complete_until": until, "last_success_at": NOW},
        )


def worth(tokens: dict[str, int], factor: str = "1") -> dict[str, Decimal]:
    return {name: count * Decimal(RATES[name]) / MILLION * Decimal(factor) for name, count in tokens.items()}  # type: ignore[arg-type]


def report(account: Account, key: str = "k1", *, batch: bool = False, requests: int = 10, **tokens: int) -> None:
    """A row of the vendor's usage report."""
    VendorUsage.objects.create(
        account=account, starts_at=DAY, ends_at=DAY + timedelta(hours=1), model="claude", api_key=key,
        service_tier="batch" if batch else "standard", requests=requests, **tokens,
    )  # fmt: skip


def billed(account: Account, amount: Decimal | str, token_class: str = "", **given: Any) -> None:
    """A line of the vendor's bill."""
    number = VendorCost.objects.count()
    values: dict[str, Any] = {"category": "tokens", "model": "claude", "starts_at": DAY, **given}
    VendorCostFactory.create(
        account=account, external_id=f"line-{number}", ends_at=DAY + timedelta(days=1), amount=Decimal(amount),
        original_amount=Decimal(amount), token_class=token_class, **values,
    )  # fmt: skip


def bill(account: Account, factor: str = "1", **tokens: int) -> None:
    for name, amount in worth(tokens, factor).items():
        billed(account, amount, name)


def logged(cost: Decimal | None = None, **given: Any) -> None:
    """A row of our usage days; measured at list price unless said otherwise."""
    tokens = {name: given.get(name, 0) for name in RATES}
    usage(day=DAY.date(), **{"cost": sum(worth(tokens).values()) if cost is None else cost, **given})


def compared(month: date = MONTH, now: datetime = NOW) -> Reconciliation:
    ledger.post()
    found = reconcile(month, now)
    for row in found.rows:
        assert row.difference == row.billed - row.measured - row.estimated
        assert sum((cause.amount for cause in row.causes), Decimal(0)) == row.difference
    return found


def only(found: Reconciliation) -> Reconciled:
    (row,) = found.rows
    return row


def causes(found: Reconciliation) -> dict[str, Decimal]:
    return {cause.cause: cause.amount for cause in only(found).causes}


def test_a_bill_like_our_log_has_no_difference(claude: Account) -> None:
    report(claude, uncached_input=1000, output=500)
    bill(claude, uncached_input=1000, output=500)
    logged(uncached_input=1000, output=500)
    found = compared()
    assert (found.state, causes(found)) == ("closed", {})
    assert str(found.unexplained) == "0.00"


def test_usage_under_no_key_is_another_tool_s(claude: Account) -> None:
    report(claude, uncached_input=1000, output=500)
    report(claude, key="", requests=3, uncached_input=70, output=30)
    bill(claude, uncached_input=1070, output=530)
    logged(uncached_input=1000, output=500)
    found = compared()
    assert causes(found) == {"other_keys": Decimal("0.00044")}
    (cause,) = only(found).causes
    assert (cause.requests, cause.models) == (3, ("claude",))


def test_a_surplus_of_tokens_is_split_into_unknown_usage_and_other_keys(claude: Account) -> None:
    report(claude, requests=11, uncached_input=1100, output=520)
    report(claude, key="", requests=1, output=100)
    bill(claude, uncached_input=1100, output=620)
    logged(uncached_input=1000, output=500, requests=11, unknown_usage=1)
    assert causes(compared()) == {"other_keys": Decimal("0.001"), "unknown_usage": Decimal("0.0004")}


def test_in_a_report_without_any_keys_usage_is_not_counted_as_other_keys(claude: Account) -> None:
    report(claude, key="", uncached_input=1100)
    bill(claude, uncached_input=1100)
    logged(uncached_input=1000, unknown_usage=1)
    assert causes(compared()) == {"unknown_usage": Decimal("0.0002")}


def test_a_model_that_we_never_sent_to_is_unseen(claude: Account) -> None:
    report(claude, requests=4, output=100)
    bill(claude, output=100)
    (cause,) = only(compared()).causes
    assert (cause.cause, cause.amount, cause.requests) == ("unseen_requests", Decimal("0.001"), 4)


def test_another_price_is_told_from_other_usage(claude: Account) -> None:
    report(claude, output=1000)
    report(claude, key="", requests=2, output=100)
    bill(claude, "1.1", output=1100)
    logged(output=1000)
    assert causes(compared()) == {"price": Decimal("0.001"), "other_keys": Decimal("0.0011")}


def test_a_batch_that_we_took_for_single_requests_is_named(claude: Account) -> None:
    report(claude, output=600)
    report(claude, batch=True, output=400)
    billed(claude, Decimal("0.008"), "output")  # 600 at 10 and 400 at 5 per million
    logged(output=1000)
    assert causes(compared()) == {"batch": Decimal("-0.002")}


def test_a_batch_that_both_know_is_no_difference(claude: Account) -> None:
    report(claude, output=600)
    report(claude, batch=True, output=400)
    billed(claude, Decimal("0.008"), "output")
    logged(output=600)
    logged(cost=Decimal("0.002"), task="batch", output=400, batched=10)
    assert causes(compared()) == {}


def test_cache_reads_counted_as_input_are_a_cache_split(claude: Account) -> None:
    report(claude, uncached_input=100, cache_read=900)
    bill(claude, uncached_input=100, cache_read=900)
    logged(uncached_input=1000)
    assert causes(compared()) == {"cache_split": 900 * (Decimal("0.2") - 2) / MILLION}


def test_requests_without_a_price_are_what_they_were_billed(claude: Account) -> None:
    report(claude, output=1000)
    bill(claude, output=1000)
    logged(cost=Decimal(0), output=1000, unpriced=10)
    assert causes(compared()) == {"unpriced": Decimal("0.01")}


def test_what_is_not_on_the_bill_is_named(claude: Account) -> None:
    report(claude, output=400)
    bill(claude, output=400)
    logged(output=1000)
    assert causes(compared()) == {"not_billed": Decimal("-0.006")}


def test_a_model_under_its_dated_name_is_the_same(claude: Account) -> None:
    report(claude, output=400)
    bill(claude, output=400)
    logged(output=400, model="claude-20260301")
    assert causes(compared()) == {}


def test_a_bill_in_whole_cents_differs_by_rounding(claude: Account) -> None:
    report(claude, output=1234)
    billed(claude, "0.01", "output")
    logged(output=1234)
    assert causes(compared()) == {"rounding": Decimal("-0.00234")}


def test_a_bill_without_a_usage_report_stays_unexplained(claude: Account) -> None:
    billed(claude, "0.5127", "output")
    logged(output=1234)
    found = compared()
    assert found.unexplained == Decimal("0.50036")
    assert causes(found) == {"unexplained": Decimal("0.50036")}


def test_a_usage_report_that_was_never_read_is_awaited_and_nothing_is_beyond_explaining(claude: Account) -> None:
    billed(claude, "0.5127", "output")
    logged(output=1234)
    usage_feed = Feed.objects.filter(account=claude, kind="usage")
    usage_feed.update(complete_until=None, last_success_at=None)
    assert causes(compared()) == {"report_awaited": Decimal("0.50036")}
    usage_feed.update(last_error="This key may not read usage.")
    assert causes(compared()) == {"unexplained": Decimal("0.50036")}
    usage_feed.update(last_error="", last_success_at=NOW)
    report(claude, output=51270)
    assert causes(compared()) == {"unseen_requests": Decimal("0.50036")}


def test_days_that_the_bill_does_not_hold_yet_are_one_cause(claude: Account) -> None:
    whole(claude, DAY + timedelta(hours=9))
    report(claude, output=100)
    bill(claude, output=100)
    logged(output=1000)
    found = compared()
    assert (found.state, causes(found)) == ("open", {"not_complete": Decimal("-0.009")})
    assert only(found).complete_until == DAY.date()


def test_a_provider_without_a_bill_says_so(db: Any) -> None:
    usage(day=DAY.date(), provider="openai", cost=Decimal(3))
    assert causes(compared()) == {"no_bill": Decimal(-3)}


def test_searches_and_taxes_keep_their_own_names(claude: Account) -> None:
    billed(claude, "0.02", category="web_search", model="")
    billed(claude, "1.5", category="tax", model="")
    assert causes(compared()) == {"web_search": Decimal("0.02"), "tax": Decimal("1.5")}


def test_lines_of_another_invoice_month_go_with_their_invoice(claude: Account) -> None:
    billed(claude, "2", category="tax", model="", invoice_month="2026-04")
    billed(claude, "5", category="tax", model="", invoice_month="2026-05", starts_at=DAY + timedelta(days=30))
    found = compared()
    assert only(found).billed == 5
    assert causes(found) == {"tax": Decimal(2), "vendor_month": Decimal(3)}


# Machines.


@pytest.fixture
def pod(db: Any) -> Lease:
    account = AccountFactory.create(slug="runpod", name="RunPod", kind="runpod")
    whole(account, NEXT, "costs")
    return lease(account, "p1")


def lease(account: Account, name: str) -> Lease:
    return LeaseFactory.create(
        account=account, external_id=name, price_per_hour=Decimal("0.34"), started_at=DAY, seen_at=NOW
    )


def watch(pod: Lease, hours: int = 10) -> None:
    LeaseSpanFactory.create(
        lease=pod, starts_at=DAY, ends_at=DAY + timedelta(hours=hours), price_per_hour=Decimal("0.34")
    )


def rent(pod: Lease, amount: str, category: str = "gpu", resource: str = "p1") -> None:
    billed(pod.account, amount, category=category, model="", resource=resource)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([("3.4", "gpu")], {}),
        ([("3.400001", "gpu")], {"rounding": "0.000001"}),
        ([("4.08", "gpu")], {"lease_hours": "0.68"}),  # two hours more than we watched
        ([("9.4", "gpu")], {"lease_price": "6"}),  # more than the day has hours
        ([("3.4", "gpu"), ("0.09", "disk")], {"disk": "0.09"}),
        ([("3.31", "gpu"), ("0.09", "disk")], {}),  # a price that holds the disk
        ([("3.74", "gpu"), ("0.09", "disk")], {"lease_hours": "0.34", "disk": "0.09"}),
        ([("3", "gpu")], {"lease_price": "-0.4"}),
        ([], {"lease_not_billed": "-3.4"}),
    ],
)
def test_a_machine_s_bill_is_held_against_its_hours(
    pod: Lease, lines: list[tuple[str, str]], expected: dict[str, str]
) -> None:
    watch(pod)
    for amount, category in lines:
        rent(pod, amount, category)
    assert causes(compared()) == {name: Decimal(amount) for name, amount in expected.items()}


def test_a_machine_that_we_never_saw_is_named(pod: Lease) -> None:
    rent(pod, "1", resource="unknown")
    rent(pod, "2")  # known by name, never watched
    assert causes(compared()) == {"lease_unseen": Decimal(3)}


def test_an_entered_invoice_is_a_bill_without_lines(db: Any, pod: Lease) -> None:
    whole(pod.account, None, "costs")
    watch(pod)
    enter("3.40")
    found = compared()
    assert (only(found).billed, only(found).invoiced, causes(found)) == (Decimal("3.4"), Decimal("3.4"), {})
    Charge.objects.filter(provenance="entered").update(amount="5.00")
    assert causes(compared()) == {"unexplained": Decimal("1.6")}


def enter(amount: str) -> None:
    ChargeFactory.create(
        key="entered:1", provider="runpod", day=DAY.date(), starts_at=DAY, ends_at=DAY + timedelta(days=1),
        category="invoice", provenance="entered", amount=Decimal(amount), original_amount=Decimal(amount),
        invoice_month="2026-05",
    )  # fmt: skip


# The contract.


def test_every_cause_has_words(claude: Account) -> None:
    assert all(str(words) for words in CAUSES.values())


def test_the_api_answers_the_same_with_decimal_strings(claude: Account) -> None:
    report(claude, output=1000)
    bill(claude, output=1000)
    logged(output=900)
    ledger.post()
    callers.clear()
    headers = {"Authorization": f"Bearer {create_key(name='reader', scopes=['read'])[1]}"}
    answer = Client().get("/api/v1/reconciliation?month=2026-05", headers=headers).json()
    assert (answer["month"], answer["state"], answer["unexplained"]) == ("2026-05", "closed", "0.00")
    (row,) = answer["rows"]
    assert (row["provider"], row["measured"], row["billed"]) == ("anthropic", "0.009000000000", "0.010000000000")
    assert [(cause["cause"], cause["amount"]) for cause in row["causes"]] == [("unseen_requests", "0.001000000000")]
    assert Client().get("/api/v1/reconciliation?month=2026-13", headers=headers).status_code == 422
    assert Client().get("/api/v1/reconciliation", headers=headers).json()["state"] == "open"
    assert Client().get("/api/v1/reconciliation").status_code == 401


def test_a_month_is_compared_for_one_provider_or_model(claude: Account) -> None:
    report(claude, uncached_input=1000, output=500)
    bill(claude, uncached_input=1000, output=500)
    logged(uncached_input=1000, output=500)
    logged(cost=Decimal(3), provider="openai", model="gpt")
    ledger.post()
    for filters, providers in (
        (Filters(), ["anthropic", "openai"]),
        (Filters(provider=["anthropic"]), ["anthropic"]),
        (Filters(model=["gpt"]), ["openai"]),
        (Filters(provider=["anthropic"], model=["gpt"]), []),
    ):
        rows = reconcile(MONTH, NOW, filters).rows
        assert [row.provider for row in rows] == providers
        assert all(sum((cause.amount for cause in row.causes), Decimal(0)) == row.difference for row in rows)
