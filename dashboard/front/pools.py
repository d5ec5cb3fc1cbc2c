"""Threads for one class of addresses with a short queue; a request that would wait too long is refused at once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Any

from django.utils.translation import gettext as _

from lib.errors import ApiError

LONG_S = 0.7  # seconds of a job after which `Pulse` checks whether the database still answers


@dataclass(eq=False, slots=True)
class Job:
    """Work for a thread. The caller waits for `answer`, which may be set before the work ends."""

    work: Callable[[], Any]
    finished: Callable[[], None]
    answer: asyncio.Future[Any]
    caller: object = None
    weight: int = 0
    timer: asyncio.TimerHandle | None = None


class FairQueue:
    """Waiting jobs; callers take turns, so that a caller with many jobs delays its own and not those of others."""

    def __init__(self) -> None:
        self._by_caller: OrderedDict[object, deque[Job]] = OrderedDict()  # in the order of the callers' turns
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, job: Job) -> None:
        self._by_caller.setdefault(job.caller, deque()).append(job)
        self._size += 1

    def next(self, may_start: Callable[[Job], bool]) -> Job | None:
        """Remove and return the next job that may start, the oldest of its caller; None if none may.

        If a heavy job waits for memory, later heavy jobs do not overtake it: else smaller ones could keep it waiting
        without an end.
        """
        passed_heavy = False
        for jobs in self._by_caller.values():
            job = jobs[0]
            if may_start(job) and not (job.weight and passed_heavy):
                break
            passed_heavy = passed_heavy or bool(job.weight)
        else:
            return None
        jobs.popleft()
        del self._by_caller[job.caller]
        if jobs:
            self._by_caller[job.caller] = jobs  # the caller's next turn comes after those of all others
        self._size -= 1
        return job

    def holds_heavy(self) -> bool:
        return any(jobs[0].weight for jobs in self._by_caller.values())

    def remove(self, job: Job) -> None:
        jobs = self._by_caller[job.caller]
        jobs.remove(job)
        self._size -= 1
        if not jobs:
            del self._by_caller[job.caller]

    def to_make_room_for(self, caller: object) -> Job | None:
        """The newest job of the caller with the most waiting jobs, if it has more than `caller` would have then."""
        most = max(self._by_caller.values(), key=len, default=deque[Job]())
        return most[-1] if len(most) > len(self._by_caller.get(caller, ())) + 1 else None

    def take_all(self) -> list[Job]:
        jobs = [job for of_caller in self._by_caller.values() for job in of_caller]
        self._by_caller.clear()
        self._size = 0
        return jobs


@dataclass(eq=False)
class Pool:
    """`threads` that work on a queue of at most `longest` jobs, of which each waits at most `wait_s` for a thread.

    Callers take turns. If the queue is full, the caller with the most waiting jobs loses one to a caller with fewer. A
    caller uses at most `threads - kept_free` threads, so that another's job can start however long its jobs take.

    A job may have a weight, the bytes of memory that it will need. Jobs that run together weigh at most `most_weight`;
    a heavy job waits up to `heavy_wait_s`.

    All but the work itself runs on the event loop. `suspect` is called whenever a job has taken `LONG_S` more.
    """

    name: str
    threads: int
    longest: int
    wait_s: float
    kept_free: int = 0
    most_weight: int = 0
    heavy_wait_s: float = 0.0
    suspect: Callable[[], None] = lambda: None
    running: set[Job] = field(default_factory=set)
    queue: FairQueue = field(default_factory=FairQueue)

    def __post_init__(self) -> None:
        # Plain daemon threads cost less than an executor's futures, and a stuck one does not keep the process alive.
        self._jobs: SimpleQueue[tuple[Job, asyncio.AbstractEventLoop] | None] = SimpleQueue()
        self._begun = 0
        self._running_of: Counter[object] = Counter()  # jobs by caller
        self.weight = 0  # of the running jobs, in bytes

    async def run(
        self,
        work: Callable[[], Any],
        finished: Callable[[], None] = lambda: None,
        caller: object = None,
        weight: int = 0,
    ) -> Any:
        """The result of `work` for `caller`; `finished` is called after the work, or when it will not be done.

        Raises ApiError (503) if no thread is free in time, the error of `tell`, and whatever `work` raises.
        """
        loop = asyncio.get_running_loop()
        job = Job(work, finished, loop.create_future(), caller, min(weight, self.most_weight))
        if self._may_start(job) and not (job.weight and self.queue.holds_heavy()):
            self._start(job)
        elif len(self.queue) < self.longest or self._makes_room(caller):
            self.queue.add(job)
            job.timer = loop.call_later(self.heavy_wait_s if job.weight else self.wait_s, self._give_up, job)
        else:
            finished()
            raise self._busy()
        return await job.answer

    def tell(self, error: ApiError) -> None:
        """Answer all callers with `error`. Work that has begun goes on: sending the same again changes nothing."""
        for job in self.queue.take_all():
            self._drop(job, error)
        for job in self.running:
            if not job.answer.done():
                job.answer.set_exception(error)

    def close(self) -> None:
        """End the threads after their present jobs."""
        for _number in range(self._begun):
            self._jobs.put(None)

    def _busy(self) -> ApiError:
        # Random, so that the refused callers do not all come back in the same second.
        wait = random.randint(1, 3)
        return ApiError(503, _("The server is busy. Send the same again in a moment."), retry_after=wait)

    def _makes_room(self, caller: object) -> bool:
        """Refuse another caller's waiting job to make room for this caller's; False if none has to give way."""
        job = self.queue.to_make_room_for(caller)
        if job is not None:
            self._give_up(job)
        return job is not None

    def _give_up(self, job: Job) -> None:
        self.queue.remove(job)
        self._drop(job, self._busy())

    def _drop(self, job: Job, error: ApiError) -> None:
        if job.timer is not None:
            job.timer.cancel()
        job.finished()
        if not job.answer.done():
            job.answer.set_exception(error)

    def _may_start(self, job: Job) -> bool:
        return (
            len(self.running) < self.threads
            and self._running_of[job.caller] < self.threads - self.kept_free
            and (not job.weight or self.weight + job.weight <= self.most_weight)
        )

    def _start(self, job: Job) -> None:
        loop = asyncio.get_running_loop()
        self.running.add(job)
        self._running_of[job.caller] += 1
        self.weight += job.weight
        if job.timer is not None:
            job.timer.cancel()
        job.timer = loop.call_later(LONG_S, self._is_long, job)
        if len(self.running) > self._begun:
            self._begun += 1
            Thread(target=self._serve, name=f"{self.name}-{self._begun}", daemon=True).start()
        self._jobs.put((job, loop))

    def _is_long(self, job: Job) -> None:
        self.suspect()
        job.timer = asyncio.get_running_loop().call_later(LONG_S, self._is_long, job)

    def _serve(self) -> None:
        """The loop of one thread; ends after `close`."""
        while (task := self._jobs.get()) is not None:
            job, loop = task
            result, error = None, None
            try:
                result = job.work()
            except Exception as raised:
                error = raised
            with suppress(RuntimeError):  # the event loop has ended
                loop.call_soon_threadsafe(self._done, job, result, error)
            del task, job, result, error  # else they would stay in memory until the next job

    def _done(self, job: Job, result: Any, error: Exception | None) -> None:
        self.running.discard(job)
        self.weight -= job.weight
        self._running_of[job.caller] -= 1
        if not self._running_of[job.caller]:
            del self._running_of[job.caller]
        if job.timer is not None:
            job.timer.cancel()
        job.finished()
        while (waiting := self.queue.next(self._may_start)) is not None:
            self._start(waiting)
        if job.answer.done():  # `tell` answered before, or the caller has disconnected
            if result is not None and hasattr(result, "close"):
                result.close()
        elif error is not None:
            job.answer.set_exception(error)
        else:
            job.answer.set_result(result)
