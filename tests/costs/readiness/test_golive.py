"""Go, no-go or not yet, from evidence."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from costs.readiness.scorecard import Criterion, Evidence, Scorecard, TaskQuality, as_json, judge, quality_refuses
from lib.confidence_intervals import Interval

GOOD = TaskQuality("rag", requests=70_000, ratings=60, acceptable=55)
ALSO_GOOD = TaskQuality("qa", requests=20_000, ratings=50, acceptable=46)
POOR = TaskQuality("code", requests=10_000, ratings=40, acceptable=20)
READY = Evidence(
    tasks=(GOOD, ALSO_GOOD, POOR),
    first_token_p95_ms=Decimal(310),
    first_token_sample=4200,
    end_to_end_p95_ms=Decimal(2600),
    saving_monthly=Decimal("138.05"),
    requests_per_month=152_400,
    cheaper="selfhost",
    crossing=135_239,
    volume_for_saving=180_588,
    uptime=Decimal("0.9987"),
    observed_seconds=30 * 86_400,
    checks=86_400,
)


def card(**changes: Any) -> Scorecard:
    return judge(replace(READY, **changes))


def criterion(scorecard: Scorecard, slug: str) -> Criterion:
    return next(row for row in scorecard.criteria if row.slug == slug)


def test_all_four_criteria_holding_is_a_go() -> None:
    ready = card()
    assert ready.verdict == "go"
    assert ready.sentence == "GO: all 4 criteria hold."
    assert [row.holds for row in ready.criteria] == [True] * 4


def test_quality_is_the_share_of_requests_whose_tasks_are_accepted() -> None:
    quality = criterion(card(), "quality")
    assert (quality.value, quality.sample) == (Decimal("0.9"), 150)
    poor = criterion(card(tasks=(GOOD, replace(POOR, requests=70_000))), "quality")
    assert (poor.value, poor.holds) == (Decimal("0.5"), False)


def test_a_task_counts_only_when_chance_cannot_explain_its_ratings() -> None:
    """24 of 30 are 80 %, but Wilson's lower end is 63 %."""
    lucky = criterion(card(tasks=(TaskQuality("rag", 1000, ratings=30, acceptable=24),)), "quality")
    assert (lucky.value, lucky.holds) == (Decimal(0), False)
    sure = criterion(card(tasks=(TaskQuality("rag", 1000, ratings=300, acceptable=240),)), "quality")
    assert sure.holds is True


def test_a_task_below_thirty_ratings_says_nothing() -> None:
    few = card(tasks=(replace(GOOD, ratings=29, acceptable=29),))
    assert few.verdict == "not_yet"
    assert criterion(few, "quality").value is None
    assert any("30 ratings" in sentence for sentence in few.changes)


def test_a_share_of_few_rated_requests_is_not_taken_for_all() -> None:
    mostly_unrated = criterion(card(tasks=(replace(GOOD, requests=10), TaskQuality("chat", 90, 3, 3))), "quality")
    assert mostly_unrated.holds is None
    assert mostly_unrated.interval == Interval(Decimal("0.1"), Decimal(1))


@pytest.mark.parametrize(
    ("change", "slug", "holds"),
    [
        ({"first_token_p95_ms": Decimal("499.9")}, "latency", True),
        ({"first_token_p95_ms": Decimal(500)}, "latency", False),
        ({"first_token_sample": 99}, "latency", None),
        ({"first_token_p95_ms": None}, "latency", None),
        ({"saving_monthly": Decimal("100.01")}, "saving", True),
        ({"saving_monthly": Decimal(100)}, "saving", False),
        ({"saving_monthly": Decimal(-3)}, "saving", False),
        ({"saving_monthly": None}, "saving", None),
        ({"uptime": Decimal("0.990001")}, "reliability", True),
        ({"uptime": Decimal("0.99")}, "reliability", False),
        ({"uptime": None}, "reliability", None),
        ({"observed_seconds": 3600}, "reliability", None),
    ],
)
def test_each_criterion_turns_at_its_threshold(change: dict[str, Any], slug: str, holds: bool | None) -> None:
    scorecard = card(**change)
    assert criterion(scorecard, slug).holds is holds
    assert scorecard.verdict == {True: "go", False: "no_go", None: "not_yet"}[holds]


def test_nothing_measured_is_not_yet_and_says_what_is_missing() -> None:
    empty = judge(Evidence())
    assert empty.verdict == "not_yet"
    assert [row.holds for row in empty.criteria] == [None] * 4
    assert len(empty.changes) == 4


def test_a_failing_criterion_outweighs_a_missing_one() -> None:
    assert card(saving_monthly=None, uptime=Decimal("0.9")).verdict == "no_go"


def test_a_persons_tick_forbids_whatever_the_figures_say() -> None:
    ticked = card(too_complex="two of us on call is not enough")
    assert ticked.verdict == "no_go"
    assert "two of us on call" in ticked.sentence
    assert any("withdraw" in sentence for sentence in ticked.changes)


def test_a_volume_below_the_crossing_forbids() -> None:
    low = card(cheaper="api", requests_per_month=30_000, saving_monthly=Decimal("-203.70"))
    assert low.verdict == "no_go"
    assert "30,000 requests a month is below the break-even of 135,239" in low.objections[0].sentence
    assert "At 180,588 requests a month the saving would reach $100." in low.changes


def test_a_second_gpu_can_make_the_api_cheaper_again() -> None:
    again = card(cheaper="api", requests_per_month=180_000, crossing=139_364)
    assert "cheaper again" in again.objections[0].sentence


def test_significantly_worse_answers_forbid_and_a_small_gap_does_not() -> None:
    worse = Interval(Decimal("-0.30"), Decimal("-0.06"))
    assert card(quality_gap=worse).verdict == "no_go"
    assert quality_refuses(worse)
    assert not quality_refuses(Interval(Decimal("-0.30"), Decimal("-0.05")))
    assert not quality_refuses(None)


@pytest.mark.parametrize("switch", ["private", "fine_tuned"])
def test_a_switch_justifies_self_hosting_against_the_money_and_shows_it(switch: str) -> None:
    against = {"saving_monthly": Decimal(-50), "cheaper": "api", "requests_per_month": 10_000}
    assert card(**against).verdict == "no_go"
    justified = card(**against, **{switch: True})
    assert justified.verdict == "go"
    assert (criterion(justified, "saving").holds, criterion(justified, "saving").set_aside) == (False, True)
    assert justified.justified_by == ({"private": "privacy"}.get(switch, switch),)
    assert "set aside" in justified.sentence


def test_a_switch_does_not_excuse_quality() -> None:
    assert card(private=True, quality_gap=Interval(Decimal("-0.4"), Decimal("-0.2"))).verdict == "no_go"


def test_the_answer_has_the_shape_of_the_contract() -> None:
    answer = as_json(card())
    assert answer["verdict"] == "go"
    assert [row["slug"] for row in answer["criteria"]] == ["quality", "latency", "saving", "reliability"]
    for row in answer["criteria"]:
        assert {"slug", "holds", "value", "threshold", "interval", "sample", "sentence"} <= set(row)
    saving = answer["criteria"][2]
    assert (saving["value"], saving["threshold"]) == ("138.05", "100.00")
    assert answer["criteria"][0]["value"] == 0.9


def test_a_share_just_below_the_threshold_never_reads_as_reached() -> None:
    sentence = criterion(card(uptime=Decimal("0.98999")), "reliability").sentence
    assert "98.99 %" in sentence
