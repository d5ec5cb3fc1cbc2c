"""The four states of a verdict at their borders, and what would decide it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from costs.verdicts.amounts import about_requests
from costs.verdicts.serving import serving
from costs.verdicts.verdict import (
    MARKS,
    MOST_RATINGS,
    WORDS,
    Side,
    State,
    Verdict,
    as_json,
    compare,
    ratings_to_decide,
    sample_to_decide,
)
from lib.confidence_intervals import Interval, wilson

D = Decimal


@pytest.mark.parametrize(
    ("side", "low", "high", "state"),
    [
        ("above", "100.01", "140", State.MET),
        ("above", "100", "140", State.TOO_CLOSE),
        ("above", "-74", "534", State.TOO_CLOSE),
        ("above", "0", "100", State.NOT_MET),
        ("above", "-90", "-20", State.NOT_MET),
        ("above", "0", "0", State.NOT_MET),
        ("at_least", "100", "140", State.MET),
        ("at_least", "99.99", "100", State.TOO_CLOSE),
        ("at_least", "50", "99.99", State.NOT_MET),
        ("below", "0", "99.99", State.MET),
        ("below", "0", "100", State.TOO_CLOSE),
        ("below", "100", "140", State.NOT_MET),
        ("below", "-140", "-100", State.MET),
    ],
)
def test_a_state_goes_as_far_as_its_interval(side: Side, low: str, high: str, state: State) -> None:
    assert compare(Interval(D(low), D(high)), D(100), side) == state


def test_without_an_interval_there_is_no_verdict() -> None:
    assert compare(None, D(100), "above") == State.NOT_ENOUGH


def test_each_state_has_a_mark_a_word_and_says_whether_it_holds() -> None:
    assert set(MARKS) == set(WORDS) == set(State)
    held = {state: Verdict("go", state, "").holds for state in State}
    assert held == {State.MET: True, State.NOT_MET: False, State.TOO_CLOSE: None, State.NOT_ENOUGH: None}


def test_the_chip_names_the_question_and_the_state() -> None:
    chip = Verdict("saving", State.TOO_CLOSE, "").state_mark()
    assert chip == ('<span class="state warn" data-question="saving" data-state="too_close">Too close to call</span>')
    recorded = Verdict("go", State.MET, "", scope="decision <3>")
    assert ' data-question="go" data-scope="decision &lt;3&gt;" data-state="met">' in recorded.state_mark()
    aside = Verdict("saving", State.NOT_MET, "", set_aside=True)
    assert 'class="state info"' in aside.state_mark() and "Set aside" in aside.state_mark()
    assert 'data-state="not_met"' in aside.state_mark()


def test_money_is_written_as_text_and_the_rest_as_numbers() -> None:
    money = as_json(Verdict("saving", State.MET, "S.", D("1.50"), D(1), Interval(D("-0.5"), D(3)), 7, "b", "n"))
    assert (money["value"], money["threshold"], money["interval"]) == ("1.50", "1", ["-0.5", "3"])
    share = as_json(Verdict("quality", State.NOT_ENOUGH, "S.", D("0.5")))
    assert (share["value"], share["interval"], share["state"]) == (0.5, None, "not_enough_data")


@pytest.mark.parametrize(
    ("value", "threshold", "low", "high", "sample", "enough"),
    [
        (200, 100, 0, 400, 10, 40),  # half the width twice as far as the limit: four times the days
        (50, 100, 0, 150, 10, 40),  # on the other side the upper half counts
        (100, 100, 0, 400, 10, None),  # the value is the limit itself
        (-50, 0, -150, 50, 10, 40),
        (200, 100, 150, 250, 10, 10),  # decided already
    ],
)
def test_an_interval_narrows_with_the_root_of_its_sample(
    value: int, threshold: int, low: int, high: int, sample: int, enough: int | None
) -> None:
    assert sample_to_decide(D(value), D(threshold), Interval(D(low), D(high)), sample) == enough


def decided(share: Decimal, n: int, threshold: Decimal) -> bool:
    state = compare(wilson(int((share * n).to_integral_value()), n), threshold, "at_least")
    return state in (State.MET, State.NOT_MET)


@given(st.integers(1, 60), st.data())
@example(30, None)
def test_the_ratings_that_decide_are_those_that_trying_each_number_gives(
    ratings: int, data: st.DataObject | None
) -> None:
    """Rounding the acceptable ones to whole ratings makes the border uneven by a few ratings, never by more."""
    acceptable = data.draw(st.integers(0, ratings)) if data else 24
    enough, share = ratings_to_decide(acceptable, ratings, D("0.7")), D(acceptable) / ratings
    if enough is None:
        assert not decided(share, MOST_RATINGS, D("0.7"))
        return
    assert decided(share, enough, D("0.7"))
    assert enough == ratings or not decided(share, enough - 1, D("0.7"))
    first = next(n for n in range(ratings, MOST_RATINGS + 1) if decided(share, n, D("0.7")))
    assert first <= enough <= first * D("1.25") + 5


def test_more_ratings_do_not_decide_a_share_that_is_the_limit() -> None:
    assert ratings_to_decide(21, 30, D("0.7")) is None
    assert ratings_to_decide(0, 0, D("0.7")) is None


# Whether everything is up.


@pytest.mark.parametrize(
    ("total", "up", "down", "checked", "state", "sentence"),
    [
        (0, 0, [], True, State.NOT_ENOUGH, "No deployment is set up, so nothing is checked."),
        (1, 1, [], True, State.MET, "The one deployment is up."),
        (3, 3, [], True, State.MET, "All 3 deployments are up."),
        (3, 2, ["A"], True, State.NOT_MET, "A is down. 2 of 3 deployments are up."),
        (3, 1, ["A", "B"], True, State.NOT_MET, "2 of 3 deployments are down: A, B."),
        (3, 3, [], False, State.NOT_ENOUGH, "No check has run lately."),
        (3, 2, [], True, State.NOT_ENOUGH, "2 of 3 deployments are up. The state of the others is unknown."),
    ],
)
def test_everything_is_up_only_where_all_of_it_is_known_to_be(
    total: int, up: int, down: list[str], checked: bool, state: State, sentence: str
) -> None:
    verdict = serving(total, up, down, checked=checked)
    assert (verdict.question, verdict.state, verdict.sentence) == ("up", state, sentence)


@pytest.mark.parametrize(
    ("volume", "ends", "words"),
    [
        (88_123, (61_234, 139_999), "about 88,100 (61,200 to 140,000)"),
        (88_123, (61_234, None), "about 88,100 (61,200 or more)"),
        (88_123, (61_234, 61_234 * 21), "about 88,100 (61,200 or more)"),
        (88_123, None, "about 88,100"),
        (88_123, (None, None), "about 88,100"),
        (None, (61_234, None), "61,200 or more"),
        (None, (None, None), ""),
    ],
)
def test_a_volume_stands_with_its_interval(
    volume: int | None, ends: tuple[int | None, int | None] | None, words: str
) -> None:
    assert about_requests(volume, ends) == words
