"""The research's tables and its decision beside today's figures, each difference in words."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from costs.price_sheets.sheets import load
from costs.research import comparison, scenarios
from costs.research import page as research
from costs.research.figures import Figure
from costs.research.scenarios import VariantCost, workload_inputs
from tests.costs.breakeven_rows import offer
from tests.costs.people import client_of, text
from tests.costs.prices import price
from tests.query_ceilings import ceiling

D = Decimal


def why(scenario: str, hourly: Decimal | None) -> str:
    sheet = load()
    variant = scenarios.find(sheet, scenario).variants[0]
    then = scenarios.compute(sheet, scenario).variants[0]
    now = scenarios.compute(sheet, scenario, lambda _line: hourly).variants[0]
    sentence = comparison.why(sheet, then, variant.gpu, now)
    if hourly is not None:
        assert now.total is not None and then.total is not None
        assert now.lines.keys() == then.lines.keys()
    return sentence


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
    with django_assert_max_num_queries(ceiling("/break-even/research/ without traffic")):
        client.get("/break-even/research/")


# Sentences. Pure.


@pytest.mark.parametrize(
    ("now", "answer"),
    [
        (
            None,
            "In January our own GPU paid from <b>9,000 requests</b> a month for the research’s workload; at today’s"
            " prices it pays at no volume.",
        ),
        (9000, "As in January our own GPU pays from <b>9,000 requests</b> a month for the research’s workload."),
        (
            8000,
            "For the research’s workload our own GPU paid from <b>9,000 requests</b> a month in January and pays from"
            " <b>8,000</b> today.",
        ),
    ],
)
def test_the_decision_of_january_is_held_against_today(now: int | None, answer: str) -> None:
    assert comparison.Decision([], 9000, now, []).answer() == answer


def test_a_price_of_january_says_how_it_has_changed() -> None:
    price = comparison.PricedHardware("", "", D("0.24"), D("0.60"), D("0.30"))
    assert price.change_words() == "as then"
    assert replace(price, today=D("1.2")).change_words() == "+100\u202f%"
    assert "–" in replace(price, today=None).change_words()


def variants(*today: str | None) -> research.Scenarios:
    cost = VariantCost("a", "A", {"gpu": D(100)})
    rows = [research.VariantRow(cost, D(1), D(price) if price else None, "") for price in today]
    dear = research.VariantRow(replace(cost, lines={"gpu": D(300)}), D(1), None, "")
    return research.Scenarios([research.ScenarioRows("A", "", [*rows, dear])])


def test_the_scenarios_are_told_by_their_span_and_how_many_have_a_price_today() -> None:
    start = "The research’s five set-ups cost <b>$100 to $300 a month</b> in January 2026, in 3 variants; "
    assert variants(None, None).answer() == f"{start}none of them has a price today, because no offers are read."
    assert variants("1", None).answer() == f"{start}1 of them has a price today."
    assert variants("1", "2").answer() == f"{start}2 of them have a price today."


@pytest.mark.parametrize(
    ("unit", "ours", "words"),
    [
        ("usd", "721.5", ("721.50", "USD")),
        ("percent", "32", ("32.00", "%")),
        ("requests", "160635", ("160,635", "requests")),
        ("million_tokens", "0.7", ("0.700", "million tokens")),
    ],
)
def test_a_slip_of_the_note_has_its_unit(unit: str, ours: str, words: tuple[str, str]) -> None:
    slip = research.Slip(Figure("a", "", "", "slip", unit, "", D(ours), None, None, None))
    assert (slip.ours(), slip.unit()) == words
