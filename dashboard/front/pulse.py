"""Checks whether the database still answers when a request takes longer than usual.

A frozen Postgres accepts statements and does not answer. Each thread would find that out by its own time-out, one round
of waiting callers after the other. So one connection asks `SELECT 1`, and all waiting callers get its result.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg

from dashboard.front.refusals import away
from dashboard.http.database_away import first_line
from lib.errors import ApiError
from lib.events import log_event

logger = logging.getLogger(__name__)

AGAIN_S = 1.0


class Pulse:
    """Asks the database while it does not answer; calls `tell` with the error after each failed attempt."""

    def __init__(self, ask: Callable[[], None], tell: Callable[[ApiError], None]) -> None:
        self.away, self._since = False, 0.0
        self._ask, self._tell = ask, tell
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pulse")
        self._asking: asyncio.Task[None] | None = None

    def suspect(self) -> None:
        """Start asking unless it is under way. Must be called on the event loop."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._until_it_answers())

    async def _until_it_answers(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(self._thread, self._ask)
            except psycopg.Error as error:
                self._is_away(error)
            except Exception as error:  # an error of ours, which says nothing about the database
                log_event(logger, logging.ERROR, "database_probe_crashed", exc_info=error)
                break
            else:
                break
            await asyncio.sleep(AGAIN_S)
        if self.away:
            log_event(logger, logging.WARNING, "database_back", away_s=round(loop.time() - self._since))
        self.away = False

    def _is_away(self, error: psycopg.Error) -> None:
        if not self.away:
            self._since = asyncio.get_running_loop().time()
            log_event(logger, logging.WARNING, "database_away", error=first_line(error), sqlstate=error.sqlstate)
        self.away = True
        self._tell(away())

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
