"""Ends a call before its answer ends: the caller has gone or takes nothing, or the gateway stops."""

from __future__ import annotations

import asyncio

from traffic.gateway.refusals import Receive, Send

STOPPED, HUNG_UP, TOO_SLOW = "gateway_stopped", "caller_hung_up", "caller_too_slow"


class HangUp:
    """Ends a task when its caller goes away. Looked for only after a moment: most calls are over before."""

    LOOK_AFTER_S = 0.05

    def __init__(self, receive: Receive) -> None:
        self.happened = False
        self.reason = STOPPED  # who else cancels a call is the server, at its end
        self.sending_since: float | None = None  # by the loop's clock, while the caller takes nothing
        self._receive = receive
        call = asyncio.current_task()
        assert call is not None
        self.call: asyncio.Task[None] = call
        self._watch: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self.LOOK_AFTER_S, self._start)

    def _start(self) -> None:
        self._watch = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.end(HUNG_UP)

    def end(self, reason: str) -> None:
        """End the call for a reason that its row tells."""
        if not self.happened:
            self.happened = True
            self.reason = reason
            self.call.cancel()

    async def send(self, send: Send, piece: bytes) -> None:
        """Pass a piece of an answer on, and leave to see since when the caller does not take it."""
        self.sending_since = self._loop.time()
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        self.sending_since = None

    def stop(self) -> None:
        self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
