"""Windows that come again by a clock on the wall, across the nights on which clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.checks import Span
from providers.recurring import STEPS, Course, first_span, wall

clock = datetime.fromisoformat  # what it shows, in no zone
BERLIN = "Europe/Berlin"
SUNDAY = first_span(clock("2026-03-01 02:00"), clock("2026-03-01 04:00"), ZoneInfo(BERLIN))
WEEKLY = Course(SUNDAY, "week", BERLIN)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]  # year, month, day, hour, minute


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        ((2026, 3, 22), (1, 0), (3, 0)),  # winter: UTC+1
        ((2026, 3, 29), (1, 0), (2, 0)),  # 02:00 to 03:00 does not exist
        ((2026, 4, 5), (0, 0), (2, 0)),  # summer: UTC+2
        ((2026, 10, 25), (0, 0), (3, 0)),  # 02:00 to 03:00 comes twice
        ((2026, 11, 1), (1, 0), (3, 0)),
    ],
)
def test_every_sunday_from_two_to_four_in_berlin(
    day: tuple[int, int, int], start: tuple[int, int], end: tuple[int, int]
) -> None:
    window = Span(utc(*day, *start), utc(*day, *end))
    assert list(WEEKLY.spans(utc(*day), utc(*day) + timedelta(days=1))) == [window]
    assert WEEKLY.at(window.start) == window == WEEKLY.at(window.end - timedelta(seconds=1))
    assert WEEKLY.at(window.start - timedelta(seconds=1)) is None is WEEKLY.at(window.end)
    assert WEEKLY.ahead(window.end).start > window.end  # type: ignore[union-attr]  # it has no end


def test_a_daily_window_past_midnight_in_new_york_keeps_its_hours() -> None:
    zone = "America/New_York"
    first = first_span(clock("2026-10-30 23:30"), clock("2026-10-31 00:30"), ZoneInfo(zone))
    found = list(Course(first, "day", zone).spans(utc(2026, 10, 31), utc(2026, 11, 4)))
    assert [f"{wall(span.start, ZoneInfo(zone)):%d %H:%M}" for span in found] == [
        "30 23:30", "31 23:30", "01 23:30", "02 23:30",
    ]  # fmt: skip
    assert [span.seconds / 3600 for span in found] == [1, 1, 1, 1]


def test_one_that_comes_once_is_over_after_it_and_its_last_day_cuts_one_that_comes_again() -> None:
    once = Course(SUNDAY)
    assert once.at(SUNDAY.start) == SUNDAY
    assert once.ahead(SUNDAY.end) is None
    ended = Course(SUNDAY, "week", BERLIN, until=utc(2026, 3, 8, 2))
    assert list(ended.spans(utc(2026, 1, 1), utc(2027, 1, 1))) == [SUNDAY, Span(utc(2026, 3, 8, 1), utc(2026, 3, 8, 2))]
    assert ended.ahead(utc(2026, 3, 8, 2)) is None


@given(
    start=st.datetimes(clock("2020-01-01"), clock("2030-01-01")).map(lambda at: at.replace(second=0, microsecond=0)),
    minutes=st.integers(1, 24 * 60 - 60),
    repeats=st.sampled_from(["day", "week"]),
    zone=st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]),
    later=st.integers(0, 400),
)
def test_windows_of_any_zone_come_in_order_never_overlap_and_are_found_from_anywhere(
    start: datetime, minutes: int, repeats: str, zone: str, later: int
) -> None:
    first = first_span(start, start + timedelta(minutes=minutes), ZoneInfo(zone))
    course, since = Course(first, repeats, zone), first.start + timedelta(days=later)
    found = list(course.spans(since, since + timedelta(days=30)))
    assert len(found) in (range(30, 33) if repeats == "day" else range(4, 7))
    for one, following in pairwise(found):
        assert one.start < one.end <= following.start
        assert abs(following.start - one.start - STEPS[repeats]) <= timedelta(hours=1)
    for span in found:
        assert course.at(span.start) == span
        assert course.ahead(span.start) == span
