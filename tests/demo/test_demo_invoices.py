"""A month of the demo company closes by its invoice with every difference explained."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from costs.allocation.queries import spend
from costs.ledger import posting as ledger
from costs.models import Closing
from costs.reconciliation import queries as bills
from costs.reconciliation.coverage import coverages
from costs.reconciliation.reconcile import reconcile
from demo import company, invoices
from demo.bills import RATES, ClaudeBill, cost_by_class
from demo.story import Story, add_months
from demo.traffic import Day, Traffic, five_classes
from lib.dates import midnight
from lib.tokens import TOKEN_CLASSES
from providers.models import Account, Feed, TokenPrice, VendorCost, VendorUsage
from tests.costs.usage_rows import usage
from tests.factories import AccountFactory, FeedFactory, TokenPriceFactory
from traffic.models import Application

NOW = timezone.now()
MONTH = (NOW.astimezone(UTC).date().replace(day=1) - timedelta(days=1)).replace(day=1)
STORY = Story(add_months(MONTH, 1))
DAYS = 5  # a few days of the month have all that can differ


@pytest.fixture
def demo(db: Any) -> Account:
    """What ingest and polls would have made of the generator's days."""
    account = AccountFactory.create(slug="anthropic", name="Anthropic Console")
    for kind in ("costs", "usage"):
        FeedFactory.create(account=account, kind=kind, every_s=60, due_at=NOW, complete_until=NOW)
    for one in company.APPLICATIONS:
        Application.objects.get_or_create(slug=one.slug, defaults={"name": one.name})
    TokenPrice.objects.filter(provider="anthropic", model__in=RATES).delete()
    for model, versions in RATES.items():
        for since, rates in versions:
            start = midnight(max(since, date(2020, 1, 1)))
            TokenPriceFactory.create(
                model=model, starts_at=start, seen_at=NOW, batch_factor="0.5",
                **dict(zip(TOKEN_CLASSES, rates, strict=True)),
            )  # fmt: skip
    traffic, bill = Traffic(STORY), ClaudeBill()
    for number in range(DAYS):
        day = traffic.day(MONTH + timedelta(days=number))
        bill.add(day)
        log(day)
    report(account, bill)
    ledger.post()
    return account


def log(day: Day) -> None:
    """The day's usage rows, as ingest adds them up."""
    ids = dict(Application.objects.values_list("slug", "pk"))
    sums: dict[Any, dict[str, Any]] = defaultdict(lambda: defaultdict(int))
    for row in day.rows:
        if row["provider"] != "anthropic":
            continue
        found = sums[row["application"], row["model"], row["task"], row["batch"]]
        found["requests"] += 1
        found["batched"] += row["batch"]
        if row["tokens"] is None:
            found["unknown_usage"] += 1
            continue
        tokens = five_classes(row["tokens"])
        found["cost"] += sum(cost_by_class(row["model"], midnight(day.day), row["batch"], tokens))
        for name, count in zip(TOKEN_CLASSES, tokens, strict=True):
            found[name] += count
    for (application, model, task, batch), found in sums.items():
        # Batch and live work have tasks of their own, so that their rows stay apart.
        usage(day=day.day, application_id=ids[application], model=model, task=f"{task}{'-batch' * batch}", **found)


def report(account: Account, bill: ClaudeBill) -> None:
    usages, costs = [], []
    for number, line in enumerate(bill.lines()):
        at = datetime.fromisoformat(line["hour"])
        span = {"account": account, "starts_at": at, "ends_at": at + timedelta(hours=1)}
        usages.append(
            VendorUsage(
                **span, model=line["model"], workspace=line["workspace"], api_key=line["api_key"] or "",
                service_tier=line["service_tier"], requests=line["requests"], **line["tokens"],
            )
        )  # fmt: skip
        amounts = [(name, Decimal(cost), "tokens") for name, cost in line["cost"].items()]
        amounts.append(("", Decimal("0.01") * line["web_searches"], "web_search"))
        costs += [
            VendorCost(
                **span, external_id=f"{number}/{name}", category=category, amount=amount, original_amount=amount,
                model=line["model"], token_class=name,
            )
            for name, amount, category in amounts
            if amount
        ]  # fmt: skip
    VendorUsage.objects.bulk_create(usages)
    VendorCost.objects.bulk_create(costs)


def test_the_demo_s_month_closes_with_every_difference_explained(demo: Account) -> None:
    invoices.close_last_month(NOW)
    closing = Closing.objects.get()
    found = reconcile(MONTH, NOW)
    (row,) = found.rows
    assert (row.closing, str(found.unexplained)) == (closing, "0.00")
    causes = {cause.cause: cause.amount for cause in row.causes}
    assert causes.keys() >= {"other_keys", "unknown_usage", "web_search", "tax", "credit", "rounding"}
    assert sum(causes.values()) == row.difference
    assert row.billed == closing.amount == closing.amount.quantize(Decimal("0.01"))
    assert spend(MONTH, add_months(MONTH, 1)).total == closing.amount


def test_the_demo_s_keys_are_told_apart(demo: Account) -> None:
    invoices.close_last_month(NOW)
    (one,) = coverages(bills.read(MONTH, NOW))
    assert one.share is not None and Decimal("0.95") < one.share < 1
    others = {row.key for row in one.keys if row.other}
    assert others == {"", company.NOTEBOOK_KEY}
    assert all(row.seen for row in one.keys if not row.other)


def test_the_demo_closes_its_month_once_and_not_before_the_bill_is_whole(demo: Account) -> None:
    Feed.objects.update(complete_until=NOW - timedelta(days=45))
    invoices.close_last_month(NOW)
    assert not Closing.objects.exists()
    Feed.objects.update(complete_until=NOW)
    for _again in range(2):
        invoices.close_last_month(NOW)
    assert Closing.objects.count() == 1
