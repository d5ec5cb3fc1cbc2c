"""Go, no-go or not yet, from evidence."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from costs.breakeven.band import Band, Spread
from costs.readiness.evidence import Evidence, TaskQuality
from costs.readiness.page import CriterionRow
from costs.readiness.scorecard import Scorecard, as_json, go, judge, quality_refuses
from costs.verdicts.verdict import State, Verdict
from lib.confidence_intervals import Interval

GOOD = TaskQuality("rag", requests=70_000, ratings=60, acceptable=55)
ALSO_GOOD = TaskQuality("qa", requests=20_000, ratings=50, acceptable=46)
POOR = TaskQuality("code", requests=10_000, ratings=40, acceptable=20)
READY = Evidence(
    tasks=(GOOD, ALSO_GOOD, POOR),
    first_token_p95_ms=Decimal(310),
    first_token_sample=4200,
    first_token_interval=Interval(Decimal(300), Decimal(320)),
    end_to_end_p95_ms=Decimal(2600),
    saving_monthly=Decimal("138.05"),
    saving_interval=Interval(Decimal(110), Decimal(166)),
    traffic_days=30,
    requests_per_month=152_400,
    cheaper="selfhost",
    crossing=135_239,
    volume_for_saving=180_588,
    uptime=Decimal("0.9987"),
    observed_seconds=30 * 86_400,
    checks=86_400,
    uptime_interval=Interval(Decimal("0.9984"), Decimal("0.9990")),
)


def card(**changes: Any) -> Scorecard:
    return judge(replace(READY, **changes))


def criterion(scorecard: Scorecard, slug: str) -> Verdict:
    return next(row for row in scorecard.criteria if row.question == slug)


def between(low: str, high: str) -> Interval:
    return Interval(Decimal(low), Decimal(high))


def test_all_four_criteria_holding_is_a_go() -> None:
    ready = card()
    assert ready.verdict == "go"
    assert ready.sentence == "GO: all 4 criteria are met."
    assert [row.holds for row in ready.criteria] == [True] * 4


def test_quality_is_the_share_of_requests_whose_tasks_are_accepted() -> None:
    quality = criterion(card(), "quality")
    assert (quality.value, quality.sample) == (Decimal("0.9"), 150)
    poor = criterion(card(tasks=(GOOD, replace(POOR, requests=70_000))), "quality")
    assert (poor.value, poor.holds) == (Decimal("0.5"), False)


def test_a_task_counts_only_when_chance_cannot_explain_its_ratings() -> None:
    """24 of 30 are 80 %, but Wilson's interval is 63 to 90 %: neither good enough nor not."""
    lucky = criterion(card(tasks=(TaskQuality("rag", 1000, ratings=30, acceptable=24),)), "quality")
    assert (lucky.value, lucky.holds, lucky.state) == (Decimal(0), None, State.TOO_CLOSE)
    assert lucky.needed == "About 59 more ratings of RAG."
    sure = criterion(card(tasks=(TaskQuality("rag", 1000, ratings=300, acceptable=240),)), "quality")
    assert sure.holds is True
    bad = criterion(card(tasks=(TaskQuality("rag", 1000, ratings=30, acceptable=12),)), "quality")
    assert bad.holds is False


def test_a_task_below_thirty_ratings_says_nothing() -> None:
    few = card(tasks=(replace(GOOD, ratings=29, acceptable=29),))
    assert few.verdict == "not_yet"
    assert criterion(few, "quality").value is None
    assert any("30 ratings" in sentence for sentence in few.changes)
    assert criterion(few, "quality").needed == "About 1 more rating of RAG."


def test_a_share_of_few_rated_requests_is_not_taken_for_all() -> None:
    mostly_unrated = criterion(card(tasks=(replace(GOOD, requests=10), TaskQuality("chat", 90, 3, 3))), "quality")
    assert (mostly_unrated.holds, mostly_unrated.state) == (None, State.NOT_ENOUGH)
    assert mostly_unrated.interval == Interval(Decimal("0.1"), Decimal(1))


def latency(low: str, high: str, **more: Any) -> dict[str, Any]:
    return {"first_token_p95_ms": Decimal(low), "first_token_interval": between(low, high), **more}


def saving(low: str, high: str) -> dict[str, Any]:
    return {"saving_monthly": Decimal(low), "saving_interval": between(low, high)}


def uptime(low: str, high: str) -> dict[str, Any]:
    return {"uptime": Decimal(low), "uptime_interval": between(low, high)}


@pytest.mark.parametrize(
    ("share", "words"), [("0.996369", "99.64"), ("0.98996", "98.99"), ("0.999996", "99.99"), ("1", "100")]
)
def test_the_sentence_about_uptime_rounds_as_the_table_does_and_never_up_to_its_limit(share: str, words: str) -> None:
    evidence = uptime("0.98", "0.9999") | {"uptime": Decimal(share)}
    row = criterion(card(**evidence), "reliability")
    assert f"were up {words} % of" in row.sentence
    assert CriterionRow(row).value() == f"{words} %"


@pytest.mark.parametrize(
    ("change", "slug", "state"),
    [
        (latency("480", "499.9"), "latency", State.MET),
        (latency("480", "500"), "latency", State.TOO_CLOSE),
        (latency("500", "510"), "latency", State.NOT_MET),
        (latency("480", "499.9", first_token_sample=99), "latency", State.NOT_ENOUGH),
        ({"first_token_interval": None}, "latency", State.NOT_ENOUGH),
        ({"first_token_p95_ms": None}, "latency", State.NOT_ENOUGH),
        (saving("100.01", "120"), "saving", State.MET),
        (saving("100", "120"), "saving", State.TOO_CLOSE),
        (saving("-74", "534"), "saving", State.TOO_CLOSE),
        (saving("0", "100"), "saving", State.NOT_MET),
        (saving("-30", "-3"), "saving", State.NOT_MET),
        ({"saving_interval": None}, "saving", State.NOT_ENOUGH),
        ({"saving_monthly": None}, "saving", State.NOT_ENOUGH),
        (uptime("0.990001", "0.995"), "reliability", State.MET),
        (uptime("0.99", "0.995"), "reliability", State.TOO_CLOSE),
        (uptime("0.98", "0.99"), "reliability", State.NOT_MET),
        ({"uptime": None}, "reliability", State.NOT_ENOUGH),
        ({"uptime_interval": None}, "reliability", State.NOT_ENOUGH),
        ({"observed_seconds": 3600}, "reliability", State.NOT_ENOUGH),
    ],
)
def test_each_criterion_turns_where_its_whole_interval_does(change: dict[str, Any], slug: str, state: State) -> None:
    scorecard = card(**change)
    assert (criterion(scorecard, slug).state, go(scorecard).state) == (state, state)
    assert scorecard.verdict == {State.MET: "go", State.NOT_MET: "no_go"}.get(state, "not_yet")


@pytest.mark.parametrize(
    ("change", "slug", "needed"),
    [
        (latency("480", "520"), "latency", "About 12,600 more streamed requests."),
        ({"first_token_sample": 60, "first_token_p95_ms": None}, "latency", "40 more streamed requests."),
        ({"saving_interval": None, "traffic_days": 6}, "saving", "1 more day of traffic."),
        ({"saving_interval": None, "traffic_days": 2}, "saving", "5 more days of traffic."),
        (
            {"saving_monthly": Decimal(200), "saving_interval": between("80", "320"), "traffic_days": 10},
            "saving",
            "About 5 more days of traffic.",
        ),
        (
            saving("-74", "534"),
            "saving",
            "Traffic and its cost differ so much from day to day that more days do not decide.",
        ),
        ({"observed_seconds": 7200, "uptime": None}, "reliability", "22 more hours of checks."),
    ],
)
def test_what_is_not_decided_says_what_would_decide_it(change: dict[str, Any], slug: str, needed: str) -> None:
    assert criterion(card(**change), slug).needed == needed
    assert any(needed in sentence for sentence in card(**change).changes)


@pytest.mark.parametrize(
    ("value", "low", "high", "part"),
    [
        ("201", "-74", "534", "it is not certain whether self-hosting is cheaper: about $201 (−$74 to +$534)."),
        ("-20", "-74", "34", "it is not certain whether self-hosting is cheaper: about −$20 (−$74 to +$34)."),
        ("-20", "-74", "0", "it is not certain whether self-hosting is cheaper: about −$20 (−$74 to $0)."),
        ("138", "110", "166", "self-hosting saves about $138 ($110 to $166). Required: more than $100."),
        ("40", "0", "80", "self-hosting saves about $40 ($0 to $80). Required: more than $100."),
        ("-50", "-80", "-20", "self-hosting costs about $50 ($20 to $80) more."),
    ],
)
def test_a_saving_is_told_with_its_interval(value: str, low: str, high: str, part: str) -> None:
    row = criterion(card(saving_monthly=Decimal(value), saving_interval=between(low, high)), "saving")
    assert row.sentence == f"At 152,400 requests a month {part}"


def test_nothing_measured_is_not_yet_and_says_what_is_missing() -> None:
    empty = judge(Evidence())
    assert empty.verdict == "not_yet"
    assert [row.holds for row in empty.criteria] == [None] * 4
    assert len(empty.changes) == 4


def test_a_failing_criterion_outweighs_a_missing_one() -> None:
    assert card(saving_monthly=None, **uptime("0.9", "0.95")).verdict == "no_go"


def test_a_persons_tick_forbids_whatever_the_figures_say() -> None:
    ticked = card(too_complex="two of us on call is not enough")
    assert ticked.verdict == "no_go"
    assert "two of us on call" in ticked.sentence
    assert any("withdraw" in sentence for sentence in ticked.changes)


def test_a_volume_below_the_crossing_forbids() -> None:
    around = Band(Spread(Decimal("0.1"), Decimal("0.1"), 30), 27_000, 33_000, 120_111, 160_222, Decimal(-204),
                  Decimal(-110), 161_000, None)  # fmt: skip
    low = card(cheaper="api", requests_per_month=30_000, band=around, **saving("-203.70", "-110"))
    assert low.verdict == "no_go"
    assert (
        "30,000 requests a month is below the break-even of about 135,000 (120,000 to 160,000)."
        in low.objections[0].sentence
    )
    assert "At about 181,000 (161,000 or more) requests a month the saving would reach $100." in low.changes
    assert "At about 135,000 (120,000 to 160,000) requests a month the break-even would be reached." in low.changes


def test_a_volume_whose_saving_is_not_certain_forbids_nothing() -> None:
    for interval in (between("-203.70", "0"), None):
        near = card(cheaper="api", requests_per_month=30_000, saving_monthly=Decimal(-3), saving_interval=interval)
        assert (near.objections, near.verdict) == ((), "no_go" if interval else "not_yet")


def test_a_second_gpu_can_make_the_api_cheaper_again() -> None:
    again = card(cheaper="api", requests_per_month=180_000, crossing=139_364, **saving("-30", "-3"))
    assert "cheaper again" in again.objections[0].sentence


def test_significantly_worse_answers_forbid_and_a_small_gap_does_not() -> None:
    worse = Interval(Decimal("-0.30"), Decimal("-0.06"))
    assert card(quality_gap=worse).verdict == "no_go"
    assert quality_refuses(worse)
    assert not quality_refuses(Interval(Decimal("-0.30"), Decimal("-0.05")))
    assert not quality_refuses(None)


@pytest.mark.parametrize("switch", ["private", "fine_tuned"])
def test_a_switch_justifies_self_hosting_against_the_money_and_shows_it(switch: str) -> None:
    against = {**saving("-50", "-40"), "cheaper": "api", "requests_per_month": 10_000}
    assert card(**against).verdict == "no_go"
    justified = card(**against, **{switch: True})
    assert justified.verdict == "go"
    assert (criterion(justified, "saving").holds, criterion(justified, "saving").set_aside) == (False, True)
    assert justified.justified_by == ({"private": "privacy"}.get(switch, switch),)
    assert "does not count" in justified.sentence


def test_a_switch_does_not_excuse_quality() -> None:
    assert card(private=True, quality_gap=Interval(Decimal("-0.4"), Decimal("-0.2"))).verdict == "no_go"


def test_the_answer_has_the_shape_of_the_contract() -> None:
    answer = as_json(card())
    assert answer["verdict"] == "go"
    assert [row["slug"] for row in answer["criteria"]] == ["quality", "latency", "saving", "reliability"]
    for row in answer["criteria"]:
        assert {"slug", "holds", "state", "value", "threshold", "interval", "sample", "sentence"} <= set(row)
        assert (row["holds"], row["state"]) == (True, "met")
    money = answer["criteria"][2]
    assert (money["value"], money["threshold"], money["interval"]) == ("138.05", "100.00", ["110.00", "166.00"])
    assert answer["criteria"][0]["value"] == 0.9


def test_a_share_just_below_the_threshold_never_reads_as_reached() -> None:
    sentence = criterion(card(**uptime("0.98999", "0.9905")), "reliability").sentence
    assert "98.99 %" in sentence


def test_no_rating_is_asked_of_a_task_that_none_of_our_gpus_serves() -> None:
    chat = TaskQuality("chat", 60_000, 0, 0, served=False)
    small = TaskQuality("qa", 500, 3, 3)
    assert criterion(card(tasks=(GOOD, chat, small)), "quality").needed == "About 27 more ratings of simple QA."
    unserved = criterion(card(tasks=(GOOD, chat)), "quality")
    assert unserved.needed == "The undecided tasks are not self-hosted yet."
    assert not any("chat" in sentence.lower() for sentence in card(tasks=(GOOD, chat)).changes)
