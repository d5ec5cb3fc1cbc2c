"""How many calls are under way at each target, for rules that choose the least busy one.

Each process counts its own. Where a rule asks for it, the processes tell each other once a second through Valkey,
beside the calls; while Valkey does not answer each knows its own alone.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lib.repeated_events import log_repeated
from traffic.gateway.concurrency import FreeSlot
from traffic.gateway.routes import Target

logger = logging.getLogger(__name__)

TELL_EVERY_S = 1.0
LAST_S = 5  # seconds by Valkey's clock; after them a process that says nothing counts no more
ANSWER_S = 0.5
COUNTS = "gateways:running"
# Keeps the counts of one process, and returns those of the others.
EXCHANGE = """
local now = tonumber(redis.call('TIME')[1])
redis.call('HSET', KEYS[1], ARGV[1], now .. ' ' .. ARGV[2])
redis.call('EXPIRE', KEYS[1], 60)
local others, all = {}, redis.call('HGETALL', KEYS[1])
for place = 1, #all, 2 do
  local at, counts = string.match(all[place + 1], '^(%d+) (.*)$')
  if now - tonumber(at) > tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[1], all[place])
  elseif all[place] ~= ARGV[1] then
    others[#others + 1] = counts
  end
end
return others
"""
_decoder = msgspec.json.Decoder(dict[int, int])


class Running(dict[int, int]):
    """Calls of this process by the target's id. For one event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere: dict[int, int] = {}  # of the other processes, as they said last

    def enter(self, target: Target, free_slot: FreeSlot) -> FreeSlot:
        """Count a call until what is returned is called, which frees its slot too. A second call changes nothing."""
        key = target.id
        self[key] = self.get(key, 0) + 1
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                self[key] -= 1
            free_slot()

        return leave

    def everywhere(self) -> Mapping[int, int]:
        """With those of the other processes."""
        if not self.elsewhere:
            return self
        return {key: self.get(key, 0) + self.elsewhere.get(key, 0) for key in self.keys() | self.elsewhere.keys()}


class RunningExchange:
    """Tells the other processes what runs here, and takes in what runs there; opens nothing before it is needed."""

    def __init__(self, running: Running, queue_url: str) -> None:
        self._running = running
        self._queue_url = queue_url
        self._name = secrets.token_hex(8)
        self._client: Any = None
        self._script: Any = None
        self._errors: tuple[type[Exception], ...] = (OSError, TimeoutError, msgspec.DecodeError)

    async def watch(self, needed: Callable[[], bool]) -> None:
        """For ever, while `needed` holds."""
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            if needed():
                await self.tell()
            else:
                self._running.elsewhere = {}

    async def tell(self) -> None:
        """Once. Where Valkey does not answer, nothing is known of the others."""
        try:
            if self._client is None:
                await asyncio.to_thread(importlib.import_module, "redis.asyncio")  # 0.2 s
                self._open()
            counts = msgspec.json.encode({key: calls for key, calls in self._running.items() if calls})
            others = await self._script(keys=[COUNTS], args=[self._name, counts, LAST_S])
            elsewhere: dict[int, int] = {}
            for text in others:
                for key, calls in _decoder.decode(text).items():
                    elsewhere[key] = elsewhere.get(key, 0) + calls
            self._running.elsewhere = elsewhere
        except self._errors as error:
            self._running.elsewhere = {}
            log_repeated(logger, logging.WARNING, "running_calls_not_shared", error=type(error).__name__)

    def _open(self) -> None:
        from redis import asyncio as redis
        from redis.exceptions import RedisError

        self._errors = (*self._errors, RedisError)
        self._client = redis.Redis.from_url(
            self._queue_url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S, max_connections=1
        )
        self._script = self._client.register_script(EXCHANGE)

    async def close(self) -> None:
        """Close the connection; what was told ends by its age."""
        if self._client is not None:
            await self._client.aclose()
