"""Threads for one class of addresses, and a short queue before them: who would wait too long is told at once."""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict, deque
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

    def next(self) -> Job:
        """The oldest job of the caller whose turn it is. Raises KeyError when nobody waits."""
        caller, jobs = self._by_caller.popitem(last=False)
        job = jobs.popleft()
        if jobs:
            self._by_caller[caller] = jobs  # behind all others
        self._size -= 1
        return job

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

    Callers take turns. In a full queue whoever has most waiting gives a place to who has less.

    Everything but the work itself happens on the event loop. `suspect` is called each time that a job has taken
    longer than usual.
    """

    name: str
    threads: int
    longest: int
    wait_s: float
    suspect: Callable[[], None] = lambda: None
    running: set[Job] = field(default_factory=set)
    queue: FairQueue = field(default_factory=FairQueue)

    def __post_init__(self) -> None:
        # Cheaper than an executor, whose futures nobody needs here; and a thread that is stuck ends with the process.
        self._jobs: SimpleQueue[tuple[Job, asyncio.AbstractEventLoop] | None] = SimpleQueue()
        self._begun = 0

    async def run(
        self, work: Callable[[], Any], finished: Callable[[], None] = lambda: None, caller: object = None
    ) -> Any:
        """The result of `work` for `caller`; `finished` is called when it is over, or will not be done.

        Raises ApiError (503) where no thread comes free in time, or as `tell` says, and whatever `work` raises.
        """
        loop = asyncio.get_running_loop()
        job = Job(work, finished, loop.create_future(), caller)
        if len(self.running) < self.threads:
            self._start(job)
        elif len(self.queue) < self.longest or self._makes_room(caller):
            self.queue.add(job)
            job.timer = loop.call_later(self.wait_s, self._give_up, job)
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

    def _start(self, job: Job) -> None:
        loop = asyncio.get_running_loop()
        self.running.add(job)
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
        if job.timer is not None:
            job.timer.cancel()
        job.finished()
        while self.queue and len(self.running) < self.threads:
            self._start(self.queue.next())
        if job.answer.done():  # told before, or the caller is gone
            if result is not None and hasattr(result, "close"):
                result.close()
        elif error is not None:
            job.answer.set_exception(error)
        else:
            job.answer.set_result(result)
