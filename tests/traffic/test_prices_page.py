"""The price book: search, versions with their source, a price by hand, and none ever edited."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from providers.audit.log import AuditEntry
from providers.models import TokenPrice
from providers.pricing.name_similarity import most_similar_model
from tests.factories import TokenPriceFactory
from tests.pages import html_of
from tests.providers.people import assert_access, in_role, text
from tests.traffic.price_forms import ADD, BOOK, filled
from traffic.models import UsageDay

pytestmark = pytest.mark.django_db
THEN = datetime(2026, 1, 1, tzinfo=UTC)


def price(model: str = "claude-sonnet-5-5", provider: str = "anthropic", **more: Any) -> TokenPrice:
    given: dict[str, Any] = {"uncached_input": Decimal(2), "cache_read": Decimal("0.1"), "output": Decimal(10)}
    given |= {"starts_at": THEN, "seen_at": THEN, "source": "the vendor's page"}
    return TokenPriceFactory.create(provider=provider, model=model, **given | more)


def post(client: Client, **data: Any) -> tuple[int, str]:
    response = client.post(ADD, data)
    return response.status_code, html_of(response)


def test_the_book_is_for_whoever_may_see_prices() -> None:
    assert_access(BOOK, {"nobody": 403, "staff": 403, "manager": 200, "ops": 200, "admin": 200})


def test_adding_a_price_is_for_ops() -> None:
    assert_access(ADD, {"nobody": 403, "staff": 403, "manager": 403, "ops": 200, "admin": 200})


def test_only_ops_send_a_price() -> None:
    expected = {"nobody": 403, "staff": 403, "manager": 403, "ops": 302, "admin": 422}
    assert_access(ADD, expected, "post", **filled())  # the admin sends the same moment again
    assert TokenPrice.objects.count() == 1


def test_a_manager_sees_versions_but_no_form() -> None:
    price()
    page = text(in_role("manager"), BOOK, provider="anthropic", model="claude-sonnet-5-5")
    assert "cost <b>$2.00</b> as input and <b>$10.00</b> as output" in page
    assert '<form class="form"' not in page


def test_the_book_shows_what_holds_now_and_is_searched_by_words() -> None:
    price(uncached_input=Decimal(99), starts_at=datetime(2025, 1, 1, tzinfo=UTC))
    price()
    price(uncached_input=Decimal(77), starts_at=datetime(2100, 1, 1, tzinfo=UTC))
    price("gpt-7", "openai")
    ops = in_role("ops")
    page = text(ops, BOOK)
    assert "<b>4 prices</b> of <b>2 models</b>" in page
    assert "99.0000" not in page and "77.0000" not in page
    found = text(ops, BOOK, q="anthropic SONNET")
    assert "claude-sonnet-5-5" in found and "gpt-7" not in found
    assert "No models match" in text(ops, BOOK, q="nothing-like-it")


@pytest.mark.parametrize(("asked", "heading"), [({}, "p-h"), ({"provider": "openai", "model": "gpt-7"}, "v-h")])
def test_each_price_says_its_column_where_a_phone_stacks_the_row(asked: dict[str, Any], heading: str) -> None:
    price("gpt-7", "openai", over_tokens=200_000, over_uncached_input=4, over_cache_read=1, over_output=20)
    page = text(in_role("manager"), BOOK, **asked)
    table = page.split(f'aria-labelledby="{heading}">')[-1].split("</table>")[0]
    cells = re.findall(r"<td([^>]*)>\s*(.*?)\s*</td>", table)
    assert len(cells) >= 7 and [cell for cell in cells if cell[1] and "data-label" not in cell[0]] == []


def test_the_book_is_turned_page_by_page() -> None:
    for n in range(60):
        price(f"model-{n:02}")
    ops = in_role("ops")
    first = text(ops, BOOK)
    assert "model-29" in first and "model-30" not in first
    after = first.split('href="/settings/prices/?cursor=')[1].split('"')[0]
    second = text(ops, BOOK, cursor=after)
    assert "model-30" in second and "model-29" not in second
    assert "model-00" in text(ops, BOOK, cursor="nonsense")


def test_every_version_stays_with_its_source() -> None:
    price(source="genai-prices 0.1", starts_at=datetime(2025, 1, 1, tzinfo=UTC))
    price(over_tokens=200_000, over_uncached_input=Decimal(4), over_output=Decimal(15))
    page = text(in_role("ops"), BOOK, provider="anthropic", model="claude-sonnet-5-5")
    assert "2 prices, the newest first" in page
    assert "genai-prices 0.1" in page and "holds now" in page and "prompts over 200,000 tokens" in page


def test_an_unpriced_model_begins_with_its_nearest_relative() -> None:
    price(uncached_input=Decimal("2.5"))
    price("gpt-7", "openai")
    page = text(in_role("ops"), BOOK, provider="anthropic", model="claude-sonnet-6")
    assert "No price of <b>claude-sonnet-6</b> at anthropic is known" in page
    assert "Filled in from claude-sonnet-5-5 of anthropic, the most similar name" in page
    assert 'name="uncached_input" value="2.5"' in page
    assert 'name="source" value' not in page  # a relative's source is no source


def test_a_price_by_hand_is_a_new_version_with_who_and_where() -> None:
    known = price("claude-new")
    ops = in_role("ops")
    assert post(ops, **filled())[0] == 302
    made = TokenPrice.objects.of("anthropic", "claude-new").first()
    assert made is not None
    assert (made.uncached_input, made.cache_read, made.output) == (Decimal("1.5"), None, Decimal("7.5"))
    assert (made.starts_at, str(made.entered_by)) == (datetime(2026, 11, 1, tzinfo=UTC), "ops")
    known.refresh_from_db()
    assert known.uncached_input == Decimal(2)
    assert AuditEntry.objects.get().object_id == str(made.pk)
    assert "entered by ops" in text(ops, BOOK, provider="anthropic", model="claude-new")


def test_a_price_that_stands_is_never_edited() -> None:
    price("claude-new", starts_at=datetime(2026, 11, 1, tzinfo=UTC))
    status, page = post(in_role("ops"), **filled())
    assert status == 422
    assert "Prices cannot be edited" in page
    assert TokenPrice.objects.get().uncached_input == Decimal(2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("uncached_input", "-1"),
        ("uncached_input", "NaN"),
        ("uncached_input", "1e30"),
        ("output", ""),
        ("source", ""),
        ("starts_at", "yesterday"),
        ("provider", "self"),
        ("provider", "open\x07ai"),
        ("model", "gpt\x1b[31m-5"),
        ("over_output", "3"),
    ],
)
def test_what_is_no_price_is_refused_with_a_sentence(field: str, value: str) -> None:
    status, page = post(in_role("ops"), **filled(**{field: value}))
    assert status == 422
    assert "please fix" in page
    assert not TokenPrice.objects.exists()


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("anthropic", "claude-sonnet-5-5-20261007", ("anthropic", "claude-sonnet-5-5")),
        ("bedrock", "us.anthropic.claude-haiku-4-5", ("anthropic", "claude-haiku-4-5")),
        ("anthropic", "claude-haiku-6", ("anthropic", "claude-haiku-4-5")),
        ("openai", "gpt-5-mini-2026-08-01", ("openai", "gpt-5-mini")),
        ("mistral", "zzzzzz", None),
        ("aurora", "aurora-2-preview", None),
    ],
)
def test_the_nearest_name_is_found(provider: str, model: str, expected: tuple[str, str] | None) -> None:
    known = [
        ("anthropic", "claude-sonnet-5-5"),
        ("anthropic", "claude-sonnet-4-5"),
        ("anthropic", "claude-haiku-4-5"),
        ("openai", "gpt-5"),
        ("openai", "gpt-5-mini"),
        ("moonshotai", "kimi-k2-turbo-preview"),
        ("openai", "sora-2"),
    ]
    assert most_similar_model(provider, model, known) == expected


def test_all_models_that_wait_are_counted_and_the_busiest_shown() -> None:
    day = timezone.now().astimezone(UTC).date()
    names = {field.name for field in UsageDay._meta.concrete_fields} - {"application", "deployment"}
    zero: dict[str, Any] = dict.fromkeys(names, 0)
    zero |= {"application_id": 0, "deployment_id": 0, "day": day, "provider": "openai", "task": "rag"}
    for n in range(1, 24):
        UsageDay.objects.create(**{**zero, "model": f"odd-{n:02}", "requests": n, "unpriced": n})
    page = text(in_role("manager"), BOOK)
    assert "23 models without a price" in page
    assert "Shown: the 20 with the most requests" in page
    assert "odd-04" in page
    assert "odd-03" not in page
