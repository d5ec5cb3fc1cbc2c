"""Threads for one class of addresses, and a short queue before them: who would wait too long is told at once."""

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

LONG_S = 0.7  # after so many seconds of a job somebody asks whether the database is still there


@dataclass(eq=False, slots=True)
class Job:
    """Work for a thread. `answer` is what its caller waits for, who may be told sooner."""

    work: Callable[[], Any]
    finished: Callable[[], None]
    answer: asyncio.Future[Any]
    caller: object = None
    weight: int = 0
    timer: asyncio.TimerHandle | None = None


class FairQueue:
    """Jobs that wait, in turns by caller: who sends much waits behind their own, and not before everybody else."""

    def __init__(self) -> None:
        self._by_caller: OrderedDict[object, deque[Job]] = OrderedDict()  # whose turn it is comes first
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, job: Job) -> None:
        self._by_caller.setdefault(job.caller, deque()).append(job)
        self._size += 1

    def next(self, may_start: Callable[[Job], bool]) -> Job | None:
        """The first in turn of the callers' oldest jobs that may start; None where none may.

        Behind a heavy one that waits for room no other heavy one starts: it would wait until none comes any more.
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
            self._by_caller[job.caller] = jobs  # behind all others
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
        """The newest job of the caller that has most in line, when that is more than `caller` would have."""
        most = max(self._by_caller.values(), key=len, default=deque[Job]())
        return most[-1] if len(most) > len(self._by_caller.get(caller, ())) + 1 else None

    def take_all(self) -> list[Job]:
        jobs = [job for of_caller in self._by_caller.values() for job in of_caller]
        self._by_caller.clear()
        self._size = 0
        return jobs


@dataclass(eq=False)
class Pool:
    """`threads` that serve, a queue of at most `longest` jobs, each of which waits at most `wait_s` for a thread.

    Callers take turns. In a full queue whoever has most waiting gives a place to who has less. `kept_free` threads are
    never those of a caller who runs all the others: however long the jobs of one caller take, another's can start.

    A job may have a weight, in bytes that it will need; jobs that run together weigh at most `most_weight`, and one of
    them waits up to `heavy_wait_s`.

    Everything but the work itself happens on the event loop. `suspect` is called each time that a job has taken
    longer than usual.
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
        # Cheaper than an executor, whose futures nobody needs here; and a thread that is stuck ends with the process.
        self._jobs: SimpleQueue[tuple[Job, asyncio.AbstractEventLoop] | None] = SimpleQueue()
        self._begun = 0
        self._running_of: Counter[object] = Counter()  # jobs by caller
        self.weight = 0  # of those that run

    async def run(
        self,
        work: Callable[[], Any],
        finished: Callable[[], None] = lambda: None,
        caller: object = None,
        weight: int = 0,
    ) -> Any:
        """The result of `work` for `caller`; `finished` is called when it is over, or will not be done.

        Raises ApiError (503) where no thread comes free in time, or as `tell` says, and whatever `work` raises.
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
        """Everybody who waits is answered so. Work that has begun goes on: to send the same again changes nothing."""
        for job in self.queue.take_all():
            self._drop(job, error)
        for job in self.running:
            if not job.answer.done():
                job.answer.set_exception(error)

    def close(self) -> None:
        """Its threads end with what they have in hand."""
        for _number in range(self._begun):
            self._jobs.put(None)

    def _busy(self) -> ApiError:
        # Not all at once again.
        wait = random.randint(1, 3)
        return ApiError(503, _("The server is busy; send the same again in a moment."), retry_after=wait)

    def _makes_room(self, caller: object) -> bool:
        """Whether somebody else's job was told to come again in the place of this caller's."""
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
        """One thread, until `close`."""
        while (task := self._jobs.get()) is not None:
            job, loop = task
            result, error = None, None
            try:
                result = job.work()
            except Exception as raised:
                error = raised
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(self._done, job, result, error)
            del task, job, result, error  # or they would be kept until the next comes

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
        if job.answer.done():  # told before, or the caller is gone
            if result is not None and hasattr(result, "close"):
                result.close()
        elif error is not None:
            job.answer.set_exception(error)
        else:
            job.answer.set_result(result)
