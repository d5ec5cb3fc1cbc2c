"""Whether a month is on plan: by what is spent, and by the whole interval of its forecast."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from costs.verdicts.on_plan import in_short, on_plan
from costs.verdicts.verdict import State
from lib.confidence_intervals import Interval

D = Decimal
NOVEMBER = datetime.now(UTC).date().replace(month=11, day=1)  # of this year: of another it is shown with its year


def month(spent: str, forecast: tuple[str, str, str] | None = None, limit: str | None = "400", **more: Any) -> Any:
    low, median, high = forecast or (None, None, None)
    interval = Interval(D(low), D(high)) if low and high else None
    values: dict[str, Any] = {"days": 14, **more}
    return on_plan(
        NOVEMBER, spent=D(spent), limit=None if limit is None else D(limit), forecast=interval,
        median=D(median) if median else None, **values,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "state", "sentence"),
    [
        (
            month("401", ("401", "420", "440")),
            State.NOT_MET,
            "November is over its budget: $401.00 of $400 is spent.",
        ),
        (
            month("300", ("405", "420", "440")),
            State.NOT_MET,
            "November will go over its budget: about $420 ($405–$440) of $400.",
        ),
        (
            month("300", ("380", "395", "410")),
            State.TOO_CLOSE,
            "November is close to its budget: about $395 ($380–$410) of $400.",
        ),
        (
            month("300", ("350", "360", "400")),
            State.MET,
            "November stays within its budget: about $360 ($350–$400) of $400.",
        ),
        (
            month("300", ("350", "360", "400.01")),
            State.TOO_CLOSE,
            "November is close to its budget: about $360 ($350–$400) of $400.",
        ),
        (
            month("0", ("-20", "-10", "0")),
            State.MET,
            "November stays within its budget: about −$10 (−$20–$0) of $400.",
        ),
    ],
)
def test_a_month_is_judged_by_both_ends_of_its_forecast(verdict: Any, state: State, sentence: str) -> None:
    assert (verdict.question, verdict.state, verdict.sentence) == ("plan", state, sentence)


@pytest.mark.parametrize(
    ("days", "needed"), [(0, "It needs 3 more days of data."), (2, "It needs 1 more day of data.")]
)
def test_the_first_days_of_a_month_are_too_early(days: int, needed: str) -> None:
    early = month("8", ("400", "800", "1200"), days=days)
    assert (early.state, early.needed) == (State.NOT_ENOUGH, needed)
    assert early.sentence == "November has cost $8 of $400. It is too early to forecast its end."
    assert month("8", ("500", "800", "1200"), days=3).state == State.NOT_MET


def test_what_is_spent_already_counts_from_the_first_day_on() -> None:
    assert month("401", days=0).state == State.NOT_MET
    assert month("400", days=0).state == State.NOT_ENOUGH


def test_an_ended_month_is_judged_by_what_it_cost() -> None:
    within, over = month("400", is_over=True), month("400.01", is_over=True)
    assert (within.state, within.sentence) == (State.MET, "November stayed within its budget: $400 of $400.")
    assert (over.state, over.sentence) == (State.NOT_MET, "November went over its budget: $400.01 of $400.")


@pytest.mark.parametrize(
    ("verdict", "state", "sentence"),
    [
        (month("397", is_over=True, unpriced=1), State.NOT_ENOUGH,
         "November cost at least $397.00 of $400. The cost of 1 request is not known."),
        (month("300", ("350", "360", "400"), unpriced=1200), State.NOT_ENOUGH,
         "November’s known cost will be about $360 ($350–$400) of $400. The cost of 1,200 requests is not known."),
        (month("400.01", is_over=True, unpriced=9), State.NOT_MET,
         "November went over its budget: at least $400.01 of $400."),
        (month("300", ("405", "420", "440"), unpriced=9), State.NOT_MET,
         "November will go over its budget: about $420 ($405–$440) of $400."),
    ],
)  # fmt: skip
def test_a_lower_bound_can_be_over_a_budget_and_never_within_it(verdict: Any, state: State, sentence: str) -> None:
    assert (verdict.state, verdict.sentence) == (state, sentence)
    assert (verdict.needed == "Add the missing prices.") == (state == State.NOT_ENOUGH)
    if state == State.NOT_ENOUGH:
        assert in_short(verdict, D(300)) == "Cost incomplete"


@pytest.mark.parametrize("limit", [None, "0"])
def test_without_a_budget_there_is_nothing_to_be_within(limit: str | None) -> None:
    none = month("12", ("10", "20", "30"), limit=limit)
    assert (none.state, none.sentence) == (State.NOT_ENOUGH, "November has no budget. Spent: $12.")


def test_a_month_too_close_to_call_says_what_would_decide_it() -> None:
    assert month("300", ("380", "395", "410")).needed == "The forecast narrows with each day."
    assert month("300", ("350", "360", "370")).needed == ""


@pytest.mark.parametrize(
    ("spent", "forecast", "limit", "words"),
    [
        ("401", ("401", "420", "440"), "400", "Over budget"),
        ("300", ("405", "420", "440"), "400", "Heading over budget"),
        ("300", ("380", "395", "410"), "400", "Close to budget"),
        ("300", ("350", "360", "370"), "400", "Within budget"),
        ("300", None, "400", "No forecast yet"),
        ("300", ("350", "360", "370"), None, "No budget"),
    ],
)
def test_a_subject_says_the_verdict_in_two_or_three_words(spent: str, forecast: Any, limit: Any, words: str) -> None:
    assert in_short(month(spent, forecast, limit), D(spent)) == words
