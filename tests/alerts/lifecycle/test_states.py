"""Properties of the state machine, over random orders of looks, silences and people's steps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.lifecycle import states
from alerts.lifecycle.states import (
    GONE,
    Cause,
    Move,
    NotPossible,
    Observation,
    Policy,
    State,
    Status,
    Step,
    damped,
    step,
)

START = datetime(2026, 11, 24, tzinfo=UTC)
LEVELS = (50, 75, 90, 100)
BAND = 2


def sight_of(value: float) -> Observation:
    """A budget's share in per cent, as the budget rule sees it."""
    level = max((one for one in LEVELS if value >= one), default=0)
    held = max((one for one in LEVELS if value >= one - BAND), default=0)
    return Observation(crossed=level > 0, clear=held == 0, level=level, sustained_level=held)


@st.composite
def schedules(draw: st.DrawFn) -> list[tuple[float, float, bool]]:
    """Looks: seconds since the one before, the value seen, whether a silence covers it."""
    one = st.tuples(
        st.sampled_from([1.0, 15.0, 60.0, 600.0]),
        st.floats(0, 130).map(lambda value: round(value, 1)),
        st.sampled_from([False, False, False, True]),
    )
    return draw(st.lists(one, min_size=1, max_size=40))


policies = st.builds(
    Policy,
    open_after=st.sampled_from([timedelta(0), timedelta(seconds=60)]),
    clear_after=st.sampled_from([timedelta(0), timedelta(seconds=60)]),
    escalate_after=st.sampled_from([None, timedelta(minutes=5)]),
    remind_every=st.sampled_from([None, timedelta(minutes=5)]),
)


def run(schedule: list[tuple[float, float, bool]], policy: Policy) -> list[tuple[datetime, float, Status, Move]]:
    """Every move of every alert of one subject, with the value that caused it and the status it led to."""
    moves = []
    status: Status | None = None
    at = START
    for wait, value, quiet in schedule:
        at += timedelta(seconds=wait)
        taken: Step | None = step(status, sight_of(value), policy, at, quiet=quiet)
        assert taken is not None
        while taken:
            assert taken.status or not taken.moves
            if taken.status:
                moves += [(at, value, taken.status, move) for move in taken.moves]
            status = taken.status
            taken = taken.successor
        if status and status.state is State.RESOLVED:
            status = None
    return moves


@given(schedules(), policies)
def test_an_alert_opens_only_above_its_line_and_is_resolved_only_below_its_clear_line(
    schedule: list[tuple[float, float, bool]], policy: Policy
) -> None:
    for _at, value, status, move in run(schedule, policy):
        if move.cause is Cause.CROSSED:
            assert value >= status.level
        if move.cause is Cause.CLEARED:
            assert value < LEVELS[0]
        if move.cause is Cause.LOWERED and move.after is State.RESOLVED:
            assert value < status.level - BAND


@given(schedules(), policies)
def test_nothing_opens_before_it_has_lasted(schedule: list[tuple[float, float, bool]], policy: Policy) -> None:
    for at, _value, status, move in run(schedule, policy):
        if move.cause is Cause.CROSSED and status.pending_since != at:
            assert at - status.pending_since >= policy.open_after
        if move.cause is Cause.CLEARED:
            assert status.clear_since is not None
            assert at - status.clear_since >= policy.clear_after


@given(schedules(), policies)
def test_every_open_message_has_one_end_and_no_end_is_told_that_had_no_beginning(
    schedule: list[tuple[float, float, bool]], policy: Policy
) -> None:
    told = 0
    # In the end everything is clear and nothing is silenced.
    calm = [(4000.0, 0.0, False), (4000.0, 0.0, False)]
    for _at, _value, status, move in run([*schedule, *calm], policy):
        if move.notify and move.after is State.OPEN:
            told += 1
        if move.notify and move.after is State.RESOLVED:
            assert status.announced
        if move.after is State.RESOLVED:
            assert not move.notify or told > 0


@given(schedules(), policies)
def test_looking_twice_at_the_same_moment_says_nothing_new(
    schedule: list[tuple[float, float, bool]], policy: Policy
) -> None:
    status: Status | None = None
    at = START
    for wait, value, quiet in schedule:
        at += timedelta(seconds=wait)
        first = step(status, sight_of(value), policy, at, quiet=quiet)
        status = first.successor.status if first.successor else first.status
        if status is None or status.state is State.RESOLVED:
            status = None
            continue
        again = step(status, sight_of(value), policy, at, quiet=quiet)
        # One message at a time: an escalation that fell due with the opening comes with the next look.
        assert [move for move in again.moves if move.cause not in (Cause.ESCALATED, Cause.REMINDED)] == []
        assert again.successor is None


@given(st.lists(st.floats(88.1, 99.9), min_size=1, max_size=30))
def test_a_value_that_wobbles_around_a_line_within_the_band_says_one_thing(values: list[float]) -> None:
    schedule = [(15.0, 90.5, False), *[(15.0, value, False) for value in values]]
    assert [move.cause for _, _, _, move in run(schedule, Policy())] == [Cause.CROSSED]


def causes(schedule: list[tuple[float, float, bool]], policy: Policy | None = None) -> list[tuple[Cause, bool]]:
    return [(move.cause, move.notify) for _, _, _, move in run(schedule, policy or Policy())]


def test_a_higher_level_opens_anew_and_the_lower_one_goes_without_a_word() -> None:
    assert causes([(15, 55, False), (15, 92, False)]) == [
        (Cause.CROSSED, True),
        (Cause.RAISED, False),
        (Cause.CROSSED, True),
    ]


def test_only_the_highest_of_several_levels_crossed_at_once_opens() -> None:
    [(_, _, status, move)] = run([(15, 120, False)], Policy())
    assert (status.level, move.cause) == (100, Cause.CROSSED)


def test_back_at_a_lower_level_the_higher_ends_with_a_word_and_the_lower_is_open_without_one() -> None:
    assert causes([(15, 101, False), (15, 60, False), (15, 10, False)]) == [
        (Cause.CROSSED, True),
        (Cause.LOWERED, True),
        (Cause.LOWERED, False),
        (Cause.CLEARED, True),
    ]


def test_a_silenced_alert_is_told_when_the_silence_ends() -> None:
    assert causes([(15, 101, True), (15, 102, True), (15, 103, False)]) == [
        (Cause.CROSSED, False),
        (Cause.UNSILENCED, True),
    ]


def test_what_was_never_told_ends_without_a_word() -> None:
    assert causes([(15, 101, True), (15, 1, False)]) == [(Cause.CROSSED, False), (Cause.CLEARED, False)]


def test_nobody_acknowledges_and_it_escalates_once() -> None:
    policy = Policy(escalate_after=timedelta(minutes=10))
    assert causes([(15, 101, False), (601, 101, False), (601, 101, False)], policy) == [
        (Cause.CROSSED, True),
        (Cause.ESCALATED, True),
    ]


def test_reminders_come_at_their_interval_until_someone_has_it() -> None:
    policy = Policy(remind_every=timedelta(minutes=10))
    looks = [(15.0, 101.0, False), (601.0, 101.0, False), (30.0, 101.0, False), (601.0, 101.0, False)]
    assert [cause for cause, _ in causes(looks, policy)] == [Cause.CROSSED, Cause.REMINDED, Cause.REMINDED]


OPEN = Status(State.OPEN, START, opened_at=START, announced=True, notified_at=START)


def test_an_acknowledged_alert_is_neither_escalated_nor_said_again() -> None:
    policy = Policy(escalate_after=timedelta(minutes=1), remind_every=timedelta(minutes=1))
    held = states.acknowledge(OPEN).status
    assert step(held, Observation(True, False), policy, START + timedelta(hours=1)).moves == ()


def test_what_a_person_resolved_stays_quiet_until_it_was_over_once() -> None:
    closed = states.close(OPEN, START).status
    assert closed and closed.awaits_clear
    still = step(closed, Observation(True, False), Policy(), START + timedelta(minutes=1))
    assert (still.moves, still.successor) == ((), None)
    over = step(closed, Observation(False, True), Policy(), START + timedelta(minutes=2)).status
    assert over and not over.awaits_clear


def test_what_a_person_resolved_opens_again_at_a_higher_level() -> None:
    closed = states.close(replace(OPEN, level=50), START).status
    worse = step(closed, Observation(True, False, level=75, sustained_level=75), Policy(), START)
    assert worse.successor and worse.successor.status and worse.successor.status.state is State.OPEN


def test_what_is_gone_is_resolved_at_once_whatever_the_policy_waits_for() -> None:
    policy = Policy(clear_after=timedelta(hours=1))
    assert step(OPEN, GONE, policy, START).moves == (Move(State.RESOLVED, Cause.GONE, notify=True),)


def test_history_counts_towards_the_time_that_a_state_must_last() -> None:
    policy = Policy(open_after=timedelta(days=3))
    sight = Observation(True, False, since=START - timedelta(days=4))
    opened = step(None, sight, policy, START)
    assert opened.status and opened.status.state is State.OPEN


def test_a_step_that_the_state_does_not_allow_is_refused() -> None:
    with pytest.raises(NotPossible):
        states.unacknowledge(OPEN)
    with pytest.raises(NotPossible):
        states.acknowledge(replace(OPEN, state=State.RESOLVED))
    with pytest.raises(NotPossible):
        states.reopen(OPEN)


def test_a_subject_that_flaps_must_be_clear_for_longer_each_time_up_to_an_hour() -> None:
    waits = [damped(Policy(), flaps).clear_after for flaps in (0, 2, 3, 4, 5, 50)]
    assert waits == [timedelta(0), timedelta(0), *(timedelta(minutes=n) for n in (1, 2, 4, 60))]
