"""The break-even's live inputs cost exactly what the traffic that they were measured on costs today."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.http import QueryDict

from costs.breakeven import compute, explain
from costs.breakeven.measured_inputs import LIVE, live_inputs, measure
from costs.breakeven.what_ifs import WhatIfs
from providers.models import Offer, UnitPrice
from tests.costs.prices import FIRST, NOW, price
from tests.costs.usage_rows import usage
from tests.factories import ChargeFactory
from tests.providers.people import account, deployment, lease
from tests.query_ceilings import ceiling
from traffic.models import UsageHour


def hour(n: int = 0, **given: Any) -> None:
    usage(UsageHour, hour=FIRST + timedelta(hours=n), **given)


@pytest.fixture
def book(db: Any) -> None:
    price("claude-sonnet-5-5", uncached_input=2, output=10)
    price("claude-haiku-4-5", uncached_input=1, output=5, cache_read=Decimal("0.1"))


def test_without_traffic_the_sheets_example_stands_in(book: None) -> None:
    inputs = live_inputs(NOW)
    assert (inputs.price_sheet, inputs.requests_per_month, inputs.input_tokens) == (LIVE, 0, Decimal(500))


def test_two_models_batches_and_long_cache_writes_cost_what_they_cost(book: None) -> None:
    hour(model="claude-sonnet-5-5", requests=300, uncached_input=90_000, cache_read=300_000, cache_write_5m=4_000,
         cache_write_1h=7_000, output=60_000)  # fmt: skip
    hour(1, model="claude-haiku-4-5-20251001", task="batch", requests=100, batched=100, uncached_input=50_000,
         cache_write_5m=1_000, output=9_000)  # fmt: skip
    at_once = 90_000 * 2 + 300_000 * Decimal("0.3") + 4_000 * Decimal("3.75") + 7_000 * 6 + 60_000 * 10
    in_batch = (50_000 + 1_000 * Decimal("3.75") + 9_000 * 5) / 2
    inputs = live_inputs(NOW)
    assert inputs.requests_per_month == 400
    assert inputs.api_model == "claude-sonnet-5-5"
    assert abs(compute(inputs).api_cost - (at_once + in_batch) / 1_000_000) < Decimal("1e-9")


def test_cache_writes_leave_the_api_with_the_requests_that_are_routed(book: None) -> None:
    hour(model="claude-sonnet-5-5", requests=100, uncached_input=9_000, cache_write_5m=30_000, output=1_000)
    inputs = live_inputs(NOW)
    assert inputs.cache_write_tokens == 0
    assert (inputs.input_tokens, inputs.cache_read_share) == (Decimal(390), Decimal(0))
    result = compute(inputs)
    rest = result.selfhost_cost - result.own_cost
    assert abs(rest - result.api_cost * (1 - inputs.routable_share)) < Decimal("1e-9")


def test_requests_whose_tokens_nobody_knows_count_as_the_others(book: None) -> None:
    hour(model="claude-haiku-4-5", requests=20, unknown_usage=10, uncached_input=10_000, output=1_000)
    inputs = live_inputs(NOW)
    assert (inputs.requests_per_month, inputs.input_tokens, inputs.output_tokens) == (20, Decimal(1000), Decimal(100))


def test_what_our_own_gpus_served_counts_with_its_own_lengths_at_the_model_of_its_task(book: None) -> None:
    hour(model="claude-sonnet-5-5", requests=10, uncached_input=1_000, cache_read=3_000, output=1_000)
    hour(
        1, provider="self", model="mistral", requests=30, leased=30, uncached_input=8_000, cache_read=4_000, output=600
    )
    traffic = measure(NOW)
    assert (traffic.requests, traffic.own_requests) == (40, 30)
    inputs = live_inputs(NOW, traffic)
    assert inputs.input_tokens == Decimal(16_000) / 40
    assert inputs.output_tokens == Decimal(1_600) / 40
    assert inputs.cache_read_share == Decimal("0.75")
    assert (inputs.prices.input, inputs.prices.output) == (Decimal(2), Decimal(10))


def test_requests_of_a_model_without_a_price_are_left_out_and_counted(book: None) -> None:
    hour(model="claude-haiku-4-5", requests=10, uncached_input=1_000, output=1_000)
    hour(1, provider="aurora", model="aurora-2", requests=10, unpriced=10, uncached_input=9_000, output=9_000)
    inputs = live_inputs(NOW)
    assert (inputs.requests_per_month, inputs.output_tokens, inputs.prices.output) == (10, Decimal(100), Decimal(5))
    assert (inputs.left_out, inputs.tasks[0].unpriced) == (10, "aurora-2")


def test_the_peak_is_the_busiest_hour_against_the_mean(book: None) -> None:
    for n in range(0, 720, 24):
        hour(n, model="claude-haiku-4-5", requests=1, output=24)
    assert measure(NOW).peak_factor == 24


def test_live_inputs_take_as_many_statements_for_nine_models_as_for_one(
    book: None, django_assert_num_queries: Any
) -> None:
    hour(model="claude-sonnet-5-5", requests=1, output=1)
    for n in range(8):
        price(f"claude-{n}")
        hour(n, model=f"claude-{n}", requests=1, output=1)
    with django_assert_num_queries(ceiling("inputs of break-even")):
        live_inputs(NOW)


def test_machine_disk_and_egress_of_the_gpus_vendor_come_from_the_price_book(book: None) -> None:
    hour(model="claude-sonnet-5-5", requests=1000, uncached_input=500_000, output=200_000)
    Offer.objects.create(
        provider="google", external_id="l4", kind="on_demand", region="europe-west4", gpu="RTX 4090", memory_gb=24,
        price_per_gpu_hour="0.5", seen_at=NOW,
    )  # fmt: skip
    before = compute(live_inputs(NOW))
    for kind, variant, amount in (
        ("vm", "europe", "0.2"), ("vm", "us", "0.1"), ("storage", "", "0.1"), ("egress", "", "0.12"),
    ):  # fmt: skip
        UnitPrice.objects.create(
            provider="google", kind=kind, name="", variant=variant, amount=amount, starts_at=FIRST, source="test",
            seen_at=NOW,
        )  # fmt: skip
    UnitPrice.objects.create(provider="vast", kind="vm", amount="0.01", starts_at=FIRST, source="test", seen_at=NOW)
    inputs = live_inputs(NOW)
    own, result = inputs.selfhost, compute(inputs)
    assert (own.vm_hourly, own.disk_gb, own.disk_per_gb_month) == (Decimal("0.2"), Decimal(100), Decimal("0.1"))
    egress = 700 * 200 * 200 * Decimal("0.12") / 10**9
    assert result.own_cost - before.own_cost == Decimal("0.2") * 730 + 10 + egress
    rows = {row.slug: row for row in explain(inputs, result)}
    assert (rows["vm"].amount, rows["disk"].amount, rows["egress"].amount) == (Decimal(146), Decimal(10), egress)
    assert rows["egress"].arithmetic == "700 × 200 tokens × 200 bytes × $0.12 a GB"
    # Both bases have them in.
    assert result.mtok_allocated is not None
    assert before.mtok_allocated is not None
    assert result.mtok_allocated > before.mtok_allocated


def test_a_machine_that_somebody_entered_counts_once_whichever_offer_is_chosen(book: None) -> None:
    for provider in ("google", "runpod"):
        Offer.objects.create(
            provider=provider, external_id="o", kind="on_demand", gpu="RTX 4090", memory_gb=24,
            price_per_gpu_hour="0.5", seen_at=NOW,
        )  # fmt: skip
    UnitPrice.objects.create(provider="google", kind="vm", amount="0.2", starts_at=FIRST, source="test", seen_at=NOW)

    def chosen() -> tuple[Decimal, Decimal]:
        own = WhatIfs(NOW, live_inputs(NOW)).form(QueryDict("gpu=google/RTX 4090/on_demand"))
        assert own.is_valid(), own.errors
        return own.inputs.selfhost.vm_hourly, own.inputs.selfhost.fixed_monthly

    assert chosen()[0] == Decimal("0.2")
    ChargeFactory.create(
        key="vm", provider="google", day=NOW.date() - timedelta(days=3), starts_at=NOW, ends_at=NOW,
        category="vm", provenance="entered", amount=40, original_amount=40,
    )  # fmt: skip
    assert chosen() == (Decimal(0), Decimal(40))


def test_long_prompts_cost_what_their_tier_costs(db: Any) -> None:
    price("claude-haiku-5-5", uncached_input=1, output=5, over_tokens=100_000, over_uncached_input=5, over_output=25,
          over_cache_read=1, over_cache_write_5m=6, over_cache_write_1h=10)  # fmt: skip
    hour(model="claude-haiku-5-5", requests=2, uncached_input=200_000, cache_read=40_000, cache_write_1h=10_000,
         output=1_000)  # fmt: skip
    cost = (200_000 * 5 + 40_000 + 10_000 * 10 + 1_000 * 25) / Decimal(1_000_000)
    assert abs(compute(live_inputs(NOW)).api_cost - cost) < Decimal("1e-9")


def test_a_machine_that_does_something_else_is_no_measure_of_what_serving_costs(db: Any) -> None:
    made = account()
    for slug, hourly, rate in (("serving", "0.34", 85.0), ("embeddings", "0.06", None)):
        rented = lease(made, external_id=slug, price_per_hour=Decimal(hourly))
        deployment(slug, lease=rented, tokens_per_second=rate)
    assert live_inputs(NOW).selfhost.gpu_hourly == Decimal("0.34")


def test_hours_fill_the_ends_of_the_window_and_days_the_rest_and_neither_counts_twice(db: Any) -> None:
    for n, requests in ((-1, 1), (0, 10), (11, 100), (12, 1_000), (24 * 29, 1_000), (24 * 29 + 12, 10_000)):
        hour(n, requests=requests)  # NOW is at noon: hours up to 11 are of the window's first, cut day
    for ago, requests in ((31, 7), (30, 7), (29, 200), (1, 3_000), (0, 7)):
        usage(day=NOW.date() - timedelta(days=ago), requests=requests)
    assert measure(NOW).requests == 10 + 100 + 200 + 3_000 + 10_000
