"""The state machine under everything at once: looks, silences and people, in any order, with the clock moving."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from alerts.lifecycle import states
from alerts.lifecycle.states import Cause, Move, NotPossible, Observation, Policy, State, Status, Step

START = datetime(2026, 11, 24, tzinfo=UTC)
LEVELS, BAND = (50, 75, 90, 100), 2
ALLOWED = {
    (State.PENDING, State.OPEN),
    (State.PENDING, State.RESOLVED),
    (State.OPEN, State.ACKNOWLEDGED),
    (State.OPEN, State.RESOLVED),
    (State.ACKNOWLEDGED, State.OPEN),
    (State.ACKNOWLEDGED, State.RESOLVED),
    (State.RESOLVED, State.OPEN),  # a person takes back that it is over
}


def sight_of(value: int) -> Observation:
    level = max((one for one in LEVELS if value >= one), default=0)
    held = max((one for one in LEVELS if value >= one - BAND), default=0)
    return Observation(crossed=level > 0, clear=held == 0, level=level, sustained_level=held)


class OneSubject(RuleBasedStateMachine):
    """`told` counts openings said and not yet ended; a successor takes its place in the same step."""

    @initialize(
        open_s=st.sampled_from([0, 60]),
        clear_s=st.sampled_from([0, 60]),
        escalate=st.sampled_from([None, 300]),
        remind=st.sampled_from([None, 300]),
    )
    def begin(self, open_s: int, clear_s: int, escalate: int | None, remind: int | None) -> None:
        spans = [timedelta(seconds=s) if s is not None else None for s in (escalate, remind)]
        self.base = Policy(timedelta(seconds=open_s), timedelta(seconds=clear_s), *spans)
        self.at, self.flaps = START, 0
        self.status: Status | None = None
        self.escalations = 0

    def follow(self, taken: Step, quiet: bool = False) -> list[Move]:
        """Check each move against the status before it."""
        seen: list[Move] = []
        step: Step | None = taken
        before = self.status
        while step:
            for move in step.moves:
                if before and before.state != move.after:
                    assert (before.state, move.after) in ALLOWED, (before.state, move)
                if before and before.state == move.after:
                    assert move.cause in (
                        {Cause.UNSILENCED, Cause.ESCALATED, Cause.REMINDED, Cause.SNOOZED, Cause.WOKEN}
                        | {Cause.ASSIGNED, Cause.NOTED, Cause.UNDONE}
                    )
                assert not (move.notify and quiet), "a silence lets nothing through"
                if move.cause is Cause.CROSSED:
                    self.escalations = 0
                    self.flaps += 1
                self.escalations += move.cause is Cause.ESCALATED
                seen.append(move)
            before, self.status = None, step.status
            step = step.successor
        return seen

    @rule(wait=st.sampled_from([0, 15, 60, 600]), value=st.integers(0, 130), quiet=st.booleans())
    def look(self, wait: int, value: int, quiet: bool) -> None:
        self.at += timedelta(seconds=wait)
        before, policy = self.status, states.damped(self.base, self.flaps - 1)
        snoozed = before is not None and before.state is not State.RESOLVED and states.asleep(before, self.at)
        sight = sight_of(value)
        moves = self.follow(states.step(before, sight, policy, self.at, quiet=quiet), quiet)
        for move in moves:
            if move.cause is Cause.CLEARED and self.status:
                assert value < LEVELS[0] and value < self.status.level - BAND and self.status.clear_since
                assert self.at - self.status.clear_since >= policy.clear_after
            if snoozed and before and move.notify:
                raised = sight.level > before.level
                assert raised or move.after is State.RESOLVED, f"{move} came through a snooze"
            if move.cause is Cause.WOKEN:
                assert before and before.snoozed_until and before.snoozed_until <= self.at
        # Whoever looks again at the same moment finds nothing new but what fell due with it.
        if self.status and self.status.state is not State.RESOLVED:
            again = states.step(self.status, sight, policy, self.at, quiet=quiet)
            due = {Cause.ESCALATED, Cause.REMINDED}
            assert {move.cause for move in again.moves} <= due and again.successor is None

    def by_hand(self, act: Step | None) -> None:
        if act:
            self.follow(act)

    def allowed(self, *wanted: State) -> bool:
        return self.status is not None and self.status.state in wanted

    @rule()
    def acknowledge(self) -> None:
        if self.allowed(State.OPEN) and self.status:
            self.by_hand(states.acknowledge(self.status))
        elif self.status:
            with pytest.raises(NotPossible):
                states.acknowledge(self.status)

    @rule()
    def give_back(self) -> None:
        if self.allowed(State.ACKNOWLEDGED) and self.status:
            self.by_hand(states.unacknowledge(self.status))

    @rule(quiet=st.booleans())
    def close(self, quiet: bool) -> None:
        if self.allowed(State.OPEN, State.ACKNOWLEDGED) and self.status:
            announced = self.status.announced
            [move] = self.follow(states.close(self.status, self.at, quiet=quiet), quiet)
            assert move.notify == (announced and not quiet)

    @rule()
    def take_back(self) -> None:
        if self.allowed(State.RESOLVED) and self.status and self.status.opened_at:
            self.by_hand(states.reopen(self.status))

    @rule(seconds=st.integers(-60, 1800))
    def snooze(self, seconds: int) -> None:
        if self.status is None:
            return
        until = self.at + timedelta(seconds=seconds)
        if self.allowed(State.OPEN, State.ACKNOWLEDGED) and seconds > 0:
            self.by_hand(states.snooze(self.status, until, self.at))
            assert states.asleep(self.status, self.at)
        else:
            with pytest.raises(NotPossible):
                states.snooze(self.status, until, self.at)

    @rule()
    def wake_by_hand(self) -> None:
        if self.status and self.allowed(State.OPEN, State.ACKNOWLEDGED) and states.asleep(self.status, self.at):
            self.by_hand(states.unsnooze(self.status, self.at))
            assert not states.asleep(self.status, self.at)

    @rule()
    def write(self) -> None:
        if self.status:
            before = self.status
            self.by_hand(states.note(before))
            assert self.status == before

    @invariant()
    def what_is_so_is_said_of_it(self) -> None:
        status: Status | None = getattr(self, "status", None)
        if status is None:
            return
        assert (status.opened_at is None) == (status.state is State.PENDING) or status.state is State.RESOLVED
        assert (status.resolved_at is None) == (status.state is not State.RESOLVED)
        assert not status.announced or status.notified_at is not None
        assert self.escalations <= 1, "one opening escalates once"


OneSubject.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestOneSubject = OneSubject.TestCase


OPEN = Status(State.OPEN, START, opened_at=START, announced=True, notified_at=START)
CROSSED = Observation(crossed=True, clear=False)


def test_a_snoozed_alert_is_said_again_at_its_moment_once_and_is_anybodys() -> None:
    held = states.acknowledge(OPEN).status
    assert held
    asleep = states.snooze(held, START + timedelta(hours=1), START).status
    before = states.step(asleep, CROSSED, Policy(), START + timedelta(minutes=59))
    assert before.moves == ()
    woken = states.step(asleep, CROSSED, Policy(), START + timedelta(hours=1))
    assert woken.moves == (Move(State.OPEN, Cause.WOKEN, notify=True),)
    assert states.step(woken.status, CROSSED, Policy(), START + timedelta(hours=2)).moves == ()


def test_a_snooze_gives_way_to_a_higher_level_and_to_the_end() -> None:
    asleep = states.snooze(OPEN, START + timedelta(hours=1), START).status
    worse = states.step(
        asleep, Observation(True, False, level=75, sustained_level=75), Policy(), START + timedelta(minutes=1)
    )
    assert worse.successor and worse.successor.moves == (Move(State.OPEN, Cause.CROSSED, notify=True),)
    over = states.step(asleep, Observation(False, True), Policy(), START + timedelta(minutes=1))
    assert over.moves == (Move(State.RESOLVED, Cause.CLEARED, notify=True),)


def test_escalation_waits_anew_after_a_snooze() -> None:
    policy = Policy(escalate_after=timedelta(minutes=30))
    asleep = states.snooze(OPEN, START + timedelta(hours=1), START).status
    woken = states.step(asleep, CROSSED, policy, START + timedelta(hours=1)).status
    assert states.step(woken, CROSSED, policy, START + timedelta(minutes=89)).moves == ()
    [move] = states.step(woken, CROSSED, policy, START + timedelta(minutes=90)).moves
    assert move.cause is Cause.ESCALATED


def test_an_alert_that_is_over_can_be_noted_and_nothing_else() -> None:
    over = states.close(OPEN, START).status
    assert over
    assert states.note(over).moves == (Move(State.RESOLVED, Cause.NOTED),)
    for act in (states.assign, lambda one: states.snooze(one, START + timedelta(hours=1), START)):
        with pytest.raises(NotPossible):
            act(over)
