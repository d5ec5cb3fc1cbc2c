"""From checks to outages, and from outages to uptime."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lib.time_spans import Span, merged, overlap_s, without
from providers.uptime.checks import (
    STARTING_LIMIT,
    CheckPolicy,
    Closed,
    Event,
    Health,
    Opened,
    Probe,
    WatchedSpan,
    advance,
    down_s,
    uptime,
    watched_since,
)

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
EVERY = timedelta(seconds=30)
POLICY = CheckPolicy(every=EVERY)


def at(n: float) -> datetime:
    """The time of the n-th check."""
    return START + n * EVERY


def run(marks: str, policy: CheckPolicy = POLICY, health: Health | None = None) -> tuple[Health, list[Event]]:
    """Checks written as marks: `u` up, `d` down, `s` starting, `m` down in maintenance, `.` no check."""
    health, events = health or Health(), []
    for n, mark in enumerate(marks):
        if mark == ".":
            continue
        state = {"u": "up", "d": "down", "s": "starting", "m": "down"}[mark]
        probe = Probe(at(n), state, "Nothing listens there." if state == "down" else "")  # type: ignore[arg-type]
        health, event = advance(health, probe, policy, in_maintenance=mark == "m")
        events += [event] if event else []
    return health, events


def test_three_failures_confirm_an_outage_that_began_with_the_first() -> None:
    health, events = run("uuddd")
    assert events == [Opened(started_at=at(2), confirmed_at=at(4), cause="Nothing listens there.")]
    assert (health.state, health.state_since, health.outage_open) == ("down", at(2), True)


def test_two_failures_are_no_outage() -> None:
    health, events = run("uudduudd")
    assert events == []
    assert (health.state, health.streak, health.streak_since) == ("up", 2, at(6))


def test_two_successes_end_an_outage_at_the_first_of_them() -> None:
    health, events = run("dddduu")
    assert events[1:] == [Closed(ended_at=at(4))]
    assert (health.state, health.state_since, health.outage_open) == ("up", at(4), False)


def test_one_success_in_an_outage_does_not_end_it() -> None:
    health, events = run("dddudud")
    assert len(events) == 1
    assert health.state == "down"


def test_a_deployment_that_never_answered_is_unknown_until_confirmed() -> None:
    assert run("dd")[0].state == "unknown"
    assert run("u")[0].state == "up"


def test_the_counts_are_the_deployments_own() -> None:
    policy = CheckPolicy(failures_to_confirm=1, successes_to_recover=1, every=EVERY)
    assert run("udu", policy)[1] == [Opened(at(1), at(1), "Nothing listens there."), Closed(at(2))]


def test_loading_is_neither_up_nor_an_outage() -> None:
    health, events = run("uu" + "s" * 10)
    assert events == []
    assert (health.state, health.state_since) == ("starting", at(2))
    assert run("uusu")[0].state_since == at(3)


def test_loading_after_an_outage_does_not_end_it() -> None:
    health, events = run("dddss")
    assert (health.state, len(events)) == ("down", 1)
    assert run("dddssuu")[1][1] == Closed(at(5))


def test_loading_for_ever_is_an_outage() -> None:
    enough = int(STARTING_LIMIT / EVERY) + 4
    health, events = run("s" * enough)
    assert health.state == "down"
    assert len(events) == 1


def test_loading_between_failures_does_not_break_the_streak() -> None:
    assert run("ddsd")[1] == [Opened(at(0), at(3), "Nothing listens there.")]


def test_failures_in_maintenance_do_not_count() -> None:
    health, events = run("uu" + "m" * 10)
    assert events == []
    assert (health.state, health.state_since) == ("maintenance", at(2))
    assert run("ddmmd")[1] == []


def test_an_outage_outlasts_a_maintenance_window() -> None:
    health, events = run("dddmmd")
    assert len(events) == 1
    assert health.state == "down"
    assert run("dddmmuu")[1][1] == Closed(at(5))


def test_a_failure_after_maintenance_is_not_confirmed_by_those_inside() -> None:
    health, _ = run("umd")
    assert health.state == "unknown"


def test_a_check_from_the_past_changes_nothing() -> None:
    health, _ = run("uuu")
    assert advance(health, Probe(at(1), "down", "late"), POLICY) == (health, None)


def test_a_gap_without_checks_breaks_the_streak() -> None:
    health, events = run("dd" + "." * 20 + "d")
    assert events == []
    assert (health.streak, health.streak_since) == (1, at(22))


def by_definition(oks: Sequence[bool], confirm: int, recover: int) -> list[tuple[int, int | None]]:
    """Outages as (first failed check, first good one), by looking ahead instead of counting."""
    outages: list[tuple[int, int | None]] = []
    n = 0
    while n < len(oks):
        if not oks[n] and oks[n : n + confirm] == [False] * confirm:
            good = (k for k in range(n + confirm, len(oks)) if oks[k : k + recover] == [True] * recover)
            end = next(good, None)
            outages.append((n, end))
            if end is None:
                break
            n = end
        n += 1
    return outages


@given(st.lists(st.booleans(), max_size=80), st.integers(1, 5), st.integers(1, 4))
def test_outages_are_what_the_definition_says(oks: list[bool], confirm: int, recover: int) -> None:
    policy = CheckPolicy(confirm, recover, EVERY)
    health, events = run("".join("u" if ok else "d" for ok in oks), policy)
    starts = [event.started_at for event in events if isinstance(event, Opened)]
    ends: list[datetime | None] = [event.ended_at for event in events if isinstance(event, Closed)]
    if len(ends) < len(starts):
        ends.append(None)
    expected = by_definition(oks, confirm, recover)
    assert list(zip(starts, ends, strict=True)) == [(at(s), None if e is None else at(e)) for s, e in expected]
    assert health.outage_open == bool(expected and expected[-1][1] is None)


@given(st.text("udsm.", max_size=80))
def test_outages_open_and_close_in_turn_and_in_order(marks: str) -> None:
    health, events = run(marks)
    assert [isinstance(event, Opened) for event in events] == [n % 2 == 0 for n in range(len(events))]
    times = [event.started_at if isinstance(event, Opened) else event.ended_at for event in events]
    assert times == sorted(times)
    assert health.outage_open == (len(events) % 2 == 1)
    assert not (health.state == "up" and health.outage_open)


@given(st.text("uds", max_size=60), st.integers(0, 60))
def test_sending_a_check_twice_changes_nothing(marks: str, again: int) -> None:
    health, events = run(marks)
    if marks:
        twice = Probe(at(min(again, len(marks) - 1)), "down", "again")
        assert advance(health, twice, POLICY) == (health, None)
    assert run(marks)[1] == events


# Uptime.


def span(start: float, end: float) -> Span:
    """Minutes after the start."""
    return Span(START + timedelta(minutes=start), START + timedelta(minutes=end))


def whole(start: float, end: float) -> WatchedSpan:
    return WatchedSpan(span(start, end), span(start, end).seconds)


def test_uptime_is_one_less_the_share_of_outage() -> None:
    assert uptime([span(10, 16)], [whole(0, 60)]) == 0.9


def test_uptime_of_nothing_observed_is_unknown() -> None:
    assert uptime([], []) is None
    assert uptime([span(0, 1)], [WatchedSpan(span(0, 60), 0.0)]) is None


def test_an_outage_counts_only_while_somebody_watched() -> None:
    assert uptime([span(0, 120)], [whole(0, 60), WatchedSpan(span(60, 120), 0.0)]) == 0.0
    assert down_s([span(50, 70)], [whole(0, 60)]) == 600


def test_maintenance_is_taken_out_of_an_outage() -> None:
    watched = [WatchedSpan(span(0, 60), 50 * 60)]
    assert uptime([span(0, 20)], watched, [span(10, 20)]) == 0.8


def test_a_watch_counts_the_time_between_two_checks() -> None:
    assert watched_since(None, at(1), POLICY, []) == []
    assert watched_since(at(0), at(1), POLICY, []) == [Span(at(0), at(1))]
    assert watched_since(at(0), at(500), POLICY, []) == []
    assert watched_since(at(0), at(2), POLICY, [Span(at(1), at(2))]) == [Span(at(0), at(1))]


spans = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 40)).map(lambda p: span(p[0], p[0] + p[1])), max_size=8)


@given(spans, spans)
def test_spans_less_holes_are_the_minutes_that_remain(some: list[Span], holes: list[Span]) -> None:
    def minutes(of: list[Span]) -> set[int]:
        return {m for s in of for m in range(300) if s.start <= START + timedelta(minutes=m) < s.end}

    left = without(some, holes)
    assert minutes(left) == minutes(some) - minutes(holes)
    assert left == merged(left)
    assert sum(s.seconds for s in left) == 60 * len(minutes(left))
    assert overlap_s(left, span(0, 300)) == sum(s.seconds for s in left)


@given(spans, spans)
def test_uptime_lies_between_none_and_all(outages: list[Span], maintenance: list[Span]) -> None:
    watched = [WatchedSpan(span(h * 60, h * 60 + 60), 3600.0) for h in range(4)]
    share = uptime(outages, watched, maintenance)
    assert share is not None
    assert 0 <= share <= 1
    # More maintenance never makes it worse: what is excluded is no failure.
    assert share >= (uptime(outages, watched) or 0) - 1e-9


@given(spans)
def test_uptime_of_hours_adds_up_to_the_uptime_of_the_whole(outages: list[Span]) -> None:
    hours = [whole(h * 60, h * 60 + 60) for h in range(4)]
    assert abs(down_s(outages, hours) - down_s(outages, [whole(0, 240)])) < 1e-6
