"""A deployment's limit of calls at once: slots are given in turns among applications, and none is ever lost."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traffic.gateway.concurrency import QUEUE_FULL, QUEUE_TIMEOUT, CallQueue, CallQueues, FreeSlot, Place
from traffic.gateway.refusals import Refusal
from traffic.gateway.routes import Target

SHOP, LAB, DESK = 1, 2, 3


def own(limit: int | None) -> Target:
    return Target(7, "own", "self", "llamacpp", "http://own", "llama", max_concurrency=limit)


class Served:
    """A queue, and its calls under way in the order in which they were served."""

    def __init__(self, limit: int | None) -> None:
        self.queue = CallQueue(limit)
        self.under_way: list[Place] = []

    def call(self, application: int | None) -> Place:
        place = self.queue.enter(application, lambda: self.under_way.append(place))
        if place.running:
            self.under_way.append(place)
        return place

    def calls(self, application: int | None, times: int) -> None:
        for _ in range(times):
            self.call(application)

    def end(self, place: Place | None = None) -> int | None:
        """End a call, the one that began first; returns whose was served next."""
        ending = place or self.under_way[0]
        self.under_way.remove(ending)
        before = len(self.under_way)
        self.queue.leave(ending)
        return self.under_way[-1].application if len(self.under_way) > before else None


# Turns.


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_one_call_waits_for_one_that_ends_whatever_another_application_queues(limit: int) -> None:
    served = Served(limit)
    served.calls(SHOP, 40)
    for _ in range(3):  # and so does each further call of it
        served.call(LAB)
        assert served.end() == LAB
        served.end(next(place for place in served.under_way if place.application == LAB))


def test_applications_that_all_queue_take_turns() -> None:
    served = Served(1)
    for application in (SHOP, LAB, DESK):
        served.calls(application, 4)
    assert [served.end() for _ in range(6)] == [LAB, SHOP, DESK] * 2


def test_calls_of_one_application_are_served_as_they_came() -> None:
    served = Served(1)
    places = [served.call(SHOP) for _ in range(4)]
    for place in places[1:]:
        served.end()
        assert served.under_way == [place]


def test_whose_long_streams_hold_most_slots_gives_way() -> None:
    served = Served(4)
    served.calls(DESK, 3)  # which do not end
    served.call(SHOP)
    for application in (DESK, SHOP, LAB):
        served.calls(application, 5)
    others = [served.end(served.under_way[-1]) for _ in range(6)]
    assert DESK not in others
    assert others.count(SHOP) == others.count(LAB)


def test_whose_caller_leaves_the_queue_is_passed_over() -> None:
    served = Served(1)
    served.call(SHOP)
    gone, stays = served.call(LAB), served.call(DESK)
    served.queue.leave(gone)
    assert served.end() == DESK
    assert served.under_way == [stays]


def test_a_higher_limit_lets_those_who_wait_in_and_none_all_of_them() -> None:
    served = Served(1)
    served.calls(SHOP, 6)
    served.queue.change_limit(3)
    assert len(served.under_way) == 3
    served.queue.change_limit(1)
    assert served.end() is None  # three were under way, two are
    served.queue.change_limit(None)
    assert not served.queue.waiting
    assert len(served.under_way) == 5


# Nothing is lost, whatever happens in whatever order.

ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(0, 2)),
        st.tuples(st.just("call"), st.integers(0, 2)),  # so that many wait
        st.tuples(st.just("end"), st.integers(0, 50)),
        st.tuples(st.just("hang up"), st.integers(0, 50)),
        st.tuples(st.just("limit"), st.one_of(st.none(), st.integers(1, 3))),
    ),
    min_size=20,
    max_size=120,
)


class Watched(Served):
    """Counts for each application that waits without a call under way the grants to others."""

    def __init__(self, limit: int | None) -> None:
        super().__init__(limit)
        self.passed: dict[int | None, list[int | None]] = {}  # by whom
        self.waiting: set[Place] = set()

    def settle(self) -> None:
        """What must hold between any two acts."""
        queue = self.queue
        assert queue.total == sum(queue.running.values()) == len(self.under_way)
        assert {place for places in queue.waiting.values() for place in places} == self.waiting
        assert not self.waiting or queue.full, "nobody waits while a slot is free"
        assert all(queue.running.values()) and all(queue.waiting.values()), "nothing is kept of who has gone"
        waiting = {place.application for place in self.waiting}
        self.passed = {each: self.passed.get(each, []) for each in waiting if not queue.running[each]}

    def granted(self, place: Place) -> None:
        self.under_way.append(place)
        self.waiting.discard(place)
        self.passed.pop(place.application, None)
        for each, by in self.passed.items():
            assert place.application not in by, f"{place.application} was served twice before {each} once"
            by.append(place.application)


@given(st.integers(1, 3), ACTS)
def test_after_any_order_of_begins_ends_and_hang_ups_all_counters_are_right(
    limit: int, acts: list[tuple[str, int | None]]
) -> None:
    watched = Watched(limit)

    def call(application: int | None) -> None:
        place = watched.queue.enter(application, lambda: watched.granted(place))
        if place.running:
            watched.under_way.append(place)
        else:
            watched.waiting.add(place)

    def over(places: list[Place], number: int | None) -> None:
        if places:
            place = places[(number or 0) % len(places)]
            if place in watched.waiting:
                watched.waiting.discard(place)
            else:
                watched.under_way.remove(place)
            watched.queue.leave(place)
            watched.queue.leave(place)  # which changes nothing

    for act, number in acts:
        if act == "call":
            call(number)
        elif act == "end":
            over(watched.under_way, number)
        elif act == "hang up":
            over([place for places in watched.queue.waiting.values() for place in places], number)
        else:
            watched.queue.change_limit(number)
        watched.settle()
    while watched.under_way:
        over(watched.under_way, 0)
        watched.settle()
    assert not (watched.queue.total or watched.queue.waiting or watched.queue.running)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def settle() -> None:
    """Let all that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


@given(st.integers(1, 3), st.lists(st.tuples(st.sampled_from(["call", "end", "cancel"]), st.integers(0, 30))))
def test_calls_that_are_cancelled_at_any_moment_leave_nothing(limit: int, acts: list[tuple[str, int]]) -> None:
    async def all_of_them() -> None:
        queues = CallQueues(60, most_waiting=8)
        ends: dict[asyncio.Task[None], asyncio.Event] = {}
        at_work = 0

        async def call(application: int, end: asyncio.Event) -> None:
            nonlocal at_work
            try:
                free = await queues.enter(own(limit), application)
            except Refusal:
                return
            at_work += 1
            try:
                assert at_work <= limit
                await end.wait()
            finally:
                at_work -= 1
                free()

        for act, number in acts:
            if act == "call":
                end = asyncio.Event()
                ends[asyncio.create_task(call(number % 3, end))] = end
            elif ends:
                task, end = list(ends.items())[number % len(ends)]
                task.cancel() if act == "cancel" else end.set()
            if number % 2:  # else the next one happens in the same round of the loop
                await settle()
        for end in ends.values():
            end.set()
        outcomes = await asyncio.gather(*ends, return_exceptions=True)
        assert not [each for each in outcomes if isinstance(each, Exception)]
        assert not queues.queues

    run(all_of_them())


# Bounds.


async def refused(queues: CallQueues, limit: int, application: int | None) -> Refusal:
    with pytest.raises(Refusal) as raised:
        await queues.enter(own(limit), application)
    return raised.value


def test_the_queue_of_an_application_has_an_end_and_others_still_come_in() -> None:
    async def fill() -> None:
        queues = CallQueues(60, most_waiting=2)
        first = await queues.enter(own(1), SHOP)
        waiting = [asyncio.create_task(queues.enter(own(1), SHOP)) for _ in range(2)]
        await settle()
        refusal = await refused(queues, 1, SHOP)
        assert (refusal.status, refusal.code) == (429, QUEUE_FULL)
        assert dict(refusal.headers)[b"retry-after"].isdigit()
        lab = asyncio.create_task(queues.enter(own(1), LAB))
        await settle()
        first()
        (await lab)()
        for each in waiting:
            (await each)()
        assert not queues.queues

    run(fill())


def test_who_waits_too_long_is_told_so_and_leaves_the_queue() -> None:
    async def wait() -> None:
        queues = CallQueues(0.01)
        free = await queues.enter(own(1), SHOP)
        refusal = await refused(queues, 1, LAB)
        assert (refusal.status, refusal.code) == (503, QUEUE_TIMEOUT)
        assert dict(refusal.headers)[b"retry-after"].isdigit()
        free()
        assert not queues.queues

    run(wait())


def test_with_no_time_to_wait_nobody_does() -> None:
    async def enter() -> None:
        queues = CallQueues(0)
        free = await queues.enter(own(1), SHOP)
        refusal = await refused(queues, 1, LAB)
        assert (refusal.status, str(refusal)) == (
            429,
            "own has no free slot, and 0 calls of this application wait. Retry later.",
        )
        free()
        (await queues.enter(own(1), LAB))()

    run(enter())


def test_each_deployment_has_slots_of_its_own_and_follows_its_limit() -> None:
    async def enter() -> None:
        queues = CallQueues(60)
        other = Target(8, "other", "self", "vllm", "http://other", "qwen", max_concurrency=1)
        frees: list[FreeSlot] = [await queues.enter(own(1), SHOP), await queues.enter(other, SHOP)]
        waiting = [asyncio.create_task(queues.enter(target, SHOP)) for target in (own(1), other)]
        await settle()
        queues.change_limits({7: 2})
        frees.append(await waiting[0])
        assert not waiting[1].done()
        queues.change_limits({8: None})
        frees.append(await waiting[1])
        for free in frees:
            free()
        assert not queues.queues

    run(enter())
