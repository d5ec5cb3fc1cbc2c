"""The state machine that turns single checks into states and outages. Pure: the time is an argument."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from lib.time_spans import Span, overlap_s, without

State = Literal["unknown", "up", "down", "starting", "maintenance"]

# Past this many intervals without a check (and a little, for slow answers and a busy queue) nobody watched: the streak
# is broken and the time is not counted.
UNWATCHED_INTERVALS = 3
SLACK = timedelta(seconds=30)
# A server that has been loading for longer than this is not coming up.
STARTING_LIMIT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class CheckPolicy:
    """How a deployment is judged. `every` is the time between two checks."""

    failures_to_confirm: int = 3
    successes_to_recover: int = 2
    every: timedelta = timedelta(seconds=30)

    @property
    def longest_gap(self) -> timedelta:
        return self.every * UNWATCHED_INTERVALS + SLACK


@dataclass(frozen=True, slots=True)
class Probe:
    """What the state machine needs to know of one check."""

    at: datetime
    state: Literal["up", "down", "starting"]
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """What a deployment's checks amount to so far.

    The streak is the latest checks in a row that went the same way, `streak_since` the time of the first of them. An
    outage can be open while the state is `maintenance`: the window hides it, it does not end it.
    """

    state: State = "unknown"
    state_since: datetime | None = None
    streak_ok: bool = True
    streak: int = 0
    streak_since: datetime | None = None
    last_check_at: datetime | None = None
    outage_open: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """An outage is confirmed; it began at the first check that failed."""

    started_at: datetime
    confirmed_at: datetime
    cause: str


@dataclass(frozen=True, slots=True)
class Closed:
    """An outage is over; it ended at the first check that went well again."""

    ended_at: datetime


Event = Opened | Closed


def advance(
    health: Health, probe: Probe, policy: CheckPolicy, *, in_maintenance: bool = False
) -> tuple[Health, Event | None]:
    """The health after one more check, and the outage that it confirms or ends; a check from the past is ignored."""
    if health.last_check_at is not None and probe.at <= health.last_check_at:
        return health, None
    if health.last_check_at is not None and probe.at - health.last_check_at > policy.longest_gap:
        health = _forget_streak(health)
    health = replace(health, last_check_at=probe.at)
    if in_maintenance:
        return _in_state(_forget_streak(health), "maintenance", probe.at), None
    if _is_neutral(health, probe):
        return _in_state(health, "starting", probe.at), None
    health = _count(health, probe)
    return _succeeded(health, probe, policy) if health.streak_ok else _failed(health, probe, policy)


def _forget_streak(health: Health) -> Health:
    return replace(health, streak_ok=True, streak=0, streak_since=None)


def _in_state(health: Health, state: State, at: datetime) -> Health:
    return health if health.state == state else replace(health, state=state, state_since=at)


def _is_neutral(health: Health, probe: Probe) -> bool:
    """Loading neither fails nor proves anything, unless it ends no outage or never ends itself."""
    if probe.state != "starting" or health.outage_open:
        return False
    began = health.state_since if health.state == "starting" else None
    return began is None or probe.at - began <= STARTING_LIMIT


def _count(health: Health, probe: Probe) -> Health:
    ok = probe.state == "up"
    if health.streak and health.streak_ok == ok:
        return replace(health, streak=health.streak + 1)
    return replace(health, streak_ok=ok, streak=1, streak_since=probe.at)


def _succeeded(health: Health, probe: Probe, policy: CheckPolicy) -> tuple[Health, Event | None]:
    since = health.streak_since
    assert since is not None
    if not health.outage_open:
        return _in_state(health, "up", probe.at), None
    if health.streak < policy.successes_to_recover:
        return _in_state(health, "down", since), None
    return replace(_in_state(health, "up", since), outage_open=False), Closed(ended_at=since)


def _failed(health: Health, probe: Probe, policy: CheckPolicy) -> tuple[Health, Event | None]:
    since = health.streak_since
    assert since is not None
    if health.outage_open:
        return _in_state(health, "down", since), None
    if health.streak < policy.failures_to_confirm:
        return _undecided(health, probe.at), None
    opened = Opened(started_at=since, confirmed_at=probe.at, cause=probe.cause)
    return replace(_in_state(health, "down", since), outage_open=True), opened


def _undecided(health: Health, at: datetime) -> Health:
    """One failure changes no state, but a maintenance window that is over leaves none either."""
    return _in_state(health, "unknown", at) if health.state == "maintenance" else health


# Spans of time.


@dataclass(frozen=True, slots=True)
class WatchedSpan:
    """A stretch of time of which `seconds` were under watch, maintenance excluded."""

    span: Span
    seconds: float


def watched_since(last: datetime | None, at: datetime, policy: CheckPolicy, holes: Iterable[Span]) -> list[Span]:
    """The time between two checks that was under watch: none before the first check or after too long a gap."""
    if last is None or not timedelta() < at - last <= policy.longest_gap:
        return []
    return without([Span(last, at)], holes)


def down_s(outages: Iterable[Span], watched: Iterable[WatchedSpan], maintenance: Iterable[Span] = ()) -> float:
    """Seconds of outage while somebody watched, maintenance excluded.

    Where a stretch was watched only in part, the outage in it counts up to that part: it began and ended at checks.
    """
    down = without(outages, maintenance)
    return sum(min(overlap_s(down, stretch.span), stretch.seconds) for stretch in watched)


def uptime(outages: Iterable[Span], watched: Iterable[WatchedSpan], maintenance: Iterable[Span] = ()) -> float | None:
    """1 - outage seconds / observed seconds, 0..1; None when nothing was observed, which is not 1."""
    stretches = list(watched)
    observed = sum(stretch.seconds for stretch in stretches)
    if observed <= 0:
        return None
    return max(0.0, 1.0 - down_s(outages, stretches, maintenance) / observed)
