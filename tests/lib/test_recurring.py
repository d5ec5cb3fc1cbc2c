"""Windows that come again by a clock on the wall, across the nights on which clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lib.recurring_windows import STEPS, RecurringWindow, first_span, is_skipped, wall
from lib.time_spans import Span

clock = datetime.fromisoformat  # what it shows, in no zone
BERLIN = "Europe/Berlin"
SUNDAY = first_span(clock("2026-03-01 02:00"), clock("2026-03-01 04:00"), ZoneInfo(BERLIN))
WEEKLY = RecurringWindow(SUNDAY, "week", BERLIN)


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
    found = list(RecurringWindow(first, "day", zone).spans(utc(2026, 10, 31), utc(2026, 11, 4)))
    assert [f"{wall(span.start, ZoneInfo(zone)):%d %H:%M}" for span in found] == [
        "30 23:30", "31 23:30", "01 23:30", "02 23:30",
    ]  # fmt: skip
    assert [span.seconds / 3600 for span in found] == [1, 1, 1, 1]


def test_one_that_comes_once_is_over_after_it_and_its_last_day_cuts_one_that_comes_again() -> None:
    once = RecurringWindow(SUNDAY)
    assert once.at(SUNDAY.start) == SUNDAY
    assert once.ahead(SUNDAY.end) is None
    ended = RecurringWindow(SUNDAY, "week", BERLIN, until=utc(2026, 3, 8, 2))
    assert list(ended.spans(utc(2026, 1, 1), utc(2027, 1, 1))) == [SUNDAY, Span(utc(2026, 3, 8, 1), utc(2026, 3, 8, 2))]
    assert ended.ahead(utc(2026, 3, 8, 2)) is None


@given(
    start=st.datetimes(clock("2020-01-01"), clock("2030-01-01")).map(lambda at: at.replace(second=0, microsecond=0)),
    minutes=st.integers(1, 24 * 60 - 60),
    repeats=st.sampled_from(["day", "week"]),
    zone=st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]),
    later=st.integers(0, 400),
)
@example(clock("2020-02-01"), 1, "day", BERLIN, 238)
def test_windows_of_any_zone_come_in_order_never_overlap_and_are_found_from_anywhere(
    start: datetime, minutes: int, repeats: str, zone: str, later: int
) -> None:
    first = first_span(start, start + timedelta(minutes=minutes), ZoneInfo(zone))
    window, since = RecurringWindow(first, repeats, zone), first.start + timedelta(days=later)
    found = list(window.spans(since, since + timedelta(days=30)))
    # 29 where the clocks are put back within the thirty days: the last window then begins an hour later, at their end.
    assert len(found) in (range(29, 33) if repeats == "day" else range(4, 7))
    for span, following in pairwise(found):
        assert span.start < span.end <= following.start
        assert abs(following.start - span.start - STEPS[repeats]) <= timedelta(hours=1)
    for span in found:
        assert window.at(span.start) == span
        assert window.ahead(span.start) == span


NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("zone", "starts", "ends", "day", "moved"),
    [
        (NEW_YORK, "02:00", "03:00", (2020, 3, 8), ((7, 0), (8, 0))),  # as 03:00 to 04:00 in summer
        (NEW_YORK, "02:15", "02:45", (2026, 3, 8), ((7, 15), (7, 45))),
        (NEW_YORK, "02:30", "03:30", (2026, 3, 8), ((7, 0), (7, 30))),  # half of it exists
        (NEW_YORK, "01:30", "02:30", (2026, 3, 8), ((6, 30), (7, 30))),
        (BERLIN, "02:00", "03:00", (2027, 3, 28), ((1, 0), (2, 0))),
        ("Australia/Lord_Howe", "02:00", "02:30", (2026, 10, 3), ((15, 30), (16, 0))),  # half an hour forward
        ("Antarctica/Troll", "01:00", "03:00", (2026, 3, 29), ((1, 0), (3, 0))),  # two hours
    ],
)
def test_a_daily_window_that_a_clock_put_forward_swallows_is_moved_and_the_next_ones_come(
    zone: str, starts: str, ends: str, day: tuple[int, int, int], moved: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    first = first_span(clock(f"2020-01-25 {starts}"), clock(f"2020-01-25 {ends}"), ZoneInfo(zone))
    window = RecurringWindow(first, "day", zone)
    windows = list(window.spans(utc(*day), utc(*day) + timedelta(days=4)))
    assert Span(utc(*day, *moved[0]), utc(*day, *moved[1])) in windows
    assert len(windows) in (4, 5)
    assert all(f"{wall(span.start, ZoneInfo(zone)):%H:%M}" == starts for span in windows[2:])
    assert window.ahead(utc(*day) - timedelta(days=1)) is not None


@pytest.mark.parametrize(("day", "length"), [((2026, 3, 8), 1), ((2026, 11, 1), 2)])
def test_every_night_on_which_new_york_changes_its_clocks_has_its_window(
    day: tuple[int, int, int], length: int
) -> None:
    first = first_span(clock("2020-01-25 01:00"), clock("2020-01-25 02:00"), ZoneInfo(NEW_YORK))
    windows = list(RecurringWindow(first, "day", NEW_YORK).spans(utc(*day), utc(*day) + timedelta(days=1)))
    assert [span.seconds / 3600 for span in windows] == [length]


def test_a_window_told_in_utc_in_the_hour_that_comes_twice_keeps_its_length() -> None:
    first = Span(utc(2026, 11, 1, 5, 45), utc(2026, 11, 1, 6, 15))  # from 01:45 to 01:15, by the clock
    window = RecurringWindow(first, "day", NEW_YORK)
    following = Span(utc(2026, 11, 2, 6, 45), utc(2026, 11, 2, 7, 15))
    assert list(window.spans(first.start, first.start + timedelta(days=2))) == [first, following]


CHANGING = sorted(
    zone
    for zone in available_timezones()
    if len({ZoneInfo(zone).utcoffset(datetime(2026, month, 15)) for month in range(1, 13)}) > 1  # noqa: DTZ001 -- a clock
)


@given(
    zone=st.sampled_from(CHANGING),
    minute=st.integers(0, 24 * 60 - 1),
    lasts=st.integers(1, 3 * 60),
    repeats=st.sampled_from(["day", "week"]),
    began=st.integers(0, 7 * 365),
)
def test_in_every_zone_that_changes_its_clock_no_night_is_without_its_window(
    zone: str, minute: int, lasts: int, repeats: str, began: int
) -> None:
    start = clock("2019-01-01") + timedelta(days=began, minutes=minute)
    assume(not is_skipped(start, ZoneInfo(zone)))
    window = RecurringWindow(first_span(start, start + timedelta(minutes=lasts), ZoneInfo(zone)), repeats, zone)
    year = list(window.spans(utc(2026, 1, 1), utc(2027, 1, 1)))
    assert all(span.seconds for span in year)
    for span, following in pairwise(year):
        assert span.end <= following.start
        assert abs(following.start - span.start - STEPS[repeats]) <= timedelta(hours=2)
    for span in year:
        assert window.at(span.start) == window.at(span.end - timedelta(seconds=1)) == span
