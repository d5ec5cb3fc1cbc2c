"""Agreement is what published worked examples state, and what a plain calculation and another library give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from itertools import permutations
from statistics import stdev
from typing import get_args

import krippendorff
import pytest
from hypothesis import given
from hypothesis import strategies as st

from traffic.quality.agreement import Level, cohen_kappa, fleiss_kappa, krippendorff_alpha, rater_bias

# Four observers and twelve units; Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C and D.
OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
UNITS = [
    [int(value) for value in unit if value != "."] for unit in zip(*(row.split() for row in OBSERVERS), strict=True)
]


def alpha(units: list[list[int]], level: Level) -> float | None:
    return krippendorff_alpha([(Counter(unit), 1) for unit in units], level)


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_the_published_example(level: Level, published: float) -> None:
    assert alpha(UNITS, level) == pytest.approx(published, abs=0.0005)


def test_alpha_of_two_observers_and_binary_data() -> None:
    # Krippendorff (2011), section A: ten units, alpha = 0.095.
    first, second = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    units = [list(pair) for pair in zip(first, second, strict=True)]
    assert alpha(units, "nominal") == pytest.approx(0.095, abs=0.0005)


judged = st.lists(st.lists(st.integers(1, 5), max_size=4), max_size=15)


@given(judged, st.sampled_from(get_args(Level)))
def test_alpha_is_what_pairs_of_values_add_up_to(units: list[list[int]], level: Level) -> None:
    """By the definition: the mean squared difference inside units over that among all values."""
    several = [unit for unit in units if len(unit) > 1]
    values = [value for unit in several for value in unit]
    totals = Counter(values)

    def apart(a: int, b: int) -> float:
        low, high = sorted((a, b))
        between = sum(count for value, count in totals.items() if low <= value <= high)
        ordinal = (between - (totals[a] + totals[b]) / 2) if a != b else 0.0
        return {"nominal": float(a != b), "ordinal": float(ordinal), "interval": float(a - b)}[level] ** 2

    inside = sum(sum(apart(a, b) for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in several)
    among = sum(apart(a, b) for a, b in permutations(values, 2))
    result = alpha(units, level)
    if not among:
        assert result is None
    else:
        n = len(values)
        assert result == pytest.approx(1 - (inside / n) / (among / (n * (n - 1))))


@given(judged, st.sampled_from(get_args(Level)))
def test_alpha_is_what_the_package_krippendorff_gives(units: list[list[int]], level: Level) -> None:
    several = [unit for unit in units if len(unit) > 1]
    if len({value for unit in several for value in unit}) < 2:
        assert alpha(units, level) is None
        return
    counts = [[unit.count(value) for value in range(1, 6)] for unit in units if unit]
    expected = krippendorff.alpha(value_counts=counts, value_domain=[1, 2, 3, 4, 5], level_of_measurement=level)
    assert alpha(units, level) == pytest.approx(expected)


def test_many_units_alike_are_the_same_as_each_alone() -> None:
    counted = Counter(tuple(sorted(unit)) for unit in UNITS * 3)
    together = krippendorff_alpha([(Counter(unit), times) for unit, times in counted.items()], "ordinal")
    assert together == pytest.approx(alpha(UNITS * 3, "ordinal"))


def test_cohens_kappa_of_published_tables() -> None:
    # Artstein and Poesio, "Inter-Coder Agreement for Computational Linguistics" (2008), table 1: kappa = 0.348.
    table = {("stat", "stat"): 20, ("stat", "ireq"): 20, ("ireq", "stat"): 10, ("ireq", "ireq"): 50}
    choices = [pair for pair, times in table.items() for _ in range(times)]
    assert cohen_kappa(choices) == pytest.approx(0.348, abs=0.0005)
    # Table 2 of the same article: three categories, kappa = 0.8013.
    table = {("s", "s"): 46, ("s", "i"): 0, ("i", "s"): 6, ("i", "i"): 32, ("i", "c"): 6, ("c", "c"): 10}
    choices = [pair for pair, times in table.items() for _ in range(times)]
    assert cohen_kappa(choices) == pytest.approx(0.8013, abs=0.0001)
    assert cohen_kappa([]) is None and cohen_kappa([("a", "a")] * 3) is None


def test_fleiss_kappa_of_a_published_table() -> None:
    # The worked example of Wikipedia's article on Fleiss' kappa: fourteen raters, ten units, kappa = 0.210.
    table = (
        "0 0 0 0 14", "0 2 6 4 2", "0 0 3 5 6", "0 3 9 2 0", "2 2 8 1 1",
        "7 7 0 0 0", "3 2 6 3 0", "2 5 3 2 2", "6 5 2 1 0", "0 2 2 3 7",
    )  # fmt: skip
    units: list[dict[Hashable, int]] = [dict(enumerate(map(int, row.split()))) for row in table]
    assert fleiss_kappa(units) == pytest.approx(0.210, abs=0.0005)
    assert fleiss_kappa([]) is None and fleiss_kappa([{"a": 1}]) is None and fleiss_kappa([{"a": 2}]) is None
    with pytest.raises(ValueError, match="same number"):
        fleiss_kappa([{"a": 2}, {"a": 3}])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30))
def test_two_raters_who_swap_units_have_fleiss_kappa(choices: list[tuple[str, str]]) -> None:
    """Where both raters have the same shares, both kappas are the same."""
    both = choices + [(b, a) for a, b in choices]
    fleiss = fleiss_kappa([Counter(pair) for pair in both])
    cohen = cohen_kappa(both)
    assert (cohen is None) == (fleiss is None) and (cohen is None or cohen == pytest.approx(fleiss))


def test_a_strict_rater_has_a_bias_with_its_interval() -> None:
    apart = [2 - 3.5, 3 - 4.0, 1 - 2.0, 2 - 4.0]  # of the mean of the others
    bias = rater_bias(len(apart), sum(apart), sum(value**2 for value in apart))
    assert bias is not None and bias.units == 4 and bias.middle == pytest.approx(-1.375)
    half = 1.959964 * stdev(apart) / 2
    assert bias.low == pytest.approx(-1.375 - half) and bias.high == pytest.approx(-1.375 + half) and bias.is_real
    assert rater_bias(1, -1.0, 1.0) is None
