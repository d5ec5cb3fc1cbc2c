"""Each task's requests cost what the API model would take that served the task last, or that a person chose for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from costs.breakeven import Inputs, Spread, compute, explain, inputs_from_body
from costs.breakeven.alternatives import task_rows
from costs.breakeven.measured_inputs import LIVE, live_inputs, measure, price_lists, spread
from costs.breakeven.queries import day_requests
from costs.breakeven.saving import saving_of
from costs.models import TaskModel
from lib.formats import signed_usd
from tests.costs.prices import FIRST, NOW, price
from tests.costs.usage_rows import usage
from tests.factories import ApplicationFactory
from traffic.models import UsageDay, UsageHour
from traffic.usage.filters import Filters

SONNET, HAIKU = "claude-sonnet-5-5", "claude-haiku-4-5"
TODAY = NOW.date()
OWN = {"provider": "self", "model": "mistral"}


@pytest.fixture
def book(db: Any) -> None:
    price(SONNET, uncached_input=2, output=10)
    price(HAIKU, uncached_input=1, output=5, cache_read=Decimal("0.1"))


def hour(n: int = 0, **given: Any) -> None:
    usage(UsageHour, hour=FIRST + timedelta(hours=n), **given)


def day(ago: int, **given: Any) -> None:
    usage(UsageDay, day=TODAY - timedelta(days=ago), **given)


def own(n: int = 0, **given: Any) -> None:
    """Requests of the window's first hours that our own GPUs served."""
    hour(n, **{**OWN, "leased": given["requests"], **given})
    day(30, **{**OWN, "leased": given["requests"], **given})


def task(inputs: Inputs, name: str) -> Any:
    return next(row for row in inputs.tasks if row.task == name)


def on_the_api_still() -> None:
    """Code stays on the API, on the dear model."""
    hour(5, model=SONNET, task="code", requests=100, uncached_input=100_000, output=100_000)
    day(30, model=SONNET, task="code", requests=100, uncached_input=100_000, output=100_000)


def test_routed_work_costs_what_the_model_takes_that_served_its_task_last(book: None) -> None:
    on_the_api_still()
    own(requests=100, uncached_input=100_000, output=10_000)
    day(60, model=HAIKU, requests=90, uncached_input=9_000, output=900)
    inputs = live_inputs(NOW)
    rag = task(inputs, "rag")
    assert (rag.model, rag.because, rag.until) == (HAIKU, "last_served", TODAY - timedelta(days=60))
    assert rag.cost_per_request == (1000 * 1 + 100 * 5) / Decimal(1_000_000)
    assert task(inputs, "code").cost_per_request == (1000 * 2 + 1000 * 10) / Decimal(1_000_000)
    assert abs(compute(inputs).api_cost - 100 * (rag.cost_per_request + Decimal("0.012"))) < Decimal("1e-9")


def test_only_the_routed_tasks_leave_the_api(book: None) -> None:
    on_the_api_still()
    own(requests=100, uncached_input=100_000, output=10_000)
    day(60, model=HAIKU, requests=90)
    inputs = live_inputs(NOW)
    assert inputs.routed is not None
    assert inputs.routed.share == Decimal("0.5")
    # 70 % are routable: all of the RAG requests, which are half of all, and then some of the others.
    result = compute(inputs)
    stays = result.selfhost_cost - result.own_cost
    assert abs(stays - Decimal("0.012") * 100 * Decimal("0.6")) < Decimal("1e-9")
    rows = {row.slug: row for row in explain(inputs, result)}
    assert rows["rest"].amount == stays
    assert rows["api"].label == "API, each task at its own model"


def test_a_fallback_of_an_outage_is_not_the_model_of_a_task(book: None) -> None:
    own(requests=100, uncached_input=100_000, output=10_000)
    day(30, model=SONNET, requests=30)
    hour(3, model=SONNET, requests=3)
    day(60, model=HAIKU, requests=90)
    assert task(live_inputs(NOW), "rag").model == HAIKU


def test_the_caches_and_batches_of_the_api_count_and_not_those_of_our_own_engine(book: None) -> None:
    own(task="batch", requests=100, uncached_input=100_000, output=10_000)
    day(60, model=HAIKU, task="batch", requests=10, batched=10, uncached_input=1_000, cache_read=4_000, output=900)
    each = (200 * 1 + 800 * Decimal("0.1") + 100 * 5) / 2 / 1_000_000
    assert task(live_inputs(NOW), "batch").cost_per_request == each


def test_a_task_that_was_never_on_the_api_is_left_out_and_counted(book: None) -> None:
    on_the_api_still()
    own(requests=300, uncached_input=100_000, output=10_000)
    inputs = live_inputs(NOW)
    rag = task(inputs, "rag")
    assert (rag.because, rag.model, rag.requests, rag.left_out, rag.cost_per_request) == ("none", "", 0, 300, None)
    assert (inputs.requests_per_month, inputs.left_out) == (100, 300)


def test_without_any_counterfactual_no_figure_is_invented(book: None) -> None:
    own(requests=300, uncached_input=100_000, output=10_000)
    inputs = live_inputs(NOW)
    assert (inputs.requests_per_month, inputs.left_out) == (0, 300)
    assert saving_of(inputs, None) is None


def test_a_last_model_without_a_price_is_named_and_not_guessed(book: None) -> None:
    on_the_api_still()
    own(requests=300, uncached_input=100_000, output=10_000)
    day(60, provider="aurora", model="aurora-2", requests=90, unpriced=90)
    inputs = live_inputs(NOW)
    rag = task(inputs, "rag")
    assert (rag.model, rag.unpriced, rag.left_out, rag.cost_per_request) == ("aurora-2", "aurora-2", 300, None)
    assert inputs.requests_per_month == 100


def test_a_person_chooses_another_model_for_all_that_could_be_routed(book: None) -> None:
    hour(3, model=HAIKU, requests=100, uncached_input=100_000, output=10_000)
    own(requests=100, uncached_input=100_000, output=10_000)
    TaskModel.objects.create(task="rag", provider="anthropic", model=SONNET, chosen_at=NOW)
    rag = task(live_inputs(NOW), "rag")
    assert (rag.model, rag.because, rag.requests, rag.other) == (SONNET, "person", 200, "")
    assert rag.cost_per_request == (1000 * 2 + 100 * 10) / Decimal(1_000_000)


def test_what_the_filters_leave_out_does_not_hide_who_served_a_task(book: None) -> None:
    own(requests=100, uncached_input=100_000, output=10_000)
    day(60, model=HAIKU, requests=90)
    inputs = live_inputs(NOW, measure(NOW, Filters(provider=["self"])))
    assert task(inputs, "rag").model == HAIKU


def test_two_plausible_models_with_different_signs_are_both_in_the_interval(book: None) -> None:
    own(requests=100_000, uncached_input=200_000_000, output=20_000_000)
    day(60, model=HAIKU, requests=70)
    day(61, model=SONNET, requests=20)
    inputs = live_inputs(NOW)
    assert task(inputs, "rag").other == SONNET
    saving = saving_of(inputs, Spread(Decimal("0.01"), Decimal("0.01"), 30))
    assert saving is not None
    assert saving.other is not None
    assert saving.amount < saving.other
    assert saving.interval is not None
    assert saving.interval.low < saving.amount < saving.other < saving.interval.high
    assert saving.turns == (saving.amount < 0 < saving.other)
    assert saving.band is not None and saving.band.one_choice is not None
    low, high = saving.band.one_choice
    assert low == saving.interval.low < high < saving.other
    note = saving.band.note()
    assert f"The likelier one alone saves {signed_usd(low)} to {signed_usd(high)} a month." in note
    assert "both plausible models" in note
    alone = replace(saving.band, one_choice=None).note()
    assert "plausible" not in alone


def test_a_model_that_served_next_to_nothing_is_no_plausible_choice(book: None) -> None:
    own(requests=100, uncached_input=100_000, output=10_000)
    day(60, model=HAIKU, requests=95)
    day(61, model=SONNET, requests=5)
    assert task(live_inputs(NOW), "rag").other == ""


def test_what_the_same_applications_send_of_other_simple_tasks_names_the_second_model(book: None) -> None:
    own(requests=100, uncached_input=100_000, output=10_000)
    day(60, model=HAIKU, requests=95)
    hour(2, model=SONNET, task="qa", requests=50, uncached_input=5_000, output=500)
    assert task(live_inputs(NOW), "rag").other == SONNET


def test_eight_thousand_requests_of_an_application_that_only_tests_change_nothing(book: None) -> None:
    for ago in range(3, 20):
        day(ago, model=SONNET, task="code", requests=100, cost=1)
    on_the_api_still()
    own(requests=100, uncached_input=100_000, output=10_000)
    day(60, model=HAIKU, requests=90)
    before = live_inputs(NOW), spread(NOW), day_requests(TODAY - timedelta(days=90), TODAY)
    tests = ApplicationFactory.create(slug="playground", test_only=True)
    for name in ("rag", "code", "chat"):
        sent = {"application_id": tests.pk, "model": SONNET, "task": name, "requests": 8_000, "output": 9_000_000}
        hour(7, **sent)
        day(30, **sent)
    assert (live_inputs(NOW), spread(NOW), day_requests(TODAY - timedelta(days=90), TODAY)) == before
    traffic = measure(NOW)
    assert (traffic.excluded, traffic.requests) == (24_000, 1_900)
    # Who asks for this application by name gets it.
    assert measure(NOW, Filters(application=[tests.pk])).requests == 24_000


def test_an_application_without_requests_changes_nothing(book: None) -> None:
    on_the_api_still()
    before = live_inputs(NOW)
    ApplicationFactory.create(slug="idle", test_only=True)
    assert live_inputs(NOW) == before


def test_a_named_model_prices_the_routed_requests_at_their_own_lengths(book: None) -> None:
    on_the_api_still()
    own(requests=100, uncached_input=100_000, output=10_000)
    day(60, model=HAIKU, requests=90, uncached_input=9_000, output=900)
    changed = inputs_from_body({"api_model": SONNET, "routable_share": "0.5"}, live_inputs(NOW), price_lists(NOW))
    result = compute(changed)
    assert abs(result.api_cost - 100 * (Decimal("0.003") + Decimal("0.012"))) < Decimal("1e-9")
    assert abs(result.selfhost_cost - result.own_cost - 100 * Decimal("0.012")) < Decimal("1e-9")
    assert changed.price_sheet == LIVE


def test_each_task_of_the_table_pays_by_its_own_cost(book: None) -> None:
    hour(5, model=SONNET, task="code", requests=100_000, uncached_input=100_000_000, output=100_000_000)
    own(requests=100_000, uncached_input=1_000_000, output=10_000)
    day(60, model=HAIKU, requests=90)
    rows = {row.label: row for row in task_rows(measure(NOW).groups, live_inputs(NOW))}
    code, rag = rows["code"].pays_from, rows["RAG"].pays_from
    assert code is not None
    assert rag is None or rag > code


def test_the_days_of_history_end_with_today(book: None) -> None:
    own(requests=100, uncached_input=100_000, output=10_000)
    usage(UsageDay, day=date(2020, 1, 1), model=HAIKU, requests=90)
    usage(UsageDay, day=TODAY + timedelta(days=1), model=HAIKU, requests=90)
    assert task(live_inputs(NOW), "rag").because == "none"
