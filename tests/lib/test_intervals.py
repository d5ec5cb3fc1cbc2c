"""Intervals against published values and their own definition."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.confidence_intervals import Z, wilson


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)],
)
def test_wilson_gives_the_published_intervals(successes: int, total: int, low: float, high: float) -> None:
    interval = wilson(successes, total)
    assert interval is not None
    assert (float(interval.low), float(interval.high)) == pytest.approx((low, high), abs=1e-4)


def test_no_trial_has_no_interval() -> None:
    assert wilson(0, 0) is None


@given(st.integers(1, 5000), st.data())
def test_wilsons_ends_are_where_the_score_test_just_accepts(total: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, total))
    interval = wilson(successes, total)
    assert interval is not None
    share = Decimal(successes) / total
    assert 0 <= interval.low <= share <= interval.high <= 1
    for end in (interval.low, interval.high):
        if 0 < end < 1:
            assert abs(abs(share - end) - Z * (end * (1 - end) / total).sqrt()) < Decimal("1e-12")
