"""Hedged calls: where a target is silent for too long a second, equal one is asked too, and the slower is cancelled.

Each of the two is a call of its own with its own row, slot and reservation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

import aiohttp

from traffic.gateway.concurrency import no_slot
from traffic.gateway.exchange import Exchange
from traffic.gateway.resilience import is_failure
from traffic.gateway.routes import Target
from traffic.request_ids import request_id

_unwanted: set[asyncio.Task[Exchange | None]] = set()  # second calls whose preparing is not over
Ask = Callable[[Exchange], Coroutine[Any, Any, aiohttp.ClientResponse]]
GUESS = ("guessed_task",)  # facts that hold for a copy too
HEDGE_LOST = "hedge_lost"  # the error of the row of the slower one


def partner_of(exchange: Exchange) -> Target | None:
    """The equal target that a call is sent to as well when its first one is silent; None: the rule does not hedge."""
    rule, targets = exchange.decision.of, exchange.decision.targets
    if rule is None or not rule.hedge_ms or not exchange.recorded or targets[0] not in exchange.decision.equals:
        return None
    return next((target for target in targets[1:] if target in exchange.decision.equals and not target.down), None)


def copied(exchange: Exchange, target: Target, name: str, **more: Any) -> Exchange:
    """The same call again for another target, as a request of its own."""
    external_id = f"{exchange.external_id}-{name}"
    started_at = more.get("started_at", exchange.started_at)
    identifier = request_id(exchange.salt, exchange.application.id, external_id, started_at.date())
    capped = exchange.capped and replace(exchange.capped, id=external_id)
    shadow = exchange.decision.shadow if target is not exchange.decision.shadow else None
    decision = replace(exchange.decision, targets=(target,), canary=None, shadow=shadow)
    fresh = {
        "target": target,
        "tries": [],
        "free_slot": no_slot,
        "hold": None,
        "facts": {name: exchange.facts[name] for name in GUESS if name in exchange.facts} | more.pop("facts", {}),
        "translation": None,
        "deadline": None,
    }
    changes = {"capped": capped, "decision": decision, "external_id": external_id, "request_id": identifier}
    return replace(exchange, **{**fresh, **changes, **more})


async def hedged(
    exchange: Exchange,
    after_s: float,
    ask: Ask,
    second: Callable[[], Coroutine[Any, Any, Exchange | None]],
    unsent: Callable[[Exchange], None],
    lost: Callable[[Exchange, aiohttp.ClientResponse | None], None],
) -> tuple[Exchange, aiohttp.ClientResponse]:
    """The call that answers first, and its answer.

    `second` makes the other call, or None where it cannot be sent now. It is never cancelled, for it reserves of caps;
    where the first call is over before, `unsent` gets what it made. `lost` is told of each call that does not go on,
    with its answer where that is an error. Raises what `ask` raises for the first call where both fail.
    """
    first = asyncio.create_task(ask(exchange))
    calls = {first: exchange}
    winner: asyncio.Task[aiohttp.ClientResponse] | None = None
    other: asyncio.Task[Exchange | None] | None = None
    try:
        await asyncio.wait(calls, timeout=after_s)
        if not first.done():
            other = asyncio.create_task(second())
            await asyncio.wait({first, other}, return_when=asyncio.FIRST_COMPLETED)
            if not first.done():
                copy, other = other.result(), None
                if copy is not None:
                    exchange.facts["hedged"], copy.facts["hedged"] = str(copy.request_id), str(exchange.request_id)
                    calls[asyncio.create_task(ask(copy))] = copy
        waiting = set(calls)
        while waiting and winner is None:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            winner = next((task for task in done if _answers(task)), None)
        winner = winner or first  # both failed: as if the second one had not been asked
        return calls[winner], winner.result()
    finally:
        if other is not None:
            _unwanted.add(other)
            other.add_done_callback(partial(_give_up, unsent))
        for task, call in calls.items():
            if task is winner:
                continue
            answer = task.result() if task.done() and not task.cancelled() and task.exception() is None else None
            task.cancel()
            if call is not exchange or winner is not None:  # else its caller has gone, which is recorded elsewhere
                lost(call, answer)
            if answer is not None:
                answer.close()


def _give_up(unsent: Callable[[Exchange], None], other: asyncio.Task[Exchange | None]) -> None:
    _unwanted.discard(other)
    if not other.cancelled() and (copy := other.result()) is not None:
        unsent(copy)


def _answers(task: asyncio.Task[aiohttp.ClientResponse]) -> bool:
    return task.exception() is None and not is_failure(task.result().status)
