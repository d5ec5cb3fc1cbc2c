"""The life of one alert: pure functions, so that time can be anything and a test can try every order of events.

    nothing -> pending -> open -> acknowledged -> resolved

An alert opens when its line has been crossed for `open_after`, and is resolved when it has been clear of it for
`clear_after`. Between the line and the clear line (hysteresis) nothing changes, so a value that wobbles says nothing.
Nothing here reads a row or a clock: `step` is one look of an evaluation, the functions below it are what people do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from django.utils.translation import gettext as _

NOTHING = timedelta(0)
# A subject that came and went this often lately is held open longer each time, up to the limit.
CALM_FLAPS = 3
LONGEST_DAMPING = timedelta(hours=1)


class State(StrEnum):
    PENDING = "pending"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Cause(StrEnum):
    """Why a state changed, or why it is said again."""

    BEGAN = "began"  # crossed, but not yet for long enough
    CROSSED = "crossed"  # crossed for long enough
    PASSED = "passed"  # over before it opened
    CLEARED = "cleared"
    GONE = "gone"  # the subject, or the rule, is no longer there
    RAISED = "raised"  # a higher level takes over
    LOWERED = "lowered"  # a lower level is what remains
    UNSILENCED = "unsilenced"
    ESCALATED = "escalated"  # nobody acknowledged it
    REMINDED = "reminded"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"  # resolved by a person
    UNDONE = "undone"  # a person took back the last step
    SNOOZED = "snoozed"  # a person wants to hear of it later
    WOKEN = "woken"  # that moment has come and it is still so
    ASSIGNED = "assigned"  # it is somebody's now, who is told
    NOTED = "noted"  # a person wrote something down; nothing else changed


class NotPossible(Exception):
    """A person asked for a step that the alert's state does not allow; the text says why."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How long a rule waits. None: never."""

    open_after: timedelta = NOTHING
    clear_after: timedelta = NOTHING
    escalate_after: timedelta | None = None
    remind_every: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What one evaluation saw of a subject.

    `level` is the highest line crossed, `sustained_level` the highest one whose clear line is not yet reached; both are
    0 where a kind has a single line. `since`: the value has been on this side of the line since then, where history
    says so.
    """

    crossed: bool
    clear: bool
    level: int = 0
    sustained_level: int = 0
    since: datetime | None = None
    gone: bool = False


GONE = Observation(crossed=False, clear=True, gone=True)


@dataclass(frozen=True, slots=True)
class Status:
    """Where an alert stands. `announced`: someone was told that it is open, so that its end is told as well."""

    state: State
    pending_since: datetime
    level: int = 0
    opened_at: datetime | None = None
    clear_since: datetime | None = None
    resolved_at: datetime | None = None
    announced: bool = False
    notified_at: datetime | None = None
    escalated_at: datetime | None = None
    awaits_clear: bool = False  # resolved by a person while the line was crossed: quiet until it was clear once
    snoozed_until: datetime | None = None  # stays once it is past: see `asleep` and `_overslept`


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the timeline; `notify` writes messages with it."""

    after: State
    cause: Cause
    notify: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from a look: the status, the moves that led there, and the alert that takes this one's place."""

    status: Status | None
    moves: tuple[Move, ...] = ()
    successor: Step | None = None


def step(status: Status | None, observation: Observation, policy: Policy, at: datetime, *, quiet: bool = False) -> Step:
    """One look at one subject; `quiet` while a silence or a larger alert covers it."""
    if status is None:
        return _begin(observation, policy, at, quiet)
    if status.state is State.RESOLVED:
        return _rest(status, observation, policy, at, quiet)
    if status.state is State.PENDING:
        return _wait(status, observation, policy, at, quiet)
    if observation.level > status.level:
        return _raise(status, observation, at, quiet)
    if observation.clear or observation.sustained_level < status.level:
        return _settle(status, observation, policy, at, quiet)
    return _remind(replace(status, clear_since=None), policy, at, quiet)


def asleep(status: Status, at: datetime) -> bool:
    """Whether somebody put it off to a later moment than this."""
    return status.snoozed_until is not None and at < status.snoozed_until


def _overslept(status: Status, at: datetime) -> bool:
    """Whether it must be said again because a snooze is over, and was not yet."""
    due = status.snoozed_until is not None and at >= status.snoozed_until
    return due and (status.notified_at is None or status.notified_at < status.snoozed_until)  # type: ignore[operator]  # not None, as `due` says


def _begin(observation: Observation, policy: Policy, at: datetime, quiet: bool) -> Step:
    if not observation.crossed:
        return Step(None)
    status = Status(State.PENDING, _since(observation, at), observation.level)
    if at - status.pending_since >= policy.open_after:
        return _open(status, at, quiet)
    return Step(status, (Move(State.PENDING, Cause.BEGAN),))


def _since(observation: Observation, at: datetime) -> datetime:
    return min(observation.since, at) if observation.since else at


def _open(status: Status, at: datetime, quiet: bool) -> Step:
    status = replace(status, state=State.OPEN, opened_at=at, announced=not quiet, notified_at=None if quiet else at)
    return Step(status, (Move(State.OPEN, Cause.CROSSED, notify=not quiet),))


def _rest(status: Status, observation: Observation, policy: Policy, at: datetime, quiet: bool) -> Step:
    """A person resolved it: what they saw is known, a higher level or a new crossing is not."""
    if status.awaits_clear and observation.level <= status.level:
        return Step(replace(status, awaits_clear=not observation.clear))
    begun = _begin(observation, policy, at, quiet)
    return Step(replace(status, awaits_clear=False), successor=begun if begun.status else None)


def _wait(status: Status, observation: Observation, policy: Policy, at: datetime, quiet: bool) -> Step:
    if not observation.crossed:
        return Step(_resolved(status, at), (Move(State.RESOLVED, Cause.GONE if observation.gone else Cause.PASSED),))
    status = replace(status, level=observation.level, pending_since=min(status.pending_since, _since(observation, at)))
    if at - status.pending_since >= policy.open_after:
        return _open(status, at, quiet)
    return Step(status)


def _resolved(status: Status, at: datetime) -> Status:
    return replace(status, state=State.RESOLVED, resolved_at=at, clear_since=status.clear_since or at)


def _raise(status: Status, observation: Observation, at: datetime, quiet: bool) -> Step:
    """A higher level opens anew and says so; the lower one goes without a word."""
    opened = _open(Status(State.PENDING, _since(observation, at), observation.level), at, quiet)
    return Step(_resolved(status, at), (Move(State.RESOLVED, Cause.RAISED),), opened)


def _settle(status: Status, observation: Observation, policy: Policy, at: datetime, quiet: bool) -> Step:
    since = status.clear_since or (_since(observation, at) if observation.clear else at)
    if at - since < policy.clear_after and not observation.gone:
        return Step(replace(status, clear_since=since))
    tell = status.announced and not quiet
    status = replace(status, clear_since=since)
    if not observation.crossed:
        cause = Cause.GONE if observation.gone else Cause.CLEARED
        return Step(_resolved(status, at), (Move(State.RESOLVED, cause, notify=tell),))
    # The lower level was told on the way up, unless a silence lay over it all; it opens again as people left it.
    news = status.state is State.OPEN and not status.announced and not quiet and not asleep(status, at)
    lower = Status(
        status.state,
        at,
        observation.level,
        at,
        announced=status.announced or news,
        notified_at=at,
        escalated_at=at,
        snoozed_until=status.snoozed_until if asleep(status, at) else None,
    )
    remains = Step(lower, (Move(status.state, Cause.LOWERED, notify=news),))
    return Step(_resolved(status, at), (Move(State.RESOLVED, Cause.LOWERED, notify=tell),), remains)


def _remind(status: Status, policy: Policy, at: datetime, quiet: bool) -> Step:
    """Whatever must be said about an alert that stays open; one message at a time."""
    if quiet or asleep(status, at):
        return Step(status)
    notified = replace(status, announced=True, notified_at=at)
    if _overslept(status, at):  # whoever had it put it off, so it is anybody's again
        return Step(replace(notified, state=State.OPEN), (Move(State.OPEN, Cause.WOKEN, notify=True),))
    if status.state is not State.OPEN:
        return Step(status)
    if not status.announced:
        return Step(notified, (Move(State.OPEN, Cause.UNSILENCED, notify=True),))
    waited_since = max(filter(None, (status.opened_at, status.snoozed_until)), default=None)
    if _due(policy.escalate_after, waited_since, at) and status.escalated_at is None:
        return Step(replace(notified, escalated_at=at), (Move(State.OPEN, Cause.ESCALATED, notify=True),))
    if _due(policy.remind_every, status.notified_at, at):
        return Step(notified, (Move(State.OPEN, Cause.REMINDED, notify=True),))
    return Step(status)


def _due(after: timedelta | None, since: datetime | None, at: datetime) -> bool:
    return after is not None and since is not None and at - since >= after


def acknowledge(status: Status) -> Step:
    """Someone has it. Raises NotPossible unless the alert is open."""
    if status.state is not State.OPEN:
        raise NotPossible(_("it is %(state)s") % {"state": status.state})
    acknowledged = replace(status, state=State.ACKNOWLEDGED, snoozed_until=None)
    return Step(acknowledged, (Move(State.ACKNOWLEDGED, Cause.ACKNOWLEDGED),))


def unacknowledge(status: Status) -> Step:
    """The last step was a mistake. Raises NotPossible unless the alert is acknowledged."""
    if status.state is not State.ACKNOWLEDGED:
        raise NotPossible(_("it is %(state)s") % {"state": status.state})
    return Step(replace(status, state=State.OPEN), (Move(State.OPEN, Cause.UNDONE),))


def close(status: Status, at: datetime, *, quiet: bool = False) -> Step:
    """A person calls it over. Raises NotPossible unless it is open or acknowledged."""
    if status.state not in (State.OPEN, State.ACKNOWLEDGED):
        raise NotPossible(_("it is %(state)s") % {"state": status.state})
    tell = status.announced and not quiet
    closed = replace(_resolved(status, at), awaits_clear=status.clear_since is None)
    return Step(closed, (Move(State.RESOLVED, Cause.CLOSED, notify=tell),))


def reopen(status: Status) -> Step:
    """A person takes back `close`. Raises NotPossible where the alert was not resolved by a person."""
    if status.state is not State.RESOLVED or status.opened_at is None:
        raise NotPossible(_("it is %(state)s") % {"state": status.state})
    opened = replace(
        status, state=State.OPEN, resolved_at=None, clear_since=None, awaits_clear=False, snoozed_until=None
    )
    return Step(opened, (Move(State.OPEN, Cause.UNDONE),))


def snooze(status: Status, until: datetime, at: datetime) -> Step:
    """Nothing is said about this one alert before `until`, unless it gets worse or is over; then it is open again.

    Raises NotPossible unless the alert is open or acknowledged, and where `until` is not ahead.
    """
    if status.state not in (State.OPEN, State.ACKNOWLEDGED):
        raise NotPossible(_("it is %(state)s") % {"state": status.state})
    if until <= at:
        raise NotPossible(_("a snooze must end in the future"))
    return Step(replace(status, snoozed_until=until), (Move(status.state, Cause.SNOOZED),))


def unsnooze(status: Status, at: datetime) -> Step:
    """Take `snooze` back. Raises NotPossible where it is not snoozed."""
    if status.state not in (State.OPEN, State.ACKNOWLEDGED) or not asleep(status, at):
        raise NotPossible(_("it is not snoozed"))
    return Step(replace(status, snoozed_until=None), (Move(status.state, Cause.UNDONE),))


def assign(status: Status) -> Step:
    """It becomes somebody's, who is told; it stays open until they acknowledge it. Raises NotPossible when over."""
    if status.state not in (State.OPEN, State.ACKNOWLEDGED):
        raise NotPossible(_("it is %(state)s") % {"state": status.state})
    return Step(status, (Move(status.state, Cause.ASSIGNED, notify=True),))


def note(status: Status) -> Step:
    """Something to remember, whatever the state: what caused it is often known only when it is over."""
    return Step(status, (Move(status.state, Cause.NOTED),))


def damped(policy: Policy, flaps: int) -> Policy:
    """The policy for a subject that opened `flaps` times lately: each time it must be clear for twice as long."""
    if flaps < CALM_FLAPS:
        return policy
    base = max(policy.clear_after, timedelta(minutes=1))
    longer = min(base * 2 ** min(flaps - CALM_FLAPS, 16), LONGEST_DAMPING)
    return replace(policy, clear_after=max(policy.clear_after, longer))
