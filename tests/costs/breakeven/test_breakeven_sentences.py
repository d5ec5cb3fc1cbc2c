"""What the Break-even page and the kept scenarios say in words, from plain figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
import time_machine

from costs.breakeven import cells, compute, what_ifs
from costs.breakeven.alternatives import OtherOffer, others_headline
from costs.breakeven.band import Band, Spread
from costs.breakeven.page import BreakEvenAnswer, BreakEvenPage, CrossingRow, answer
from costs.breakeven.saving import Saving, saving_of
from costs.breakeven.sensitivity import Swing, tornado
from costs.breakeven.volume_rows import volume_rows
from costs.breakeven.what_ifs import ScenarioColumn
from costs.readiness.criteria import saving as saving_criterion
from costs.readiness.evidence import Evidence, Thresholds
from lib.confidence_intervals import Interval
from tests.costs.breakeven_rows import with_body
from tests.pages import unmarked, words

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)
INPUTS = with_body(requests_per_month=30_000)


@pytest.fixture(autouse=True)
def september() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def plain(html: str) -> str:
    return html.replace("<b>", "").replace("</b>", "").replace("\u202f", " ")


def answer_of(kind: str, n: int = 30_000, crossing: int | None = 20_000, **fields: Any) -> BreakEvenAnswer:
    plain_figures = {"saves_at": None, "days": None, "growth": None, **fields}
    return BreakEvenAnswer(kind, n, D(50), crossing, **plain_figures)


@pytest.mark.parametrize(
    ("shown", "sentence"),
    [
        (
            answer_of("no_traffic", 0),
            "No requests yet, so there is no run rate. With the assumed figures below, self-hosting would be cheaper "
            "above 20,000 requests a month.",
        ),
        (
            answer_of("no_traffic", 0, None),
            "No requests yet, so there is no run rate to compare with a break-even.",
        ),
        (
            answer_of("pays"),
            "Self-hosting saves $50 a month. It is cheaper above 20,000 requests a month.",
        ),
        (
            answer_of("pays", 50_000, saves_at=90_000),
            "Self-hosting saves $50 a month. It is cheaper above 20,000 requests a month. It saves $100 at about "
            "90,000 requests.",
        ),
        (
            answer_of("always"),
            "Self-hosting is cheaper at every volume. At our 30,000 requests a month it saves $50 a month.",
        ),
        (
            answer_of("refused"),
            "Self-hosting costs $50 a month less at our 30,000 requests. Its answers are rated significantly "
            "worse, so it is not called cheaper.",
        ),
        (
            answer_of("ahead", crossing=60_000),
            "Self-hosting is cheaper above 60,000 requests a month. Below that, at our volume, the API costs "
            "$50 a month less.",
        ),
        (
            answer_of("ahead", crossing=60_000, days=1),
            "Self-hosting is cheaper above 60,000 requests a month. Below that, at our volume, the API costs "
            "$50 a month less, and at the current growth we reach it in 1 day.",
        ),
        (
            answer_of("ahead", crossing=60_000, days=9),
            "Self-hosting is cheaper above 60,000 requests a month. Below that, at our volume, the API costs "
            "$50 a month less, and at the current growth we reach it in 9 days.",
        ),
        (
            answer_of("again", crossing=60_000),
            "At our volume the API is cheaper again, by $50 a month: it needs one more GPU and does not fill it. "
            "Self-hosting is cheaper again above 60,000 requests.",
        ),
        (
            answer_of("never", crossing=None),
            "Self-hosting is not cheaper at any higher volume. At our 30,000 requests a month the API costs $50 less.",
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, BreakEvenAnswer) else "",
)
def test_the_answer_is_told_in_one_sentence(shown: BreakEvenAnswer, sentence: str) -> None:
    assert plain(shown.sentence()) == sentence


def test_a_what_if_says_that_it_is_one() -> None:
    assert page_of(changed=True).sentence() == f"With your changes: {unmarked(page_of().sentence())}"
    assert page_of(changed=True).what_if_headline() == "What if: your changes are in the address"
    assert page_of().what_if_headline() == "What if"


def page_of(**fields: Any) -> BreakEvenPage:
    inputs = fields.pop("inputs", INPUTS)
    result = fields.pop("result", compute(inputs))
    shown = answer(inputs, result, fields.pop("growth", None), refused=False)
    return BreakEvenPage(inputs, result, shown, **{"rates": [], "gap": None, "refused": False, **fields})


@pytest.mark.parametrize(
    ("ends", "other", "beginning"),
    [
        (
            (-74, 534),
            None,
            "Too close to call: at 30,000 requests a month it is not certain whether self-hosting is cheaper: "
            "about $201 (−$74 to +$534).",
        ),
        (
            (100, 300),
            D(-20),
            "At 30,000 requests a month it is not certain whether self-hosting is cheaper: about $201 ($100 to $300).",
        ),
        (None, None, "There is not enough data to judge a saving at 30,000 requests a month"),
        ((100, 300), None, "Self-hosting is cheaper"),
        ((-300, -100), None, "Self-hosting is cheaper above"),
    ],
)
def test_the_first_sentence_goes_no_further_than_the_interval(
    ends: tuple[int, int] | None, other: Any, beginning: str
) -> None:
    interval = Interval(D(ends[0]), D(ends[1])) if ends else None
    saving = Saving(D(201) if not ends or ends[1] > 0 else D(-201), interval, other)
    inputs = replace(INPUTS, requests_per_month=30_000)
    assert words(page_of(inputs=inputs, saving=saving).sentence()).startswith(beginning)


@pytest.mark.parametrize("other", [None, D(20)])
def test_an_uncertain_saving_reads_as_in_the_saving_criterion(other: Any) -> None:
    """A middle below zero is no saving: the page never says that self-hosting saves −$96."""
    interval = Interval(D(-125), D(322))
    shown = words(page_of(saving=Saving(D(-96), interval, other)).sentence())
    evidence = Evidence(saving_monthly=D(-96), saving_interval=interval, requests_per_month=30_000, traffic_days=30)
    criterion = saving_criterion(evidence, Thresholds(), False).sentence
    assert shown.endswith(criterion.removeprefix("At ")) and "saves" not in shown
    assert "not certain whether self-hosting is cheaper: about −$96 (−$125 to +$322)." in shown


def test_the_curve_is_named_by_what_each_side_costs() -> None:
    result = page_of().result
    first = plain(page_of(result=replace(result, gpus=1)).curve_headline())
    assert first == "$0.0032 a request on the API, $298 a month for 1 GPU"
    assert page_of(result=replace(result, gpus=2)).curve_headline().endswith("for 2 GPUs")
    own = replace(INPUTS.selfhost, billing="per_second", price_per_second=D("0.001"), gpu_tokens_per_second=D(85))
    assert page_of(inputs=replace(INPUTS, selfhost=own)).curve_headline().endswith("a month for GPUs by the second")


def test_the_sum_is_more_or_less_and_names_its_prices() -> None:
    assert page_of().sum_headline() == "Total: $204 a month more"
    assert page_of(inputs=with_body(requests_per_month=300_000)).sum_headline() == "Total: $647 a month less"
    assert page_of(inputs=replace(INPUTS, price_sheet="live")).sum_source() == "today’s prices"
    assert page_of(inputs=replace(INPUTS, price_sheet="2026-01")).sum_source() == "sheet 2026-01"


def rates_to(last: int) -> list[tuple[date, int]]:
    return [(date(2026, 9, 28) + timedelta(n), rate) for n, rate in enumerate((10_000, 20_000, last))]


def test_the_run_rate_is_told_against_the_crossing() -> None:
    assert page_of().rate_headline() == "No run rate yet: fewer than 30 days of data"
    assert page_of(rates=rates_to(30_000)).rate_headline() == "Run rate on each of the last 3 days"
    assert "Past break-even since <time" in page_of(rates=rates_to(99_000)).rate_headline()
    soon = page_of(rates=rates_to(30_000), growth=D(1)).rate_headline()
    assert soon == "51 days to break-even at the current growth"
    within = Band(Spread(D("0.1"), D("0.2"), 30), 8000, 12_000, 60_000, 99_000, D(-1), D(5))
    near = page_of(rates=rates_to(99_000))
    near = replace(near, answer=replace(near.answer, n=98_000, band=within))
    assert near.rate_headline() == "Too close to call: the run rate lies within the break-even’s interval"
    tomorrow = page_of(inputs=with_body(requests_per_month=94_000), rates=rates_to(94_000), growth=D(1))
    assert tomorrow.rate_headline() == "1 day to break-even at the current growth"


def test_the_growth_of_the_run_rate_is_told_where_it_is_known() -> None:
    assert page_of().rate_note().startswith("The alert fires once")
    assert plain(page_of(growth=D("0.2")).rate_note()).startswith("The run rate changed by +20 % in 30 days. The alert")


@pytest.mark.parametrize(
    ("gap", "refused", "headline", "holds", "cheaper"),
    [
        (Interval(D("-0.2"), D("-0.1")), True, "Not called cheaper", False, "self-hosted, rated worse"),
        (Interval(D("-0.2"), D("0.1")), False, "Quality is not significantly worse", True, "self-hosted"),
        (None, False, "Quality is not known", None, "self-hosted"),
    ],
)
def test_cheaper_is_said_only_where_quality_holds(
    gap: Interval | None, refused: bool, headline: str, holds: bool | None, cheaper: str
) -> None:
    page = page_of(gap=gap, refused=refused)
    assert page.guard_headline().startswith(headline)
    told = Saving(D(20), Interval(D(10), D(30)), worse=refused)
    assert (page.holds, words(cells.side(told))) == (holds, cheaper)


@pytest.mark.parametrize(
    ("ends", "other", "cell", "side"),
    [
        ((130, 1462), None, "+208.00 $130 to $1,462", "self-hosted"),
        ((-74, 534), None, "+208.00 −$74 to $534, too close to call", "too close to call"),
        ((130, 300), D(-5), "+208.00 $130 to $300, too close to call", "too close to call"),
        (None, None, "+208.00 not enough data", "not enough data"),
    ],
)
def test_a_saving_in_a_table_has_its_interval_and_names_a_side_only_where_it_is_sure(
    ends: tuple[int, int] | None, other: Any, cell: str, side: str
) -> None:
    saving = Saving(D(208), Interval(D(ends[0]), D(ends[1])) if ends else None, other)
    assert (words(cells.saved(saving).replace("<span", " <span")), words(cells.side(saving))) == (cell, side)
    assert words(cells.side(Saving(D(-9), Interval(D(-12), D(-3))))) == "API"


def test_a_volume_in_a_table_has_its_interval() -> None:
    around = Band(Spread(D("0.1"), D("0.2"), 30), 8000, 12_000, 9000, 11_000, D(1), D(5))
    assert words(cells.volume(10_000, around).replace("<span", " <span")) == "10,000 9,000 to 11,000"
    assert words(cells.volume(None, replace(around, crossing_high=None)).replace("<span", " <span")) == (
        "never at best above about 9,000"
    )
    assert words(cells.volume(10_000, None).replace("<span", " <span")) == "10,000 not enough data"


@pytest.mark.parametrize(("share", "sides"), [("0.5", "too close to call"), ("0", "self-hosted")])
def test_no_row_of_the_volumes_names_a_side_beyond_its_interval(share: str, sides: str) -> None:
    inputs = with_body(requests_per_month=106_700)
    spread = Spread(D(share), D("0.01"), 30)
    rows = volume_rows(inputs, compute(inputs), spread, saving=saving_of(inputs, spread))
    [here] = [row for row in rows if row.here]
    assert words(here.side()) == sides
    assert ("too close to call" in here.saved()) == (share == "0.5")


def test_only_the_row_of_our_run_rate_holds_the_uncertainty_of_the_run_rate() -> None:
    inputs, narrow, wide = with_body(requests_per_month=106_700), *(Spread(D(0), D(v), 30) for v in ("0.01", "0.2"))
    before, after = (volume_rows(inputs, compute(inputs), s, saving=saving_of(inputs, s)) for s in (narrow, wide))
    differ = [row.n for row, other in zip(before, after, strict=True) if row.saving.interval != other.saving.interval]
    assert differ == [106_700]


def test_a_crossing_says_which_side_it_leads_to() -> None:
    assert CrossingRow(1, 1, True, 1).words() == "self-hosting is cheaper above"
    assert CrossingRow(1, 1, False, 1).words() == "the API is cheaper again above"


@pytest.mark.parametrize(
    ("low", "high", "saving", "within", "is_told"),
    [
        (
            None,
            None,
            (-5, 5),
            "Within that, self-hosting may never be cheaper, and saves −5.00 to +5.00 a month.",
            False,
        ),
        (
            9000,
            None,
            (-5, 5),
            "Within that, self-hosting is cheaper above 9,000 at best and never at worst, and",
            False,
        ),
        (
            9000,
            11_000,
            (1, 5),
            "Within that, self-hosting is cheaper above 9,000 to 11,000, and saves +1.00 to +5.00 a",
            True,
        ),
    ],
)
def test_how_sure_the_answer_is_is_told(
    low: int | None, high: int | None, saving: tuple[int, int], within: str, is_told: bool
) -> None:
    note = Band(Spread(D("0.1"), D("0.2"), 30), 8000, 12_000, low, high, D(saving[0]), D(saving[1])).note()
    assert plain(note).startswith(
        "Uncertainty (95 %), from the differences between the last 30 days: the cost of a request is ±10 %, the"
        " run rate 8,000–12,000. "
    )
    assert within in plain(note)
    assert note.endswith("<b>Too close to call.</b>") is not is_told


def test_the_input_that_moves_the_break_even_most_is_named() -> None:
    swing = Swing("gpu_hourly", D(1), D("0.8"), D("1.2"), 800, 1200, 1000)
    assert tornado([swing], 0).headline() == "Largest effect on break-even: GPU, an hour"
    assert tornado([], 0).headline() == "No single input moves the break-even"


def other(pays_from: int | None, measured: bool = True) -> OtherOffer:
    return OtherOffer("RunPod L4", "", "$0.44", INPUTS, compute(INPUTS, curve_to=0), pays_from, measured, "", 0)


def test_other_gpus_say_from_which_volume_they_pay() -> None:
    assert others_headline([]) == "No offers of other GPUs are known"
    assert others_headline([other(None)]) == "No GPU on offer would be cheaper than the API"
    assert others_headline([other(9000)]) == "Lowest break-even of the GPUs on offer: RunPod L4, about 9,000"
    assert other(9000).note() == "$0.44 an hour. Cheaper above about 9,000."
    assert other(None, measured=False).note() == (
        "$0.44 an hour. Never cheaper. Capacity not measured: one GPU assumed at every volume."
    )


def column(name: str, result: Any = None) -> ScenarioColumn:
    return ScenarioColumn(name, "", INPUTS, result)


def test_the_cheapest_scenario_is_named() -> None:
    live, unread = column("Live", compute(INPUTS, curve_to=0)), column("<gone>")
    assert what_ifs.answer([live]).startswith("No saved scenarios yet")
    assert what_ifs.answer([unread, unread]) == "None of the saved scenarios can be calculated today."
    assert what_ifs.answer([live, unread]) == (
        "Lowest cost of a request: <b>Live</b>, of the live result and 1 saved scenario."
    )
    assert what_ifs.answer([live, unread, unread]).endswith("of the live result and 2 saved scenarios.")
