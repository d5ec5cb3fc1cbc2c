"""What the calls of a step come to."""

from __future__ import annotations

import pytest

from traffic.trials.measure import Point, Timed, capacity_point, late_from, measure, nearest_rank


def call(offset: float, latency: float, tokens: int, ttft: float = 0.0, ok: bool = True) -> Timed:
    return Timed(ok, offset, ttft, latency, tokens)


def test_tokens_after_the_window_do_not_count() -> None:
    measured = measure([call(0, 1000, 100), call(500, 1000, 100)], seconds=1.0)
    assert measured.tokens_per_second == pytest.approx(150)
    assert measured.output_tokens == 200


def test_streams_that_never_pause_are_measured_at_their_rate_wherever_the_window_ends() -> None:
    for seconds in (3.0, 3.3, 4.9):
        calls = [call(start, 1000, 50) for start in range(0, int(seconds * 1000), 1000)]
        assert measure(calls, seconds).tokens_per_second == pytest.approx(50, rel=0.02)


def test_a_call_generates_from_its_first_token_on() -> None:
    assert measure([call(0, 1000, 100, ttft=500)], 0.75).tokens_per_second == pytest.approx(50 / 0.75)


def test_a_step_that_ended_before_its_first_token_has_a_lower_bound() -> None:
    assert measure([call(0, 2000, 100, ttft=900)], 0.5).tokens_per_second == pytest.approx(50)


def test_failed_calls_are_counted_and_have_no_part_in_the_times() -> None:
    measured = measure([call(0, 100, 10, ttft=20), call(0, 9000, 0, ok=False)], 1.0)
    assert (measured.requests, measured.errors, measured.latency_p95_ms, measured.ttft_p50_ms) == (2, 1, 100, 20)


def test_nothing_measured_is_unknown_and_not_zero() -> None:
    measured = measure([], 1.0)
    assert (measured.tokens_per_second, measured.ttft_p95_ms, measured.stream_tokens_per_second) == (None, None, None)


def test_the_rate_of_a_stream_is_that_after_its_first_token() -> None:
    assert measure([call(0, 1100, 101, ttft=100)], 2.0).stream_tokens_per_second == pytest.approx(100)


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.95, 4), (0.25, 1), (1.0, 4)])
def test_percentiles_are_nearest_ranks(share: float, value: float) -> None:
    assert nearest_rank([4, 1, 3, 2], share) == value
    assert nearest_rank([], share) is None


def point(concurrency: int, speed: float | None, ttft: float | None, errors: int = 0) -> Point:
    return Point(concurrency, 100, errors, speed, ttft)


def test_capacity_is_the_highest_throughput_whose_first_token_comes_in_time() -> None:
    points = [point(1, 80, 100), point(4, 250, 300), point(8, 400, 700)]
    assert capacity_point(points) == points[1]
    assert capacity_point([point(1, 80, 600), point(2, 90, 900)]) == point(2, 90, 900), "none is in time"
    assert capacity_point([point(1, 80, 100), point(2, 150, 100, errors=6)]) == point(1, 80, 100)
    assert capacity_point([point(1, None, None)]) is None


def test_where_the_first_token_passes_half_a_second_lies_between_two_steps() -> None:
    assert late_from([point(4, 1, 300), point(8, 1, 700), point(1, 1, 100)]) == pytest.approx(6)
    assert late_from([point(1, 1, 600), point(2, 1, 700)]) == 1
    assert late_from([point(1, 1, 100)]) is None
