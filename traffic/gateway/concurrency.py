"""Holds a deployment to the number of calls that it serves at once; further calls wait, in turns among applications.

An engine serves first come first served, so the application that sends most would have all of its slots. Here a free
slot goes to the waiting application that has the fewest calls under way at this deployment; among equals to the one
that waits longest since it came or was last served. So an application without a call under way waits for at most one
grant of each other application that waits, however many calls those have in the queue. (Plain round robin would also
give their turn to applications whose long streams hold nearly all slots already.)

For one event loop. A deployment without a limit has no queue and touches nothing of this.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

from traffic.gateway.bounds import QUEUE_CALLS
from traffic.gateway.refusals import come_back
from traffic.gateway.routes import Target
from traffic.gateway.snapshot import Snapshots

LOOK_EVERY_S = 0.5  # for limits that changed
COME_BACK_S = 2  # to a deployment whose calls take seconds

FreeSlot = Callable[[], None]  # a second call of it changes nothing


def no_slot() -> None:
    """Frees nothing: of a call that holds no slot."""


QUEUE_FULL, QUEUE_TIMEOUT = "queue-full", "queue-timeout"  # words of `x-breakeven-error`


class Place:
    """One call's place at a deployment: in its queue, then in one of its slots. `wake` is called when it gets one."""

    __slots__ = ("application", "running", "wake")

    def __init__(self, application: int | None, wake: Callable[[], None]) -> None:
        self.application = application
        self.wake = wake
        self.running = False


class CallQueue:
    """The calls of one deployment: those under way, and those that wait. `limit` None: none has to wait."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.running: Counter[int | None] = Counter()  # calls under way, by application
        self.total = 0  # of them
        # By application, the one first that waits longest since it came or was served; its calls as they came.
        self.waiting: dict[int | None, dict[Place, None]] = {}

    @property
    def full(self) -> bool:
        return self.limit is not None and self.total >= self.limit

    def enter(self, application: int | None, wake: Callable[[], None]) -> Place:
        """Take a slot where one is free, else the last place of the application's queue."""
        place = Place(application, wake)
        if self.full:
            self.waiting.setdefault(application, {})[place] = None
        else:
            self._start(place)
        return place

    def leave(self, place: Place) -> None:
        """A call is over, or waits no more. A second time changes nothing."""
        if place.running:
            place.running = False
            self.total -= 1
            # Counted until the next one is chosen: at a deployment with one slot it tells who was served last.
            self._fill()
            self.running[place.application] -= 1
            if not self.running[place.application]:
                del self.running[place.application]
        elif place in self.waiting.get(place.application, ()):
            self._take_out(place)

    def change_limit(self, limit: int | None) -> None:
        """Hold to another limit from now on; calls under way beyond it end as they do."""
        self.limit = limit
        self._fill()

    def _fill(self) -> None:
        while self.waiting and not self.full:
            application = min(self.waiting, key=self.running.__getitem__)  # the first of equals
            place = next(iter(self.waiting[application]))
            self._take_out(place)
            if application in self.waiting:  # behind all who wait
                self.waiting[application] = self.waiting.pop(application)
            self._start(place)
            place.wake()

    def _start(self, place: Place) -> None:
        place.running = True
        self.running[place.application] += 1
        self.total += 1

    def _take_out(self, place: Place) -> None:
        del self.waiting[place.application][place]
        if not self.waiting[place.application]:
            del self.waiting[place.application]


class CallQueues:
    """The queues of this process, by deployment; one is there while a call is under way or waits in it."""

    def __init__(self, timeout_s: float, most_waiting: int = QUEUE_CALLS) -> None:
        self.queues: dict[int, CallQueue] = {}
        self._timeout_s = timeout_s  # 0: nobody waits
        self._most_waiting = most_waiting  # calls of one application at one deployment

    async def enter(self, target: Target, application: int | None) -> FreeSlot:
        """Take a slot of a deployment that has a limit, at once or after waiting; returns what frees it.

        Raises Refusal where the application's queue is full or no slot came in time. Cancelled while it waits, a call
        leaves the queue at once.
        """
        queue = self.queues.get(target.id)
        if queue is None:
            queue = self.queues[target.id] = CallQueue(target.max_concurrency)
        waiting = len(queue.waiting.get(application, ()))
        if queue.full and (not self._timeout_s or waiting >= self._most_waiting):
            words = f"{target.slug} has no free slot, and {waiting:,} calls of this application wait. Retry later."
            raise come_back(429, QUEUE_FULL, words, COME_BACK_S)
        granted = asyncio.get_running_loop().create_future()
        place = queue.enter(application, lambda: None if granted.done() else granted.set_result(None))
        free = partial(self._leave, target.id, place)
        if place.running:
            return free
        try:
            async with asyncio.timeout(self._timeout_s):
                await granted
        except TimeoutError:
            if not place.running:  # else its turn came in the same moment
                free()
                words = f"{target.slug} had no free slot for {self._timeout_s:g} s. Retry later."
                raise come_back(503, QUEUE_TIMEOUT, words, COME_BACK_S) from None
        except BaseException:
            free()
            raise
        return free

    def is_full(self, target: Target) -> bool:
        """Whether a call would have to wait there."""
        queue = self.queues.get(target.id)
        return queue is not None and queue.full

    def _leave(self, deployment: int, place: Place) -> None:
        if queue := self.queues.get(deployment):
            queue.leave(place)
            if not queue.total:  # then none waits either
                del self.queues[deployment]

    def change_limits(self, limits: Mapping[int, int | None]) -> None:
        """Hold the deployments to these limits from now on; one that is not named keeps its own."""
        for deployment, queue in self.queues.items():
            queue.change_limit(limits.get(deployment, queue.limit))

    async def watch(self, snapshots: Snapshots) -> None:
        """Follow the limits as people and checks change them, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self.queues and snapshots.latest is not None:
                self.change_limits({target.id: target.max_concurrency for target in snapshots.latest.targets})
