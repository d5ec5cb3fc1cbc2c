"""The statistics of comparisons are what published worked examples state, and what a search by hand gives."""

from __future__ import annotations

from math import comb, exp, log, sqrt

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from traffic.comparisons.statistics import (
    MARGIN,
    MOST_PAIRS,
    Difference,
    Z,
    bradley_terry,
    more_needed,
    paired_difference,
    sign_test,
    verdict_of,
)

tables = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60)).filter(any)


def test_the_interval_of_a_published_example() -> None:
    """Fagerland, Lydersen and Laake, Statistics in Medicine 33 (2014), 2850-2875: Tango's interval of a trial."""
    # Airway hyper-responsiveness before and after transplantation (Bentur 2009): 1, 1, 7, 12 of 21 children.
    airway = paired_difference(1, 7, 21)
    assert [round(value, 3) for value in (airway.low, airway.middle, airway.high)] == [-0.517, -0.286, -0.026]


def test_mcnemars_exact_test_of_published_examples() -> None:
    """The same article, with complete response before and after consolidation therapy (Cavo 2012): 6 against 16."""
    assert sign_test(1, 7) == pytest.approx(0.0703, abs=0.00005)
    assert sign_test(6, 16) == pytest.approx(0.0525, abs=0.00005)


def test_few_ties_are_not_certain() -> None:
    """Without a pair won or lost the ends are z²/(n + z²), where the plain interval would have no width at all."""
    for n in (1, 5, 73, 74):
        difference = paired_difference(0, 0, n)
        assert difference.high == pytest.approx(Z**2 / (n + Z**2)) and difference.low == pytest.approx(-difference.high)
    assert (
        verdict_of(paired_difference(0, 0, 73)) == "not_worse" and verdict_of(paired_difference(0, 0, 72)) == "not_yet"
    )
    assert more_needed(0, 0, 5) == 68


@given(tables)
def test_the_interval_is_where_the_score_statistic_is_below_z(table: tuple[int, int, int]) -> None:
    """The likelihood of a true difference is maximised by a search over the shares, without Tango's closed form."""
    wins, losses, ties = table
    n = wins + losses + ties
    difference = paired_difference(wins, losses, n)
    assert -1 <= difference.low <= difference.middle <= difference.high <= 1

    def statistic(delta: float) -> float:
        def likelihood(lost: float) -> float:
            shares = ((wins, lost + delta), (losses, lost), (ties, 1 - 2 * lost - delta))
            return sum(count * log(share) if share > 0 else (-1e9 if count else 0.0) for count, share in shares)

        low, high = max(0.0, -delta), (1 - delta) / 2
        for _ in range(200):  # the likelihood has one peak
            third = (high - low) / 3
            a, b = low + third, high - third
            low, high = (a, high) if likelihood(a) < likelihood(b) else (low, b)
        lost = (low + high) / 2
        variance = n * (2 * lost + delta - delta**2)
        return abs(wins - losses - n * delta) / sqrt(variance) if variance > 1e-9 else 0.0

    for end, outside in ((difference.low, -0.01), (difference.high, 0.01)):
        if -0.98 < end < 0.98:
            assert statistic(end) == pytest.approx(Z, rel=0.02)
            assert statistic(end + outside) > Z > statistic(end - outside) or abs(end - difference.middle) < 0.01


@given(tables)
def test_the_other_side_has_the_mirrored_interval(table: tuple[int, int, int]) -> None:
    wins, losses, ties = table
    ours, theirs = (paired_difference(*pair, wins + losses + ties) for pair in ((wins, losses), (losses, wins)))
    assert (ours.low, ours.middle, ours.high) == pytest.approx((-theirs.high, -theirs.middle, -theirs.low))


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_sign_test_counts_the_outcomes_that_are_as_uneven(wins: int, losses: int) -> None:
    n = wins + losses
    as_uneven = sum(comb(n, k) for k in range(n + 1) if abs(2 * k - n) >= abs(wins - losses))
    assert sign_test(wins, losses) == pytest.approx(as_uneven / 2**n)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.2, "better"),
        (-0.04, 0.1, "not_worse"),
        (-0.04, -0.01, "not_worse"),
        (-0.2, -0.06, "worse"),
        (-0.2, -0.04, "not_yet"),
        (-0.2, 0.2, "not_yet"),
        (-MARGIN, 0.2, "not_yet"),
    ],
)
def test_a_verdict_never_goes_further_than_its_interval(low: float, high: float, verdict: str) -> None:
    assert verdict_of(Difference(low, (low + high) / 2, high)) == verdict
    assert verdict_of(None) == "not_yet"


@settings(max_examples=60)
@given(tables)
def test_as_many_more_pairs_as_are_needed_decide_and_one_fewer_does_not(table: tuple[int, int, int]) -> None:
    wins, losses, ties = table
    n = wins + losses + ties
    more = more_needed(wins, losses, n)

    def verdict(pairs: int) -> str:
        return verdict_of(paired_difference(wins * (pairs / n), losses * (pairs / n), pairs))

    if more is None:
        assert verdict(MOST_PAIRS) == "not_yet"
    else:
        assert verdict(n + more) != "not_yet"
        assert more == 0 or verdict(n + more - 1) == "not_yet"


def test_what_cannot_be_is_refused() -> None:
    for wins, losses, pairs in ((0, 0, 0), (2, 2, 3), (-1, 0, 3)):
        with pytest.raises(ValueError, match="won and"):
            paired_difference(wins, losses, pairs)
    assert more_needed(0, 0, 0) is None


TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
WON = (
    (0, 7, 9, 7, 7, 9, 11),
    (6, 0, 7, 5, 11, 9, 9),
    (4, 6, 0, 7, 7, 8, 12),
    (6, 8, 6, 0, 6, 7, 10),
    (6, 2, 6, 7, 0, 7, 12),
    (4, 4, 5, 6, 6, 0, 6),
    (2, 4, 1, 3, 1, 7, 0),
)


def test_strengths_of_the_published_baseball_season() -> None:
    """American League East 1987 (Agresti, Categorical Data Analysis), as fitted by Turner and Firth, "Bradley-Terry
    Models in R: The BradleyTerry2 Package", Journal of Statistical Software 48 (2012), without the home advantage."""
    wins = {(a, b): n for a, row in zip(TEAMS, WON, strict=True) for b, n in zip(TEAMS, row, strict=True)}
    strengths = bradley_terry(wins)
    assert strengths is not None and tuple(row.name for row in strengths) == TEAMS
    last = strengths[-1].middle
    published = (1.5814, 1.4364, 1.2945, 1.2476, 1.1077, 0.6839, 0)
    assert [row.middle - last for row in strengths] == pytest.approx(published, abs=0.0001)
    assert sum(row.middle for row in strengths) == pytest.approx(0)


def test_two_sides_have_the_logarithm_of_their_odds() -> None:
    """For two the model has a closed form: log odds, with the variance 1/won + 1/lost of their difference."""
    strengths = bradley_terry({("a", "b"): 30, ("b", "a"): 10})
    assert strengths is not None
    best, other = strengths
    assert best.middle - other.middle == pytest.approx(log(3))
    assert 2 * (best.high - best.middle) == pytest.approx(Z * sqrt(1 / 30 + 1 / 10))


def test_no_strength_is_invented_where_none_is_finite() -> None:
    assert bradley_terry({}) is None
    assert bradley_terry({("a", "b"): 5}) is None  # a never lost
    assert bradley_terry({("a", "b"): 1, ("b", "a"): 1, ("c", "d"): 1, ("d", "c"): 1}) is None  # never compared


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 8), min_size=6, max_size=6))
def test_the_strengths_make_the_results_likeliest(counts: list[int]) -> None:
    names = ("a", "b", "c")
    wins = dict(zip([(a, b) for a in names for b in names if a != b], counts, strict=True))
    strengths = bradley_terry(wins)
    assume(strengths is not None)
    assert strengths is not None
    at = {row.name: row.middle for row in strengths}

    def likelihood(of: dict[str, float]) -> float:
        return sum(n * (of[a] - log(exp(of[a]) + exp(of[b]))) for (a, b), n in wins.items())

    for name in names:
        for step in (-0.05, 0.05):
            assert likelihood({**at, name: at[name] + step}) <= likelihood(at) + 1e-9
