"""The research's tables and its decision beside today's figures, each difference in words."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from costs.price_sheets.sheets import load
from costs.research import comparison, scenarios
from costs.research.scenarios import workload_inputs
from tests.costs.people import client_of, text
from tests.costs.test_breakeven_page import offer
from tests.costs.test_live import price

D = Decimal


def why(scenario: str, hourly: Decimal | None) -> str:
    sheet = load()
    variant = scenarios.find(sheet, scenario).variants[0]
    then = scenarios.compute(sheet, scenario).variants[0]
    now = scenarios.compute(sheet, scenario, lambda _line: hourly).variants[0]
    said = comparison.why(sheet, then, variant.gpu, now)
    if hourly is not None:
        assert now.total is not None and then.total is not None
        assert now.lines.keys() == then.lines.keys()
    return said


def test_a_scenarios_difference_is_explained() -> None:
    assert "rose from 0.34 to 0.44: 730 h make 73.00 more" in why("C", D("0.44")).replace("$", "")
    assert "fell from 0.35 to 0.30: 720 h make 36.00 less; VM and storage" in why("A", D("0.30")).replace("$", "")
    assert "costs the same" in why("C", D("0.34"))
    assert "nothing to hold against it" in why("C", None)


def test_a_price_inside_januarys_span_has_not_changed() -> None:
    def row(today: str) -> comparison.PricedHardware:
        return comparison.PricedHardware("", "", D("0.24"), D("0.60"), D(today))

    assert (row("0.30").change, row("0.12").change, row("1.2").change) == (D(0), D("-0.5"), D(1))
    assert replace(row("1"), today=None).change is None


def test_what_differs_between_january_and_today_is_listed() -> None:
    january = workload_inputs(load())
    assert comparison.because(january, january) == []
    dearer = replace(january, prices=replace(january.prices, output=D(20)))
    (sentence,) = comparison.because(january, dearer)
    assert "a million output tokens" in sentence and "15" in sentence and "20" in sentence


def test_the_page_shows_the_decision_then_and_now(db: Any) -> None:
    price("claude-sonnet-4-5")
    offer("RTX 4090", "0.44")
    page = text(client_of("manager"), "/break-even/research/")
    assert "94,666 requests</b> a month in January" in page
    assert "3,150.00" in page and "budget breaks at about" in page
    for heading in ("Hardware", "Throughput", "Quality", "Quantisation", "Engines", "A provider for each purpose"):
        assert heading in page
    assert "no longer in the price book" in page
    scenario_page = text(client_of("ops"), "/break-even/scenarios/")
    assert "hour rose from" in scenario_page and "nothing to hold against it" in scenario_page


def test_the_page_takes_few_statements(db: Any, django_assert_max_num_queries: Any) -> None:
    price("claude-sonnet-4-5")
    client = client_of("manager")
    client.get("/break-even/research/")
    with django_assert_max_num_queries(22):
        client.get("/break-even/research/")
