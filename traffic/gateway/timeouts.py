"""The time-outs of a call at its target: to connect, to the first byte, of a silence within the answer, and in all.

What a deployment leaves open is as the gateway's settings say. Which of them ended a call stands in its row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache

import aiohttp

from traffic.gateway.exchange import Exchange
from traffic.gateway.routes import Target

CONNECT, FIRST_BYTE, IDLE, TOTAL = "connect", "first_byte", "idle", "total"
SENTENCES = {
    CONNECT: "{} could not be reached in time.",
    FIRST_BYTE: "{} did not answer in time.",
    IDLE: "{} fell silent within its answer.",
    TOTAL: "{} did not end its answer in time.",
}


class TotalTimeout(TimeoutError):
    """The whole answer took too long."""


def kind_of(error: TimeoutError) -> str:
    """Which time-out ended a call that has no answer yet."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return CONNECT
    return FIRST_BYTE if isinstance(error, aiohttp.ServerTimeoutError) else TOTAL


class Timeouts:
    """The time-outs of targets, with those of the gateway for what they leave open, in seconds."""

    def __init__(self, *, connect_s: float, silence_s: float) -> None:
        self._connect_s = connect_s
        self._silence_s = silence_s

    def of(self, target: Target) -> aiohttp.ClientTimeout:
        """Until the head of the answer is there."""
        return _timeout(target.connect_timeout_s or self._connect_s, target.first_byte_timeout_s or self._silence_s)

    def begin(self, exchange: Exchange, target: Target, upstream: aiohttp.ClientResponse, asked_at: float) -> None:
        """From the head of the answer on; `asked_at` is of the loop's clock."""
        end(exchange)
        exchange.deadline = hold(target, upstream, asked_at, lambda: exchange.facts.update(timeout=TOTAL))


def hold(
    target: Target, upstream: aiohttp.ClientResponse, asked_at: float, expired: Callable[[], None] = lambda: None
) -> asyncio.TimerHandle | None:
    """Hold an answer to its target's time-outs from its head on; what ends the last of them, to be cancelled."""
    if target.idle_timeout_s is not None and upstream.connection is not None:
        protocol = upstream.connection.protocol
        if protocol is not None:
            protocol.read_timeout = target.idle_timeout_s
            protocol.start_timeout()
    if target.total_timeout_s is None:
        return None

    def expire() -> None:
        expired()
        upstream.content.set_exception(TotalTimeout())

    return asyncio.get_running_loop().call_at(asked_at + target.total_timeout_s, expire)


def end(exchange: Exchange) -> None:
    """The answer is over, or is not passed on."""
    if exchange.deadline is not None:
        exchange.deadline.cancel()
        exchange.deadline = None


@lru_cache(256)
def _timeout(connect_s: float, silence_s: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=connect_s, sock_read=silence_s)
