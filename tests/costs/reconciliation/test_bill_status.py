"""The stored status of a month's bills: what pages read, and that it never passes for newer than it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from costs.ledger import posting as ledger
from costs.models import BillStatus, Charge, Closing
from costs.reconciliation import bill_status, keys
from costs.reconciliation.bill_status import current, refresh, stored
from costs.reconciliation.reconcile import reconcile
from costs.reconciliation.tolerances import reconciliation_gaps
from costs.tasks import post_ledger
from providers.models import Account, Discount, Feed, Lease, LeaseSpan, TokenPrice
from tests.costs.people import client_of, text
from tests.costs.reconciliation.test_reconcile import DAY, MONTH, NOW, bill, billed, claude, logged, report, whole

__all__ = ["claude"]
AS_OF = "Newer data is not included yet."


@pytest.fixture
def month(claude: Account) -> Account:
    """A bill, the vendor's report of it, and a log that has half of both."""
    report(claude, uncached_input=1000, output=500)
    bill(claude, uncached_input=1000, output=500)
    logged(uncached_input=500)
    ledger.post()
    return claude


def never(*_args: Any) -> None:
    raise AssertionError("the whole month is compared again")


def shown(rows: Any) -> list[tuple[Any, ...]]:
    return [
        (row.provider, row.measured, row.estimated, row.billed, row.causes, row.invoiced, row.complete_until,
         row.closed_on, row.difference, row.pending, row.unexplained, row.name)
        for row in rows
    ]  # fmt: skip


def test_what_is_stored_is_what_the_comparison_says(month: Account) -> None:
    outcome = reconcile(MONTH, NOW)
    computed, read = stored(MONTH, NOW), stored(MONTH, NOW)
    assert outcome.rows and any(row.causes for row in outcome.rows)
    assert shown(computed.rows) == shown(read.rows) == shown(outcome.rows)
    assert (read.state, read.outdated, read.computed_at) == (outcome.state, False, computed.computed_at)


def test_the_spend_page_compares_a_month_once(month: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    client, address = client_of("manager"), f"/spend/?month={MONTH:%Y-%m}"
    first = text(client, address)
    monkeypatch.setattr(bill_status, "reconcile", never)
    assert text(client, address) == first
    labels = {cause.label for row in stored(MONTH, NOW).rows for cause in row.causes}
    assert labels and all(label in first for label in labels) and AS_OF not in first
    logged(output=7, model="claude-2")
    assert text(client, address).count(AS_OF) == 2, "beside the comparison and over the table"
    monkeypatch.undo()
    assert refresh(timezone.now()) == 3, "this month and the last too"
    assert AS_OF not in text(client, address)


def closes(account: Account) -> None:
    Closing.objects.create(provider="anthropic", month=MONTH, amount=1, original_amount=1, lines=1, places=[])


def rents(account: Account) -> None:
    lease = Lease.objects.create(
        account=account, external_id="p1", gpu="L4", price_per_hour=1, started_at=DAY, seen_at=DAY
    )
    LeaseSpan.objects.create(
        lease=lease, starts_at=DAY, ends_at=DAY + timedelta(hours=1), state="running", price_per_hour=1
    )


def prices(account: Account) -> None:
    zero = dict.fromkeys(("uncached_input", "output"), 1)
    TokenPrice.objects.create(
        provider="anthropic", model="claude", starts_at=DAY, seen_at=DAY, source="test", **zero
    )  # fmt: skip


def discounts(account: Account) -> None:
    Discount.objects.create(account=account, starts_on=MONTH, percent=5, source="contract", entered_at=NOW)


def posts(account: Account) -> None:
    billed(account, "0.5")
    ledger.post()


def revises(account: Account) -> None:
    Charge.objects.update(amount=Decimal("0.25"), updated_at=timezone.now())


def reports_more(account: Account) -> None:
    report(account, "k2", output=1)


def is_another_tools(account: Account) -> None:
    keys.set_owner(account=account, api_key="k1", application=None, user_id=None)


def reaches_less_far(account: Account) -> None:
    whole(account, datetime(2026, 5, 20, tzinfo=UTC))


def is_switched_off(account: Account) -> None:
    Account.objects.update(enabled=False)


@pytest.mark.parametrize(
    "change",
    [
        posts, revises, reports_more, is_another_tools, reaches_less_far, is_switched_off, closes, rents, prices,
        discounts, lambda account: logged(output=1, model="claude-2"), lambda account: Feed.objects.all().delete(),
    ],
)  # fmt: skip
def test_a_status_older_than_its_data_says_so(month: Account, change: Callable[[Account], Any]) -> None:
    before = stored(MONTH, NOW)
    change(month)
    after = stored(MONTH, NOW)
    assert (after.outdated, after.computed_at) == (True, before.computed_at)
    assert not current(MONTH, NOW).outdated and not stored(MONTH, NOW).outdated


def test_what_is_of_another_month_leaves_it_as_it_is(month: Account) -> None:
    later = datetime(2026, 6, 5, tzinfo=UTC)
    stored(MONTH, NOW)
    billed(month, "3", starts_at=later)
    Charge.objects.create(
        key="entered:1", provider="anthropic", day=later.date(), starts_at=later, ends_at=later, category="upkeep",
        provenance="entered", amount=1, original_amount=1,
    )  # fmt: skip
    assert not stored(MONTH, NOW).outdated


def test_a_month_that_ends_is_compared_again(claude: Account) -> None:
    running = datetime(2026, 5, 20, tzinfo=UTC)
    assert stored(MONTH, running).state == "open"
    assert not stored(MONTH, running + timedelta(days=1)).outdated
    assert stored(MONTH, NOW).outdated


def test_the_worker_compares_what_has_changed_and_nothing_else(month: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    post_ledger()
    today = timezone.now().date()
    running = today.replace(day=1)
    assert set(BillStatus.objects.values_list("month", flat=True)) == {
        running, (running - timedelta(days=1)).replace(day=1)
    }  # fmt: skip
    monkeypatch.setattr(bill_status, "reconcile", never)
    post_ledger()
    assert refresh(timezone.now()) == 0


def test_alerts_about_bills_read_it_and_see_what_is_new(month: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    (gap,) = (gap for gap in reconciliation_gaps(NOW) if gap.month == MONTH)
    monkeypatch.setattr(bill_status, "reconcile", never)
    assert gap in reconciliation_gaps(NOW)
    monkeypatch.undo()
    billed(month, "99", token_class="output")
    ledger.post()
    (after,) = (gap for gap in reconciliation_gaps(NOW) if gap.month == MONTH)
    assert after.billed == gap.billed + 99 and after.gap > gap.gap


def test_a_month_of_nothing_is_stored_too(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stored(date(2026, 1, 1), NOW).rows == []
    monkeypatch.setattr(bill_status, "reconcile", never)
    assert stored(date(2026, 1, 1), NOW).rows == []
