"""The price book is filled from the library, dated and cited, and never edited in place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from providers.defaults import add_prices, ensure_defaults
from providers.models import TokenPrice
from providers.pricing.book import Book
from providers.pricing.genai_prices import list_prices

OCTOBER = datetime(2026, 10, 20, tzinfo=UTC)


@pytest.fixture
def book(db: Any) -> Book:
    ensure_defaults()
    connection.ensure_connection()
    assert connection.connection is not None
    return Book.load(connection.connection)


def cost(book: Book, model: str, tokens: tuple[int, ...], when: datetime = OCTOBER, batch: bool = False) -> Any:
    return book.cost(provider="anthropic", model=model, when=when, tokens=tokens, batch=batch)


def test_five_classes_are_priced_by_hand(book: Book) -> None:
    # opus 5.5: 4 / 0.20 / 5 / 8 / 20 a million
    found = cost(book, "claude-opus-5-5", (1_000, 2_000, 300, 100, 500))
    assert found.cost == Decimal("0.016700000000")


def test_a_batch_costs_half(book: Book) -> None:
    assert cost(book, "claude-sonnet-4-5", (500, 0, 0, 0, 200), batch=True).cost == Decimal("0.00225")


def test_a_long_prompt_costs_the_other_tier_for_all_its_tokens(book: Book) -> None:
    assert cost(book, "claude-haiku-5-5", (100_000, 0, 0, 0, 1_000)).cost == Decimal("0.0105")
    assert cost(book, "claude-haiku-5-5", (60_000, 40_001, 0, 0, 1_000)).cost == Decimal("0.03450005")


def test_the_price_of_the_day_holds(book: Book) -> None:
    tokens = (0, 1_000_000, 0, 0, 0)
    before = cost(book, "claude-sonnet-5-5", tokens, when=datetime(2026, 10, 6, 23, 59, tzinfo=UTC))
    after = cost(book, "claude-sonnet-5-5", tokens, when=datetime(2026, 10, 7, tzinfo=UTC))
    assert (before.cost, after.cost) == (Decimal("0.2"), Decimal("0.1"))
    assert before.price_id != after.price_id


def test_a_dated_name_is_the_same_model(book: Book) -> None:
    assert cost(book, "claude-sonnet-4-5-20250929", (1, 0, 0, 0, 0)).cost == Decimal("0.000003")


def test_unknown_is_not_zero(book: Book) -> None:
    assert cost(book, "claude-of-tomorrow", (1, 0, 0, 0, 0)).reason == "unknown_model"
    nothing = book.cost(provider="anthropic", model="claude-opus-5-5", when=OCTOBER, tokens=None, batch=False)
    assert (nothing.cost, nothing.reason) == (None, "unknown_usage")


def test_filling_twice_adds_nothing(db: Any) -> None:
    ensure_defaults()
    before = TokenPrice.objects.count()
    ensure_defaults()
    assert TokenPrice.objects.count() == before > 1_000


def test_a_changed_price_is_a_new_version_from_now_on(db: Any) -> None:
    prices = [price for price in list_prices() if price.model == "claude-opus-5-5" and price.provider == "anthropic"]
    add_prices(prices, timezone.now())
    dearer = [replace(price, rates={**price.rates, "output": Decimal(22)}) for price in prices]
    now = timezone.now()
    assert add_prices(dearer, now) == 1
    found = TokenPrice.objects.filter(model="claude-opus-5-5").order_by("starts_at")
    assert [(row.output, row.starts_at == now) for row in found] == [(20, False), (22, True)]
