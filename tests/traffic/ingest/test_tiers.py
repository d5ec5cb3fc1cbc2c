"""Service tiers and regions change what a request costs; the book knows by how much, or the cost is unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from providers.audit.log import AuditEntry
from providers.defaults import add_unit_prices
from providers.models import Offer, OfferDay, UnitPrice
from providers.pricing import unit_feed
from providers.pricing.book import Book
from providers.pricing.genai_prices import ListUnit, tier_factors, unit_prices
from tests.costs.people import client_of, text
from tests.factories import TokenPriceFactory
from tests.traffic.people import arrive
from tests.traffic.request_rows import row
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import Tokens
from traffic.ingest.store import ingest
from traffic.ingest.tiers import is_batch, tier_of
from traffic.models import Request, UsageDay

NOW = datetime.now(UTC)
TOKENS = Tokens(1_000_000, 0, 0, 0, 0, 0)
PAGE = "/settings/prices/units/"


# What a request says.


@pytest.mark.parametrize(
    ("raw", "tier"),
    [
        (None, None),
        ({}, None),
        ({"usage": {"service_tier": "standard", "inference_geo": "global"}}, None),
        ({"usage": {"service_tier": "priority"}}, "priority"),
        ({"usage": {"service_tier": "Priority", "inference_geo": "us", "speed": "fast"}}, "priority+geo:us+speed:fast"),
        ({"attributes": {"openai.request.service_tier": "flex"}}, "flex"),
        ({"attributes": {"openai.request.service_tier": "flex", "openai.response.service_tier": "default"}}, None),
        ({"service_tier": "a+b"}, "a_b"),
        ({"usage": {"service_tier": 7}, "attributes": "x"}, None),
        ({"usage": {"service_tier": "batch"}}, None),
    ],
)
def test_a_tier_is_what_the_answer_says_and_none_is_standard(raw: Any, tier: str | None) -> None:
    assert tier_of(raw) == tier
    assert is_batch(raw) is (raw == {"usage": {"service_tier": "batch"}})


# What it costs.


@pytest.fixture
def book(db: Any) -> None:
    """Input at 3 USD per million; a US region costs a tenth more, priority twice as much for one model alone."""
    for model in ("claude-test", "other"):
        TokenPriceFactory.create(
            model=model, starts_at=NOW - timedelta(days=100), uncached_input=3, output=15,
            batch_factor=Decimal("0.5"), source="a list", seen_at=NOW,
        )  # fmt: skip
    enter("geo:us", "1.1")
    enter("priority", "2", "claude-test")


def enter(name: str, amount: str, variant: str = "", days: int = 50) -> UnitPrice:
    return UnitPrice.objects.create(
        provider="anthropic", kind="tier", name=name, variant=variant, amount=amount, source="a page", seen_at=NOW,
        starts_at=NOW - timedelta(days=days),
    )  # fmt: skip


def cost(tier: str | None, model: str = "claude-test", batch: bool = False, days: int = 1) -> Any:
    connection.ensure_connection()
    found = Book.load(connection.connection).cost(
        provider="anthropic", model=model, when=NOW - timedelta(days=days), tokens=(1_000_000, 0, 0, 0, 0),
        batch=batch, tier=tier,
    )  # fmt: skip
    return found.cost if found.cost is not None else found.reason


@pytest.mark.parametrize(
    ("tier", "costs"),
    [
        (None, Decimal(3)),
        ("geo:us", Decimal("3.3")),
        ("priority", Decimal(6)),
        ("priority+geo:us", Decimal("6.6")),
        ("flex", "unknown_rate"),
        ("geo:us+flex", "unknown_rate"),
    ],
)
def test_a_tier_multiplies_every_rate_and_an_unknown_one_is_not_standard(book: None, tier: str, costs: Any) -> None:
    assert cost(tier) == costs


def test_a_factor_is_of_its_model_and_holds_from_its_day_on(book: None) -> None:
    assert cost("priority", model="other") == "unknown_rate"
    assert cost("priority", model="claude-test-20260101") == 6
    assert cost("priority", days=60) == "unknown_rate"
    enter("priority", "3", "claude-test", days=10)
    assert (cost("priority", days=20), cost("priority")) == (6, 9)
    assert cost("geo:us", batch=True) == Decimal("1.65")


def test_ingest_costs_a_request_in_its_tier_and_counts_an_unknown_one_as_unpriced(book: None) -> None:
    connection.ensure_connection()
    known, unknown = arrive(
        connection.connection,
        {"tokens": TOKENS, "raw": {"usage": {"service_tier": "priority"}}},
        {"tokens": TOKENS, "raw": {"usage": {"service_tier": "flex"}}},
    )
    assert (known.tier, known.cost) == ("priority", 6)
    assert (unknown.tier, unknown.cost, unknown.cost_reason) == ("flex", None, "unknown_rate")
    assert [(day.requests, day.unpriced, day.cost) for day in UsageDay.objects.all()] == [(2, 1, Decimal(6))]


@pytest.mark.parametrize("together", [True, False])
def test_a_twin_that_knows_the_tier_corrects_the_cost_and_one_that_does_not_leaves_none(
    book: None, together: bool
) -> None:
    connection.ensure_connection()
    conn = connection.connection
    told = {"usage": {"service_tier": "priority"}}
    pairs = [
        (row(1, tokens=TOKENS), row(1, tokens=TOKENS, raw=told)),
        (row(2, tokens=None, raw=told), row(2, tokens=TOKENS)),
    ]
    for first, second in pairs:
        for batch in [[first, second]] if together else [[first], [second]]:
            ingest(conn, batch, PricingContext.load(conn))
    costs = dict(Request.objects.values_list("external_id", "cost"))
    assert costs == {"r1": 6, "r2": None}
    assert UsageDay.objects.get().cost == 6
    assert UsageDay.objects.get().unpriced == 1


# Where factors and prices come from.


def test_tiers_of_the_library_are_in_the_book_where_all_rates_change_alike(db: Any) -> None:
    factors = tier_factors()
    assert {one.name for one in factors} >= {"priority", "flex", "speed:fast"}
    assert all(one.amount > 0 and one.variant for one in factors)
    assert add_unit_prices(unit_prices(), NOW) == len(unit_prices())
    assert add_unit_prices(unit_prices(), NOW) == 0
    assert UnitPrice.objects.get(kind="web_search", provider="anthropic").amount == Decimal("0.01")


def test_a_changed_price_is_a_new_version_and_an_entered_one_is_left_alone(book: None) -> None:
    standing = UnitPrice.objects.get(name="geo:us")
    changed = ListUnit("anthropic", "tier", "geo:us", "", standing.starts_at, Decimal("1.2"), "a page")
    assert add_unit_prices([changed], NOW) == 1
    assert list(UnitPrice.objects.of(standing).values_list("amount", flat=True)) == [Decimal("1.2"), Decimal("1.1")]


def test_offers_become_daily_history_once_a_day_is_over_and_only_where_they_change(
    db: Any, caplog: pytest.LogCaptureFixture
) -> None:
    today = NOW.date()
    for back, low in ((4, "0.40"), (3, "0.40"), (2, "0.30"), (1, "0.40"), (0, "0.10")):
        OfferDay.objects.create(
            provider="vast", gpu="RTX 4090", kind="spot", day=today - timedelta(days=back), low=low, median=1, high=1,
            offers=1,
        )  # fmt: skip
    Offer.objects.create(
        provider="vast", external_id="1", kind="spot", gpu="RTX 4090", price_per_gpu_hour=1, seen_at=NOW,
        disk_per_gb_month="0.15",
    )  # fmt: skip
    assert unit_feed.feed_book(NOW, today) == 4
    assert unit_feed.feed_book(NOW + timedelta(hours=1), today) == 0
    gpus = UnitPrice.objects.filter(kind="gpu").order_by("starts_at")
    assert [(one.starts_at.date(), one.amount) for one in gpus] == [
        (today - timedelta(days=4), Decimal("0.40")),
        (today - timedelta(days=2), Decimal("0.30")),
        (today - timedelta(days=1), Decimal("0.40")),
    ]
    assert gpus[0].source == "offers of vast, the lowest of the day"
    assert unit_feed.feed_book(NOW + timedelta(days=1), today + timedelta(days=1)) == 1
    assert "unit_prices_added rows=4" in caplog.text and "unit_prices_added rows=1" in caplog.text


# The page.

ENTERED = {
    "kind": "egress", "provider": "google", "name": "", "variant": "europe", "amount": "0.12",
    "starts_at": "2026-01-01T00:00", "source": "its price sheet",
}  # fmt: skip


def test_a_price_is_shown_against_the_standing_one_before_it_is_saved(db: Any) -> None:
    client = client_of("ops")
    page = client.post(PAGE, ENTERED)
    assert "No price of this kind yet" in page.content.decode()
    assert not UnitPrice.objects.exists()
    client.post(PAGE, {**ENTERED, "confirmed": "yes"})
    made = UnitPrice.objects.get()
    assert (made.amount, made.entered_by.username) == (Decimal("0.12"), "a-ops")  # type: ignore[union-attr]
    again = client.post(PAGE, {**ENTERED, "amount": "0.15", "starts_at": "2026-02-01T00:00"}).content.decode()
    assert "25" in again
    assert "its price sheet" in again
    words = text(client, PAGE)
    assert "its price sheet" in words
    client.post(f"{PAGE}{made.pk}/undo/")
    assert not UnitPrice.objects.exists()
    assert [entry.action for entry in AuditEntry.objects.order_by("pk")] == ["added", "changed"]


@pytest.mark.parametrize(
    ("wrong", "field", "sentence"),
    [
        ({"amount": "-1"}, "amount", "cannot be negative"),
        ({"kind": "gpu"}, "name", "Enter the name of the GPU"),
        ({"kind": "tier", "name": "priority", "amount": "0"}, "amount", "above 0"),
        ({"kind": "tier", "name": "a+b"}, "name", "Enter one tier or region"),
        ({"source": ""}, "source", "required"),
    ],
)
def test_what_is_wrong_is_said_at_the_field_and_nothing_is_saved(
    db: Any, wrong: dict[str, str], field: str, sentence: str
) -> None:
    answer = client_of("ops").post(PAGE, {**ENTERED, **wrong, "confirmed": "yes"})
    assert answer.status_code == 422
    assert sentence in str(answer.context["form"].errors[field])
    assert not UnitPrice.objects.exists()


def test_two_prices_from_one_moment_are_refused(db: Any) -> None:
    client = client_of("ops")
    client.post(PAGE, {**ENTERED, "confirmed": "yes"})
    assert client.post(PAGE, {**ENTERED, "amount": "9", "confirmed": "yes"}).status_code == 422
    assert UnitPrice.objects.get().amount == Decimal("0.12")


def test_a_tier_that_waits_is_listed_with_its_form_filled_in(book: None) -> None:
    connection.ensure_connection()
    arrive(connection.connection, {"tokens": TOKENS, "raw": {"usage": {"service_tier": "flex"}}})
    client = client_of("ops")
    words = text(client, PAGE)
    assert "<b>One tier</b> has no factor" in words
    link = "?kind=tier&amp;provider=anthropic&amp;name=flex&amp;variant=claude-test#add"
    assert link in words
    assert "Claude’s priority tier is sold as capacity" in words
    assert 'value="flex"' in text(client, PAGE + link.replace("&amp;", "&").removesuffix("#add"))


def test_of_a_tier_of_two_words_the_one_that_the_book_lacks_is_asked_for_and_then_a_repricing(book: None) -> None:
    connection.ensure_connection()
    usage = {"service_tier": "flex", "inference_geo": "us"}
    arrive(connection.connection, {"tokens": TOKENS, "raw": {"usage": usage}})
    client = client_of("ops")
    words = text(client, PAGE)
    assert "flex+geo:us" in words and "name=flex&amp;" in words and "name=geo%3Aus&amp;" not in words
    enter("flex", "0.5")
    words = text(client, PAGE)
    assert "name=flex&amp;" not in words and "factor saved: re-price" in words


def test_a_factor_that_requests_were_costed_with_cannot_be_taken_back(book: None) -> None:
    connection.ensure_connection()
    found = arrive(connection.connection, {"tokens": TOKENS, "raw": {"usage": {"service_tier": "priority"}}})[0]
    client = client_of("ops")
    client.get(PAGE)
    factor = UnitPrice.objects.get(name="priority")
    factor.entered_by_id = client.session["_auth_user_id"]
    factor.save()
    answer = client.post(f"{PAGE}{factor.pk}/undo/", follow=True).content.decode()
    assert "Enter the correct factor, then re-price" in answer
    assert UnitPrice.objects.filter(pk=factor.pk).exists()
    words = text(client, f"/requests/{found.id}/")
    assert "Tier priority: every rate times" in words
    assert "× 2 ÷ 1,000,000" in words
