"""The demo's contract and the bill that somebody brought: entered once, costed anew, on the vendor's bill too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from costs.models import BillImport, Charge
from costs.reconciliation.reconcile import reconcile
from demo import company, contracts, setup
from demo.bills import RATES, ClaudeBill, cost_by_class
from demo.files import Credentials
from demo.story import Story, moment
from demo.traffic import Day
from lib.tokens import TOKEN_CLASSES
from providers.models import Discount, TokenPrice
from tests.costs.people import client_of, text
from tests.factories import TokenPriceFactory
from tests.traffic.request_rows import assert_rollups_exact, row
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import Tokens
from traffic.ingest.store import ingest
from traffic.models import Repricing, Request

STORY = Story(row().started_at.date() + timedelta(days=1))
NOW = moment(STORY.anchor, 10 * 3_600_000)
TOKENS = Tokens(1_000, 0, 0, 0, 200, 0)


@pytest.fixture
def haiku(conn: psycopg.Connection, tmp_path: Path) -> Request:
    """A request of the day before the demo began, costed at list price; the company and its accounts are there."""
    setup.set_up(STORY, Credentials.kept_in(tmp_path), "http://127.0.0.1:1000", NOW)
    setup.accounts("http://127.0.0.1:1000", "{}", NOW)
    TokenPrice.objects.filter(provider="anthropic", model=company.CONTRACT_MODEL).delete()
    TokenPriceFactory.create(
        model=company.CONTRACT_MODEL, starts_at=NOW - timedelta(days=90), seen_at=NOW,
        batch_factor="0.5", **dict(zip(TOKEN_CLASSES, RATES[company.CONTRACT_MODEL][0][1], strict=True)),
    )  # fmt: skip
    given = row(model=company.CONTRACT_MODEL, tokens=TOKENS)
    (identifier,) = ingest(conn, [given], PricingContext.load(conn)).ids
    found = Request.objects.by_id(identifier)
    assert found is not None and found.cost is not None
    return found


def test_the_contract_is_entered_once_and_the_requests_of_its_days_cost_what_the_bill_says(
    haiku: Request,
    conn: psycopg.Connection,
) -> None:
    contracts.sign_contract(STORY, NOW)
    one = Discount.objects.get()
    assert (one.starts_on, one.percent, one.model) == (STORY.contract_from, Decimal(5), company.CONTRACT_MODEL)
    found = Request.objects.by_id(haiku.id)
    assert found is not None and haiku.cost is not None
    assert (found.cost, found.discount_id) == (haiku.cost * Decimal("0.95"), one.pk)
    bill = ClaudeBill()
    day = Day(found.started_at.date(), contract=True)
    bill.contract.add(day.day)
    bill.hours[found.started_at.replace(minute=0, second=0, microsecond=0), found.model, False, "key"] = [
        1_000, 0, 0, 0, 200, 1,
    ]  # fmt: skip
    assert bill.total() == found.cost
    (run,) = Repricing.objects.all()
    assert (run.state, run.changed, run.by and run.by.username) == ("done", 1, company.BY_ROLE["ops"].username)
    assert_rollups_exact(conn)
    contracts.sign_contract(STORY, NOW)
    assert (Discount.objects.count(), Repricing.objects.count()) == (1, 1)


def test_the_bill_that_somebody_brought_is_entered_once_and_taken_back_for_good(db: None, tmp_path: Path) -> None:
    now = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
    setup.set_up(Story(now.date()), Credentials.kept_in(tmp_path), "http://127.0.0.1:1000", now)
    # September is final on the last day of a long October.
    contracts.bring_bill(datetime(2026, 10, 31, 10, tzinfo=UTC))
    assert not BillImport.objects.exists()
    contracts.bring_bill(now)
    contracts.bring_bill(now)
    charges = Charge.objects.exclude(bill_import=None)
    assert charges.count() == len(contracts.LINES) * contracts.BILL_DAYS
    assert {(one.provider, one.currency, f"{one.day:%Y-%m}") for one in charges} == {("openai", "EUR", "2026-10")}
    assert sum(one.original_amount for one in charges) == Decimal("4.30")
    (row,) = (row for row in reconcile(date(2026, 10, 1), now).rows if row.provider == "openai")
    assert {cause.cause for cause in row.causes} == {"unseen_requests", "disk", "tax"}
    client = client_of("manager")
    assert "<b>1 bill file</b>" in text(client, "/spend/bills/")
    one = BillImport.objects.get()
    assert "October 2026" in text(client, f"/spend/bills/{one.pk}/")
    client.post(f"/spend/bills/{one.pk}/undo/")
    contracts.bring_bill(now)
    assert not Charge.objects.exclude(bill_import=None).exists()


def test_the_bill_takes_the_contract_off_from_its_first_day_on() -> None:
    day = STORY.contract_from
    hour = moment(day, 5 * 3_600_000)
    bill = ClaudeBill()
    for n in (-1, 0):
        bill.add(Day(day + timedelta(days=n), contract=day + timedelta(days=n) >= STORY.contract_from))
        bill.hours[hour + timedelta(days=n), company.CONTRACT_MODEL, False, "k"] = [1_000_000, 0, 0, 0, 0, 1]
    listed = cost_by_class(company.CONTRACT_MODEL, hour, False, [1_000_000, 0, 0, 0, 0])[0]
    assert [Decimal(line["cost"]["uncached_input"]) for line in bill.lines()] == [listed, listed * Decimal("0.95")]
