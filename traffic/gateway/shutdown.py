"""Graceful shutdown: no new calls, a grace period for those under way, then they are cut and recorded.

The server is told by SIGTERM. It would stop to listen at once, and wait for the calls without end; so that signal is
taken here, and the server gets its own SIGINT once nothing is under way any more.

Where another gateway listens on the same port, it takes over: this one gives up its place there at once, answers what
comes over the connections that it has, and closes each of them with its answer. So no call is refused.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine
from typing import Any

from lib.events import log_event
from traffic.gateway.hang_up import STOPPED, TOO_SLOW, HangUp
from traffic.gateway.listeners import hand_over
from traffic.gateway.refusals import Send, come_back

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
CUT_S = 2.0  # for calls that are cut to write their rows
COME_BACK_S = 5  # when there should be another gateway
HAND_OVER_S = 2.0  # without a call, in which callers give up or use the connections that they have kept


class Shutdown:
    """The calls under way, and the end of them all. For one event loop."""

    def __init__(self, grace_s: float, send_timeout_s: float) -> None:
        self.calls: set[HangUp] = set()
        self.begun = False
        self.handed_over = False  # another gateway gets the new connections
        self._grace_s = grace_s
        self._send_timeout_s = send_timeout_s
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Take SIGTERM over, and look after callers that take nothing."""
        loop = asyncio.get_running_loop()
        try:
            loop.add_signal_handler(signal.SIGTERM, self._on_signal)
        except (NotImplementedError, RuntimeError, ValueError):
            log_event(logger, logging.WARNING, "gateway_signal_not_handled", signal="SIGTERM")
        self.beside(self._look_after())

    def refuse_new(self) -> None:
        """Raises Refusal once the end has begun."""
        if self.begun and not self.handed_over:
            raise come_back(503, "stopping", "This gateway is about to stop. Retry to reach another.", COME_BACK_S)

    async def cut(self) -> None:
        """End what is under way, and wait until it has said so."""
        self.begun = True
        for call in self.calls.copy():
            call.end(STOPPED)
        await self._until_none(CUT_S)
        for task in self._tasks:
            task.cancel()

    def _on_signal(self) -> None:
        if not self.begun:  # a group is signalled, and each process of it passes the signal on
            self.begun = True
            self.handed_over = hand_over()
            self.beside(self._drain())

    async def _drain(self) -> None:
        log_event(logger, logging.INFO, "gateway_stopping", calls=len(self.calls), grace_s=self._grace_s,
                  handed_over=self.handed_over)  # fmt: skip
        if self.handed_over:
            await self._until_quiet(self._grace_s)
        else:
            await self._until_none(self._grace_s)
        if self.calls:
            log_event(logger, logging.WARNING, "gateway_calls_cut", calls=len(self.calls))
        for call in self.calls.copy():
            call.end(STOPPED)
        await self._until_none(CUT_S)
        os.kill(os.getpid(), signal.SIGINT)

    async def _until_quiet(self, seconds: float) -> None:
        """Until no call has been under way for a while: a caller may use its connection again after a long stream."""
        clock = asyncio.get_running_loop().time
        end, busy_at = clock() + seconds, clock()
        while clock() < min(end, busy_at + HAND_OVER_S):
            if self.calls:
                busy_at = clock()
            await asyncio.sleep(0.02)

    async def _until_none(self, seconds: float) -> None:
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        while self.calls and clock() < end:
            await asyncio.sleep(0.02)

    async def _look_after(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for call in self.calls.copy():
                if call.sending_since is not None and 0 < self._send_timeout_s < clock() - call.sending_since:
                    call.end(TOO_SLOW)

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the calls, until their end."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def closing(send: Send) -> Send:
    """The same, with answers that close their connection."""

    async def send_and_close(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return send_and_close
