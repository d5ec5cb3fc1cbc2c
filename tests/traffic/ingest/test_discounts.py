"""Contracts: what is stored with a request is what is paid, and the list price stands beside it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from costs.breakeven.book_prices import BookPrices
from costs.list_prices import ListPrices, list_rates
from providers.audit.log import AuditEntry
from providers.models import Account, Discount, TokenPrice
from providers.pricing.book import Book
from tests.factories import AccountFactory
from tests.pages import html_of
from tests.providers.people import in_role, text
from tests.traffic.priced_rows import DAY, NEXT
from tests.traffic.request_rows import NOON, assert_rollups_exact, row
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest
from traffic.models import Request
from traffic.repricing.services import reprice

URL = "/settings/discounts/"
LIST = Decimal("0.00342")  # of one request: 100 x 3 + 400 x 0.3 + 200 x 15, in millionths


@pytest.fixture
def account(transactional_db: Any) -> Account:
    return AccountFactory.create(slug="claude", name="Claude")


def discount(account: Account, **more: Any) -> Discount:
    given = {"starts_on": DAY, "percent": Decimal("12.5"), "source": "a contract", "entered_at": timezone.now()}
    return Discount.objects.create(account=account, **given | more)


def sent(account: Account, **more: Any) -> dict[str, Any]:
    return {"account": account.pk, "starts_on": f"{DAY}", "percent": "12.5", "source": "Contract 7", **more}


def words(response: Any) -> str:
    return html_of(response)


def stored_cost(conn: psycopg.Connection, **more: Any) -> Request:
    identifier = ingest(conn, [row(1, **more)], PricingContext.load(conn)).ids[0]
    found = Request.objects.by_id(identifier)
    assert found is not None
    return found


def test_a_percentage_is_taken_off_what_a_request_costs(
    conn: psycopg.Connection, price: TokenPrice, account: Account
) -> None:
    contract = discount(account)
    found = stored_cost(conn)
    assert (found.cost, found.price_id, found.discount_id) == (LIST * Decimal("0.875"), price.pk, contract.pk)
    assert_rollups_exact(conn)
    page = text(in_role("manager"), f"/requests/{found.id}/")
    assert "At list price" in page and "0.00342000" in page
    assert "Contract of Claude" in page and "−12.5 %" in page
    assert "(100 × 3 + 400 × 0.3 + 200 × 15) × 0.875 ÷ 1,000,000 = <b>0.0029925</b>" in page


def test_own_rates_of_a_model_beat_the_percentage_of_all(
    conn: psycopg.Connection, price: TokenPrice, account: Account
) -> None:
    discount(account, percent=Decimal(50))
    own = discount(account, model="claude-test", percent=None, output=Decimal(10))
    found = stored_cost(conn, model="claude-test-20260101")
    assert (found.cost, found.discount_id) == (Decimal("0.00242"), own.pk)
    page = text(in_role("manager"), f"/requests/{found.id}/")
    assert "list 15.00" in page and "0.00342000" in page and "× 10)" in page


@pytest.mark.parametrize(("day", "holds"), [(-1, False), (0, True), (9, True), (10, False)])
def test_it_holds_on_its_days_alone(account: Account, day: int, holds: bool) -> None:
    from tests.database import conninfo

    discount(account, ends_on=DAY + timedelta(days=9))
    with psycopg.connect(conninfo()) as conn:
        book = Book.load(conn)
    assert (book.rebate("anthropic", "any", NOON + timedelta(days=day)) is not None) is holds
    assert book.rebate("openai", "any", NOON) is None


def test_the_book_is_read_again_when_a_discount_comes_or_goes(
    conn: psycopg.Connection, price: TokenPrice, account: Account
) -> None:
    before = PricingContext.load(conn)
    contract = discount(account)
    after = PricingContext.load(conn, before)
    assert after.book.rebates and PricingContext.load(conn, after).book is after.book
    Discount.objects.filter(pk=contract.pk).update(withdrawn_at=timezone.now())
    assert not PricingContext.load(conn, after).book.rebates


def test_a_repricing_brings_a_discount_to_stored_requests_and_away_again(
    conn: psycopg.Connection, price: TokenPrice, account: Account
) -> None:
    stored_cost(conn)
    contract = discount(account)
    assert reprice(since=DAY, until=NEXT).amount == -LIST * Decimal("0.125")
    Discount.objects.filter(pk=contract.pk).update(withdrawn_at=timezone.now())
    assert reprice(since=DAY, until=NEXT).amount == LIST * Decimal("0.125")
    found = Request.objects.get(day=DAY)
    assert (found.cost, found.discount_id) == (LIST, None)
    assert_rollups_exact(conn)


def test_break_even_and_spend_by_class_take_what_is_paid(price: TokenPrice, account: Account) -> None:
    discount(account, percent=Decimal(50))
    prices = BookPrices(NOON).token_prices("claude-test")
    assert prices is not None and prices.output == Decimal("7.5")
    rates = ListPrices.of(["claude-test"])
    paid, listed = (list_rates(rates.at("anthropic", "claude-test", day)) for day in (DAY, DAY - timedelta(days=1)))
    assert paid["output"] * 2 == listed["output"]


def test_it_is_entered_taken_back_and_brought_back(
    conn: psycopg.Connection, price: TokenPrice, account: Account
) -> None:
    stored_cost(conn)
    ops = in_role("ops")
    page = words(ops.post(URL, sent(account, model="claude-test"), follow=True))
    contract = Discount.objects.get()
    assert str(contract.entered_by) == "ops"
    assert "Output: 15.0000 → 13.1250" in page
    assert f"/settings/repricings/?since={DAY}" in page and "Re-price" in page  # one stored request of its days
    assert "We pay <b>$2.62</b> and <b>$13.12</b>" in text(
        ops, "/settings/prices/", provider="anthropic", model="claude-test"
    )
    assert f"undo:{URL}" not in page and f'action="{URL}{contract.pk}/take-back/"' in page
    ops.post(f"{URL}{contract.pk}/take-back/")
    contract.refresh_from_db()
    assert contract.withdrawn_at is not None
    other = discount(account, model="claude-test")
    assert "Another discount applies" in words(ops.post(f"{URL}{contract.pk}/restore/", follow=True))
    other.delete()
    ops.post(f"{URL}{contract.pk}/restore/")
    assert Discount.objects.standing().get() == contract
    assert AuditEntry.objects.filter(object_id=str(contract.pk)).count() == 3


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"percent": "0"}, "above 0 %"),
        ({"percent": "101"}, "at most 100 %"),
        ({"percent": ""}, "Enter a percentage or own rates."),
        ({"model": "claude-test", "output": "3"}, "not both"),
        ({"percent": "", "model": "claude-test", "output": "-3"}, "A price cannot be negative."),
        ({"percent": "", "output": "3"}, "Own rates require a model"),
        ({"ends_on": f"{DAY - timedelta(days=1)}"}, "The last day is before the first one."),
        ({"starts_on": f"{DAY + timedelta(days=400)}"}, "Delete it first."),
        ({"source": ""}, "This field is required."),
    ],
)
def test_what_is_no_discount_is_refused_at_the_field(
    price: TokenPrice, account: Account, wrong: dict[str, str], sentence: str
) -> None:
    discount(account, starts_on=DAY + timedelta(days=300))
    response = in_role("ops").post(URL, sent(account, **{"ends_on": f"{DAY + timedelta(days=500)}", **wrong}))
    assert response.status_code == 422
    assert sentence in words(response)
    assert Discount.objects.count() == 1


def test_only_ops_enter_one(account: Account) -> None:
    manager = in_role("manager")
    assert manager.post(URL, sent(account)).status_code == 403
    assert '<form class="form"' not in text(manager, URL)
