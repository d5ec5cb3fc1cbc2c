"""What the Plan page says in words, from plain figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal as D
from typing import Any

import pytest
import time_machine

from costs.allocation.committed import NOTHING
from costs.models import Phase, Stage
from costs.models.terms import Term
from costs.plan import drafts
from costs.plan.budget_status import Allowance, BudgetStatus, TermPart
from costs.plan.budgets_page import Budgets
from costs.plan.changes import Change, headline
from costs.plan.forecast import Check, Forecast
from costs.plan.forecast_record import ForecastRecord
from costs.plan.month import Month, Sides
from costs.plan.page import ForecastReview, PhaseRow, PlanPage, Stages, phase_rows
from costs.plan.page import stages as stages_of
from costs.plan.queries import PhaseState, Plan, StageState
from costs.plan.volume_page import BudgetReach, Split

NOW = datetime(2026, 9, 21, 12, tzinfo=UTC)
FIRST, TODAY, LAST = date(2026, 9, 1), date(2026, 9, 21), date(2026, 9, 30)
AHEAD = Forecast(D(80), D(100), D(130), D(10), D(20), D("0.1"), ((date(2026, 9, 25), D(400)),))
SMALL = Phase(pk=1, slug="small", name="1 <now>", volume_from=0, volume_to=5000, budget_low=1, budget_high=40)
LARGE = Phase(pk=2, slug="large", name="2 scale-up", volume_from=5000, budget_low=1, budget_high=400)


@pytest.fixture(autouse=True)
def september() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def month(forecast: Forecast | None, spent: int, unpriced: int = 0) -> Month:
    days = {FIRST: D(spent)}
    return Month(FIRST, LAST, D(spent), 10, unpriced, forecast, "", days, {})


def page(
    current: Phase | None = SMALL, held: Phase | None = SMALL, forecast: Forecast | None = None, spent: int = 30,
    limit: int = 200, unpriced: int = 0,
) -> PlanPage:  # fmt: skip
    this_month = month(forecast, spent, unpriced)
    part = TermPart(Term("", D(1), D(limit), FIRST, None), 30, 30)
    status = BudgetStatus(Allowance(FIRST, date(2026, 10, 1), (part,)), this_month) if current else None
    return PlanPage(Plan(current, held, 4000, this_month, NOTHING, [], status, [], []), TODAY)


PHASE = "We are in phase <b>1 &lt;now&gt;</b>"


@pytest.mark.parametrize(
    ("shown", "answer"),
    [
        (page(None), "No phase is planned for today, so September’s $30.00 has no budget."),
        (
            page(spent=201),
            f"{PHASE}, and September’s budget ran out on <b>1 Sep</b>. September is over its budget: $201.00 of $200 is"
            " spent.",
        ),
        (
            page(spent=201, forecast=AHEAD),
            f"{PHASE}, and September’s budget ran out on <b>1 Sep</b>. September is over its budget: $201.00 of $200 is"
            " spent.",
        ),
        (
            page(forecast=AHEAD, limit=40),
            f"{PHASE}. September will go over its budget:"
            " about $100 ($80–$130) of $40. At this pace the budget runs out on <b>25 Sep</b>.",
        ),
        (
            page(forecast=AHEAD, limit=110),
            f"{PHASE}. September is close to its budget:"
            " about $100 ($80–$130) of $110. The forecast narrows with each day.",
        ),
        (
            page(forecast=AHEAD),
            f"{PHASE}. September stays within its budget: about $100 ($80–$130) of $200.",
        ),
        (
            page(),
            f"{PHASE}. September has cost $30 of $200. "
            "It is too early to forecast its end. It needs 1 more day of data.",
        ),
    ],
    ids=["no phase", "over", "over with a forecast", "runs out", "close", "lasts", "unknown"],
)
def test_the_answer_says_how_the_month_stands(shown: PlanPage, answer: str) -> None:
    assert without_times(shown.answer()) == answer


def without_times(html: str) -> str:
    return re.sub(r"</?time[^>]*>", "", html)


def test_the_pace_is_told_by_its_ends_or_its_middle() -> None:
    assert page(forecast=AHEAD).pace_headline() == "September forecast: $80 to $130"
    assert page(None, forecast=AHEAD).pace_headline() == "September forecast: $100"
    assert page().pace_headline() == "September, cumulative"


def test_what_is_left_is_divided_by_the_days_that_are_left() -> None:
    assert page().left_headline() == "Left: $17.00 a day for 10 days"
    assert page(unpriced=2).left_headline() == "Left: at most $17.00 a day for 10 days"
    assert PlanPage(page().plan, LAST).left_headline() == "Left: $170.00 for the last day"
    assert page(spent=200).left_headline() == page(None).left_headline() == "Nothing left"


@pytest.mark.parametrize(
    ("shown", "phases", "volume"),
    [
        (
            page(),
            "The phases and their budgets a month",
            "About 4,000 requests a month are within the range of 1 <now>",
        ),
        (
            page(held=LARGE),
            "Planned: 1 <now>, actual volume: 2 scale-up",
            "About 4,000 requests a month are outside the range of 1 <now>",
        ),
        (
            page(held=None),
            "The phases and their budgets a month",
            "About 4,000 requests a month are within the range of 1 <now>",
        ),
        (
            page(None),
            "The phases and their budgets a month",
            "About 4,000 requests a month, with no phase planned for today",
        ),
    ],
    ids=["inside", "outside", "no band", "no phase"],
)
def test_the_volume_is_told_against_the_planned_band(shown: PlanPage, phases: str, volume: str) -> None:
    assert (shown.phases_headline(), shown.volume_headline()) == (phases, volume)


def row_of(
    current: bool = True, forecast: Forecast | None = None, runs_out: date | None = None, **dates: date
) -> PhaseRow:
    phase = Phase(name="A", volume_from=5000, budget_low=1, budget_high=2, **dates)
    state = PhaseState(phase, current, D(0), 0, forecast, runs_out)
    return phase_rows(Plan(None, None, 0, month(None, 0), NOTHING, [], None, [state], []), TODAY)[0]


def test_only_the_phase_of_today_has_figures_of_the_month() -> None:
    later, now = row_of(current=False), row_of(forecast=AHEAD, runs_out=LAST)
    assert "–" in later.forecast() and "–" in later.runs_out()
    assert now.forecast() == '100.00<span class="secondary">80.00–130.00</span>'
    assert "30 Sep" in now.runs_out()
    assert row_of(forecast=AHEAD).runs_out() == "not this month"
    assert ("unknown" in row_of().forecast(), row_of().runs_out()) == (True, "not enough data")


def test_a_phase_says_its_band_and_when_it_is_planned() -> None:
    assert row_of().band() == "5,000–any"
    assert 'class="none"' in row_of().planned()
    assert without_times(row_of(starts_on=FIRST).planned()) == "1 Sep–open"
    assert without_times(row_of(starts_on=FIRST, ends_on=LAST).planned()) == "1 Sep–29 Sep"


def test_stages_are_told_by_their_sum() -> None:
    stage = Stage(name="A", starts_on=FIRST, ends_on=LAST, budget=D(50))
    assert stages_of([StageState(stage, D("5.5"))], TODAY).headline() == "The stages have cost $5.50 of $50"
    assert Stages([], D(0), D(0), D(0)).headline() == "No stage is planned"


def test_the_split_is_told_against_the_plan() -> None:
    assert Split(60, 100, [], []).headline() == "Self-hosted share of requests: 60\u202f%, planned: 70\u202f%"
    assert Split(0, 0, [], []).headline() == "No requests in 30 days, so there is no split"
    assert (Split(0, 0, [], [(FIRST, D(1))]).lines, len(Split(0, 0, [], [(FIRST, D(1))] * 2).lines)) == ([], 1)


def review(months: int, inside: int = 0, of: int = 0) -> ForecastReview:
    check = Check(FIRST, D(100), AHEAD, D(90))
    return ForecastReview([check] * months, ForecastRecord({FIRST: (inside, of)} if of else {}))


def test_the_forecasts_past_is_told_with_its_error_and_its_cover() -> None:
    none, good, narrow = review(0), review(1, 9, 10), review(2, 1, 10)
    assert none.headline() == "No forecast of a whole month yet"
    assert good.headline().replace("\u202f", " ") == "Forecast error on day 10: 0 % (straight-line estimate: 10 %)"
    assert "1 of 1 month ended between" in review(1).note()
    assert "2 of 2 months ended between" in narrow.note()
    assert "From every day" not in review(1).note()
    assert good.note().endswith("the end was inside on 9 of 10 days: <b>90\u202f%</b>.")
    assert narrow.note().endswith("the interval is too narrow.")
    assert [word for _check, word in good.rows] == ["9 of 10"]
    assert 'class="none"' in review(1).rows[0][1]
    assert good.fan_note() == "USD, cumulative, 80 % forecast interval"
    assert narrow.fan_note().endswith('<a href="#record-h">10\u202f% so far</a>')


def reach(breaks: int | None, run_rate: int = 10, note: D | None = None) -> BudgetReach:
    return BudgetReach(LARGE, note, note, breaks, D(721), run_rate, 500_000, {})


def test_how_far_a_budget_goes_is_told_by_volume() -> None:
    assert reach(None).headline() == "The $400 budget covers the whole range of 2 scale-up"
    assert "covers about 143,000 requests" in reach(143_211).headline()
    assert reach(9000).headline() == ("The $400 budget covers about 9,000 requests, not the full range of 2 scale-up")
    assert (reach(None).note(), "covers about <b>160,635</b>" in reach(None, note=D(160635)).note()) == ("", True)
    assert "500,000 requests cost <b>$721</b> a month" in reach(9000).live_note()
    assert "Our volume is above that" not in reach(9000).live_note() + reach(None).live_note()
    assert "Our volume is above that" in reach(9000, run_rate=9000).live_note()


def test_what_is_committed_is_told_with_its_share_where_there_is_a_forecast() -> None:
    assert Sides(FIRST, D(10), D(10), D(5), D(15)).headline() == (
        "Committed in September: $20.00, 50\u202f% of the forecast"
    )
    assert Sides(FIRST, D(10), D(10), D(5), None).headline() == "Committed in September: $20.00"


def test_the_last_change_of_the_plan_is_told_with_its_age() -> None:
    change = Change(NOW, "Ann <a>", "phase", "A", "added", [], "")
    assert headline([]) == "No changes of the plan yet"
    assert headline([change]).startswith("Ann &lt;a&gt; changed the plan last, <time")


def test_an_application_counts_its_budgets() -> None:
    row: Any = object()
    assert Budgets([]).application_title() == "No budget for this application"
    assert Budgets([row]).application_title() == "1 budget this month"
    assert Budgets([row] * 2).application_title() == "2 budgets this month"


def test_a_preview_says_how_many_steps_would_be_added() -> None:
    fits, refused = drafts.Draft("stage", {}), drafts.Draft("stage", {}, "No.")
    assert drafts.answer(None).startswith("Copy phases, stages and budgets of a month or year")
    assert drafts.answer([refused]).startswith("Nothing to add")
    assert drafts.answer([fits, refused]) == "<b>1</b> step will be added. Nothing is changed yet."
    assert drafts.answer([fits] * 2) == "<b>2</b> steps will be added. Nothing is changed yet."
