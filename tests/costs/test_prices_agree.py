"""All who ask the price book find the same price, discount, tier factor and cost, whatever the book holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from costs.breakeven.book_prices import BookPrices, prices_of
from costs.list_prices import ListPrices, cost_at, list_rates
from costs.reconciliation.lines import ProviderMonth
from costs.reconciliation.queries import BillingMonthData
from costs.savings.cells import UsageCell
from lib.tokens import TOKEN_CLASSES
from providers.models import Account, Discount, TokenPrice, UnitPrice
from providers.pricing.book import Book
from providers.pricing.discounts import cost_at_list, standing_discounts
from providers.pricing.rules import discount_in_force
from traffic.models import Request
from traffic.requests.costing import arithmetic
from traffic.requests.queries import tier_factor_of
from traffic.usage.models_used import PriceChange

PROVIDERS = ("anthropic", "openai")
MODELS = ("claude-x", "claude-x-20260101", "vendor/claude-x", "claude-y")
TIERS = ("priority", "geo:us")
FIRST = datetime(2026, 5, 1, tzinfo=UTC)

Rows = dict[Any, dict[str, Any]]

moments = st.builds(lambda hours: FIRST + timedelta(hours=hours), st.integers(0, 96).map(lambda n: n - n % 4))
days = st.builds(lambda n: FIRST.date() + timedelta(days=n), st.integers(0, 4))
amounts = st.decimals(0, 100, places=6)
some = st.none() | amounts
factors = st.decimals("0.1", 3, places=4)

# A list has at least these two rates; an own rate of a contract, and one of long prompts, may be missing.
listed: dict[str, Any] = {name: amounts if name in ("uncached_input", "output") else some for name in TOKEN_CLASSES}
a_percentage: dict[str, Any] = {"percent": st.decimals(0, 100, places=4)}
own_rates: dict[str, Any] = dict.fromkeys(TOKEN_CLASSES, some)
without_long: dict[str, Any] = {f"over_{name}": st.none() for name in ("tokens", *TOKEN_CLASSES)}
with_long: dict[str, Any] = {**dict.fromkeys(without_long, some), "over_tokens": st.integers(1, 3000)}
prices = st.dictionaries(
    st.tuples(st.sampled_from(PROVIDERS), st.sampled_from(MODELS), moments),
    st.sampled_from((without_long, with_long)).flatmap(
        lambda long: st.fixed_dictionaries({**listed, **long, "batch_factor": st.none() | factors})
    ),
    max_size=8,
)
how_long: dict[str, Any] = {"lasts": st.none() | st.integers(0, 3), "withdrawn": st.booleans()}
discounts = st.dictionaries(
    st.tuples(st.sampled_from(PROVIDERS), st.sampled_from(("", *MODELS)), days),
    st.sampled_from((a_percentage, own_rates)).flatmap(
        lambda reduction: st.fixed_dictionaries({**how_long, **reduction})
    ),
    max_size=5,
)
tiers = st.dictionaries(
    st.tuples(st.sampled_from(PROVIDERS), st.sampled_from(TIERS), st.sampled_from(("", *MODELS)), moments),
    factors,
    max_size=6,
)


@dataclass(frozen=True)
class Case:
    """What the book holds, and one request."""

    prices: Rows
    discounts: Rows = field(default_factory=dict)
    tiers: dict[Any, Decimal] = field(default_factory=dict)
    provider: str = "anthropic"
    model: str = "claude-x"
    when: datetime = FIRST + timedelta(days=2)
    tokens: tuple[int, ...] = (1, 1, 1, 1, 1)
    batch: bool = False
    tier: str | None = None

    @property
    def day(self) -> date:
        return self.when.date()


cases = st.builds(
    Case,
    prices=prices,
    discounts=discounts,
    tiers=tiers,
    provider=st.sampled_from(PROVIDERS),
    model=st.sampled_from(MODELS),
    when=moments,
    tokens=st.tuples(*[st.integers(0, 2000)] * 5),
    batch=st.booleans(),
    tier=st.sampled_from((None, *TIERS, "+".join(TIERS), "flex")),
)


@contextmanager
def book_of(case: Case) -> Iterator[Book]:
    """The book of a case in the database, gone afterwards."""
    with transaction.atomic():
        TokenPrice.objects.bulk_create(
            TokenPrice(provider=provider, model=model, starts_at=at, source="list", seen_at=at, **columns)
            for (provider, model, at), columns in case.prices.items()
        )
        accounts = {slug: Account.objects.create(slug=slug, name=slug, kind=slug) for slug in PROVIDERS}
        for (provider, model, day), columns in case.discounts.items():
            own = {name: value for name, value in columns.items() if name not in how_long}
            ends_on = None if columns["lasts"] is None else day + timedelta(days=columns["lasts"])
            Discount.objects.create(
                account=accounts[provider], model=model, starts_on=day, ends_on=ends_on, source="contract",
                entered_at=FIRST, withdrawn_at=FIRST if columns["withdrawn"] else None, **own,
            )  # fmt: skip
        UnitPrice.objects.bulk_create(
            UnitPrice(
                kind="tier", provider=provider, name=name, variant=model, starts_at=at, amount=amount, source="page",
                seen_at=at,
            )
            for (provider, name, model, at), amount in case.tiers.items()
        )  # fmt: skip
        yield Book.load(connection.connection)
        transaction.set_rollback(True)


def request_of(case: Case) -> Request:
    counts = dict(zip(TOKEN_CLASSES, case.tokens, strict=True))
    return Request(
        provider=case.provider, model=case.model, started_at=case.when, batch=case.batch, tier=case.tier, **counts
    )


WHOLE = {**dict.fromkeys(TOKEN_CLASSES, Decimal(1)), "over_tokens": None, "batch_factor": None}
KEPT = {"lasts": None, "withdrawn": False}
many = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def costed_row(case: Case, book: Book) -> tuple[TokenPrice | None, Discount | None]:
    """The rows of the price version and the contract that a request is costed with."""
    price = book.at(case.provider, case.model, case.when)
    rebate = book.rebate(case.provider, case.model, case.when)
    return (
        TokenPrice.objects.get(pk=price.id) if price else None,
        Discount.objects.select_related("account").get(pk=rebate.id) if rebate else None,
    )


@pytest.mark.usefixtures("db")
@many
@given(cases)
# A price of the exact name that is yet to come hides the one without a date.
@example(
    Case(
        {("anthropic", "claude-x", FIRST): WHOLE, ("anthropic", "claude-x-20260101", FIRST + timedelta(days=4)): WHOLE},
        model="claude-x-20260101",
    )
)
def test_the_price_in_force_is_the_same_everywhere(case: Case) -> None:
    with book_of(case) as book:
        price, _discount = costed_row(case, book)
        now = BookPrices(case.when, {case.model}).by_model({(case.provider, case.model)})
        assert {row.pk for row in now.values()} == ({price.pk} if price else set())
        # A day's price is the one at its end.
        end = datetime.combine(case.day, time.max, UTC)
        of_day = ListPrices.of({case.model}).at(case.provider, case.model, case.day)
        last = book.at(case.provider, case.model, end)
        assert (of_day.pk if of_day else None) == (last.id if last else None)


@pytest.mark.usefixtures("db")
@many
@given(cases)
# A contract for the dated name, while the list names the model without its date.
@example(
    Case(
        {("anthropic", "claude-x", FIRST): WHOLE},
        {("anthropic", "claude-x-20260101", FIRST.date()): {**KEPT, "percent": Decimal(50)}},
        model="claude-x-20260101",
    )
)
def test_what_is_paid_is_the_same_everywhere(case: Case) -> None:
    with book_of(case) as book:
        price, discount = costed_row(case, book)
        standing = standing_discounts().get(case.provider, ())
        assert discount_in_force(standing, case.model, case.day) == discount
        if price is None:
            return
        now = BookPrices(case.when, {case.model}).by_model({(case.provider, case.model)})
        for name in TOKEN_CLASSES:
            plain = dict.fromkeys(TOKEN_CLASSES, 0) | {name: 1_000_000}
            costed = book.cost(
                provider=case.provider, model=case.model, when=case.when, tokens=tuple(plain.values()), batch=False
            )
            long = price.over_tokens is not None and name != "output"
            assert costed.cost == getattr(now[case.provider, case.model], f"over_{name}" if long else name)
        same_day = TokenPrice.objects.filter(starts_at__gt=case.when, starts_at__date=case.day)
        if not same_day.exists():
            of_day = ListPrices.of({case.model}).at(case.provider, case.model, case.day)
            assert of_day is not None
            assert list_rates(of_day) == list_rates(now[case.provider, case.model])


@pytest.mark.usefixtures("db")
@many
@given(cases)
def test_a_tier_has_the_same_factor_everywhere(case: Case) -> None:
    with book_of(case) as book:
        listed = book.factor(case.provider, case.model, case.when, case.tier) if case.tier else None
        assert tier_factor_of(request_of(case)) == listed


@pytest.mark.usefixtures("db")
@many
@given(cases)
def test_what_a_request_costs_is_what_its_page_adds_up(case: Case) -> None:
    with book_of(case) as book:
        request = request_of(case)
        costed = book.cost(
            provider=case.provider, model=case.model, when=case.when, tokens=case.tokens, batch=case.batch,
            tier=case.tier,
        )  # fmt: skip
        price, discount = costed_row(case, book)
        shown = arithmetic(request, price, discount, tier_factor_of(request))
        assert (shown.total, price and price.pk) == (costed.cost, costed.price_id)


@given(st.fixed_dictionaries(listed), st.tuples(*[st.integers(0, 2000)] * 5))
def test_tokens_at_the_rates_of_a_price_cost_the_same_everywhere(
    by_class: dict[str, Any], tokens: tuple[int, ...]
) -> None:
    price, counts = TokenPrice(**by_class), dict(zip(TOKEN_CLASSES, tokens, strict=True))
    planned = cost_at_list(price, counts)
    cell = UsageCell(0, "", "", "", 1, 0, counts, Decimal(1), list_rates(price), None)
    assert cell.at(cell.rates) == (None if planned is None else Fraction(planned))
    single = arithmetic(Request(**counts, batch=False), price)
    assert single.total == (None if planned is None else planned.quantize(Decimal("1e-12")))
    change = PriceChange("a", "m", TokenPrice(**dict.fromkeys(TOKEN_CLASSES, Decimal(0))), price, counts)
    assert change.monthly == planned
    whole = {name: rate for name, rate in list_rates(price).items() if planned is not None}
    assert planned is None or cost_at(counts, whole) == Fraction(planned)


@given(st.none() | st.decimals(0, 1, places=4))
@example(Decimal(0))
def test_a_batch_factor_is_the_same_everywhere_and_1_where_sums_do_not_know_it(factor: Decimal | None) -> None:
    row = TokenPrice(pk=1, starts_at=FIRST, **WHOLE | {"batch_factor": factor})
    month = BillingMonthData(
        month=FIRST.date(), until=FIRST.date(), today=FIRST.date(), complete={}, charges=[], usage=[], vendor=[],
        prices=ListPrices({("anthropic", "claude-x"): [row]}), models=frozenset(), steps={}, watched={}, closings={},
        owners={},
    )  # fmt: skip
    terms = ProviderMonth(month, "anthropic").terms(FIRST.date(), "claude-x")
    assert terms.batch_factor == 1 - prices_of(row).batch_discount == (1 if factor is None else factor)
    request = arithmetic(Request(**dict.fromkeys(TOKEN_CLASSES, 200_000), batch=True), row)
    assert request.total == factor


def test_the_vendors_own_price_of_the_exact_name_comes_first(db: None) -> None:
    half = {**WHOLE, "output": Decimal("0.5")}
    case = Case(
        {
            ("openai", "claude-x", FIRST): WHOLE,
            ("anthropic", "claude-x", FIRST): WHOLE,
            ("anthropic", "claude-x-20260101", FIRST): half,
        }
    )
    with book_of(case):
        found = BookPrices(case.when).token_prices("claude-x-20260101")
        exact = TokenPrice.objects.get(model="claude-x-20260101")
        assert found == prices_of(exact)
