"""Reserves and settles what calls use of their caps: exact among all gateways, for the counters are in Valkey.

A call without caps touches nothing of this. Whatever happens to Valkey, a call is let through or refused as the
installation says, and counted when Valkey is back. Counters that Valkey lost are read from Postgres.

For one event loop; `moved` may be called from any thread.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from time import monotonic
from typing import Any
from uuid import UUID

import psycopg

from lib.repeated_events import log_repeated
from traffic.authentication.limits import seconds_until
from traffic.caps.windows import Window, amount_of, window_of
from traffic.gateway.caps import scripts
from traffic.gateway.caps.amounts import NOBODY, REST, Cap, Charge, NoBound, NoPrice, most_tokens, reserved, used
from traffic.gateway.caps.counted_use import CountedUse
from traffic.gateway.caps.pipeline import NoAnswer, Pipeline
from traffic.gateway.protocols import BESIDE_THE_LOOP, GatewayRequest
from traffic.gateway.refusals import Refusal, come_back
from traffic.gateway.routes import Target
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import CapCharge, RequestRow, Tokens

logger = logging.getLogger(__name__)

LEASE_MS = 60_000  # after which the reservation of a gateway that died ends
PROLONG_EVERY_S = 20.0
LOOK_EVERY_S = 0.5
MOST_USERS = 10_000  # counted one by one in a window of a cap; all others share a counter
MOST_OWED = 10_000  # counters
SETTLED_S, MOVED_S = 60.0, 1.0  # how long a settled call is remembered, and once its row is in Postgres


@dataclass(frozen=True, slots=True)
class CappedCall:
    """A call with caps, as far as they are concerned."""

    id: str
    caps: tuple[Cap, ...]
    request: GatewayRequest
    user: UUID | None  # the hash of its end user
    zone: tzinfo  # in which days begin
    refuse: bool  # it is refused where its caps cannot be held


@dataclass(slots=True)
class Hold:
    """What one call has reserved of its caps. `held` False: it was let through, for Valkey was away."""

    call: str
    charges: list[Charge]
    held: bool = False

    @property
    def told(self) -> tuple[CapCharge, ...]:
        return tuple(charge.told() for charge in self.charges)


class CapReached(Refusal):
    """A cap leaves no room for this call."""


@dataclass(slots=True)
class Gap:
    """Calls that were let through or refused because caps could not be held, since this was last asked."""

    calls: int = 0
    since: datetime | None = None


@dataclass(slots=True)
class _Settled:
    charges: list[tuple[Charge, int]]
    at: float = field(default_factory=monotonic)
    moved_at: float | None = None


class CapLedger:
    """The counters of all caps. To be made inside the event loop; opens nothing before the first call with a cap."""

    def __init__(
        self, queue_url: str, database_url: str, pricing: Callable[[], PricingContext | None], gap: Gap
    ) -> None:
        self.gap = gap
        self._use = CountedUse(database_url)
        self._pricing = pricing
        self._valkey = Pipeline(queue_url)
        self._away = False  # Valkey does not answer: calls do not wait for it until it does again
        self._born: str | None = None
        self._open: dict[str, Hold] = {}
        self._owed: dict[str, tuple[Charge, int]] = {}  # by counter
        self._settled: dict[str, _Settled] = {}  # by call
        self._seeding: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def reserve(self, call: CappedCall, target: Target) -> Hold:
        """Reserve what a call may use of each of its caps, or nothing.

        Raises CapReached where one leaves no room, and Refusal where one cannot be held and the call is to be refused.
        """
        now = datetime.now(UTC)
        charges = []
        counts = all(cap.at_once for cap in call.caps)
        if counts:
            tokens = Tokens()
        elif len(call.request.body) > BESIDE_THE_LOOP:  # it looks through the body: once for all caps
            tokens = await asyncio.to_thread(most_tokens, call.request, target)
        else:
            tokens = most_tokens(call.request, target)
        for cap in call.caps:
            amount = self._amount(cap, tokens, call, target, now)
            if amount:
                owner = (call.user or NOBODY) if cap.each_user else NOBODY
                charges.append(Charge(cap, _window(cap.period, int(now.timestamp() // 60), call.zone), amount, owner))
        hold = Hold(call.id, charges)
        if not charges:
            return hold
        try:
            if not self._away:
                await self._reserve(hold, now)
                return hold
        except Refusal:
            raise
        except psycopg.Error as error:  # a window that Valkey does not know: the others are as they were
            log_repeated(logger, logging.ERROR, "cap_window_unread", error=type(error).__name__)
        except NoAnswer as error:
            self._lost(error)
        self.gap.calls += 1
        self.gap.since = self.gap.since or now
        if call.refuse:
            raise come_back(503, "caps-away", "The counters of caps do not answer, so this call is refused.", 2)
        return hold

    def _amount(self, cap: Cap, tokens: Tokens, call: CappedCall, target: Target, now: datetime) -> int:
        try:
            return reserved(cap.unit, tokens, call.request, target, self._pricing(), now)
        except NoBound:
            words = (
                f"The context of {target.slug} is not known, so the cap of {cap.words} cannot be held."
                " This call reads a file, an address, an earlier answer or what a tool finds."
            )
            raise Refusal(403, "cap-without-bound", words) from None
        except NoPrice:
            words = (
                f"No price is known for {target.model} of {target.provider}, so the cap of {cap.words} cannot be held."
            )
            raise Refusal(403, "cap-without-price", words) from None

    async def _reserve(self, hold: Hold, now: datetime) -> None:
        """Where the caller leaves meanwhile it is given back: Valkey may have done it."""
        for _ in range(3 * len(hold.charges) + 1):  # each counter may be many users', then unknown
            keys = [scripts.BORN]
            arguments: list[str | int] = [hold.call, LEASE_MS, MOST_USERS]
            for charge in hold.charges:
                cap, counter = charge.cap, charge.counter
                keys += [counter.key, counter.calls, counter.users]
                arguments += [
                    cap.limit, charge.amount, int(cap.at_once), counter.begun, counter.ends, counter.of_user,
                ]  # fmt: skip
            answer = self._valkey.run(scripts.RESERVE, keys, arguments)
            try:
                word, born, *more = (await asyncio.shield(answer)).split()
                if born != self._born:
                    await asyncio.shield(self._begin(self._see(born)))
            except asyncio.CancelledError:
                answer.add_done_callback(lambda answer: self._give_up(answer, hold))
                raise
            if word == "ok":
                hold.held = True
                self._open[hold.call] = hold
                return
            charge = hold.charges[int(more[0]) - 1]
            if word == "full":
                raise full(charge, int(more[1]), int(more[2]), now)
            if word == "many":
                charge.user = REST
            else:
                await self._seed(charge)
        raise NoAnswer("the counters are lost again and again")

    def _give_up(self, answer: asyncio.Future[str], hold: Hold) -> None:
        if answer.exception() is None and answer.result().startswith("ok"):
            hold.held = True
            self.give_back(hold)

    def settle(self, hold: Hold, row: RequestRow) -> None:
        """Count what a finished call used in place of what it reserved; does not wait."""
        pricing = self._pricing()
        amounts = [used(charge.cap.unit, row, pricing, charge.amount) for charge in hold.charges]
        if hold.charges:
            self._settled[hold.call] = _Settled(list(zip(hold.charges, amounts, strict=True)))
            self._settle(hold, amounts)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def give_back(self, hold: Hold) -> None:
        """Reserve nothing any more, for it is not sent or its target has not answered; does not wait. What is reserved
        after it finds it done."""
        self._settle(hold, [0] * len(hold.charges))

    def _settle(self, hold: Hold, amounts: Sequence[int]) -> None:
        self._open.pop(hold.call, None)
        pairs = [
            (charge, amount)
            for charge, amount in zip(hold.charges, amounts, strict=True)
            if not (charge.cap.at_once and amount and hold.held)  # which was counted when it was reserved
        ]
        if not pairs:
            return
        if not hold.held or self._away:
            self._owe(pairs)
            return
        keys: list[str] = []
        arguments: list[str | int] = [hold.call]
        for charge, amount in pairs:
            keys += charge.counter[:2]
            arguments += [charge.amount, amount, int(charge.cap.at_once)]
        answer = self._valkey.run(scripts.SETTLE, keys, arguments, later=True)
        answer.add_done_callback(lambda answer: self._settled_by(answer, pairs))

    def _settled_by(self, answer: asyncio.Future[str], pairs: Sequence[tuple[Charge, int]]) -> None:
        if (error := answer.exception()) is not None:
            self._lost(error)
            self._owe(pairs)

    def _owe(self, pairs: Iterable[tuple[Charge, int]]) -> None:
        for charge, amount in pairs:
            if amount and len(self._owed) < MOST_OWED:
                before = self._owed.get(charge.counter.key, (charge, 0))[1]
                self._owed[charge.counter.key] = (charge, before + amount)

    def moved(self, calls: Iterable[str]) -> None:
        """The rows of these calls are in Postgres."""
        for call in calls:
            if (settled := self._settled.get(call)) is not None:
                settled.moved_at = monotonic()

    async def watch(self, needed: Callable[[], bool]) -> None:
        """Prolong reservations, pay what is owed, forget what is old; for ever. `needed`: whether there are caps."""
        prolong_at, imported = 0.0, False
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now = monotonic()
            if not imported and needed():  # the import takes longer than a call may wait
                await asyncio.to_thread(importlib.import_module, "redis.asyncio")
                imported = True
            for call, settled in list(self._settled.items()):
                if now - settled.at > SETTLED_S or now - (settled.moved_at or now) > MOVED_S:
                    del self._settled[call]
            try:
                if self._away:
                    await self._valkey.run(scripts.SINCE, [scripts.BORN], ())
                    self._away = False
                await self._pay()
                if now >= prolong_at:
                    prolong_at = now + PROLONG_EVERY_S
                    for hold in list(self._open.values()):
                        await self._hold(hold, lost=False)
            except NoAnswer as error:
                self._lost(error)

    async def close(self) -> None:
        """Wait for what is being settled, and close the connections."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2)
        self._use.close()
        await self._valkey.close()

    async def _pay(self) -> None:
        if not self._owed:
            return
        if not (born := await self._valkey.run(scripts.SINCE, [scripts.BORN], ())):
            self._owed.clear()  # Valkey is empty; their rows are in Postgres
            return
        await self._see(born)
        for counter, (charge, amount) in list(self._owed.items()):
            await self._add(charge, amount, always=False)
            left = self._owed.pop(counter, (charge, 0))[1] - amount
            if left > 0:
                self._owed[counter] = (charge, left)

    async def _add(self, charge: Charge, amount: int, *, always: bool) -> None:
        counter = charge.counter
        arguments = [amount, counter.begun, counter.ends, int(always)]
        await self._valkey.run(scripts.ADD, [counter.key, scripts.BORN], arguments)

    async def _hold(self, hold: Hold, *, lost: bool) -> None:
        """Prolong what a call has reserved; make it again where it is `lost`. Not where the call has ended."""
        for charge in hold.charges:
            if charge.cap.at_once:
                continue
            if self._open.get(hold.call) is not hold:
                return
            keys = charge.counter[:2]
            lease = (hold.call, LEASE_MS, charge.amount, charge.counter.ends, int(lost))
            await self._valkey.run(scripts.HOLD, keys, lease)
            if lost and hold.call not in self._open:  # it may have been settled before it was made again
                await self._valkey.run(scripts.SETTLE, keys, [hold.call, charge.amount, 0, 0])

    async def _see(self, born: str) -> None:
        """Where Valkey lost its counters, give it again what Postgres does not know yet."""
        before, self._born = self._born, born
        if before in (None, born):
            return
        log_repeated(logger, logging.WARNING, "cap_counters_lost", calls=len(self._open))
        self._owed.clear()  # their rows are in Postgres, or below
        for settled in list(self._settled.values()):
            for charge, amount in settled.charges:
                await self._add(charge, amount, always=True)
        for hold in list(self._open.values()):
            await self._hold(hold, lost=True)
            for charge in hold.charges:
                if charge.cap.at_once:
                    await self._add(charge, charge.amount, always=True)

    async def _seed(self, charge: Charge) -> None:
        """Read a window from Postgres; calls that wait for the same one wait together."""
        key = charge.counter.key
        task = self._seeding.get(key)
        if task is None:
            task = self._seeding[key] = asyncio.get_running_loop().create_task(self._read(charge))
            task.add_done_callback(lambda _: self._seeding.pop(key, None))
        await asyncio.shield(task)

    async def _read(self, charge: Charge) -> None:
        amount, counter = await self._use.read(charge), charge.counter
        arguments = [amount, counter.ends, counter.of_user, MOST_USERS]
        await self._valkey.run(scripts.SEED, [counter.key, counter.users], arguments)

    def _lost(self, error: BaseException) -> None:
        self._away = True
        log_repeated(logger, logging.ERROR, "cap_counters_away", error=str(error))


@lru_cache(256)
def _window(period: str, minute: int, zone: tzinfo) -> Window:
    """That of a minute since 1970: windows begin with a minute."""
    return window_of(period, datetime.fromtimestamp(minute * 60, UTC), zone)


def full(charge: Charge, used: int, reserved: int, now: datetime) -> CapReached:
    """What a caller is told whose call does not fit."""
    cap, ends = charge.cap, charge.window.end
    needs, is_used, is_reserved = (_words(cap.unit, number) for number in (charge.amount, used, reserved))
    whose = "each user of this application" if cap.each_user else f"this {cap.owner}"
    if charge.amount > cap.limit:
        why = f"this call may use {needs}, which is more than all of it: send a smaller max_tokens"
    elif reserved:
        why = f"{is_used} are used, {is_reserved} are reserved by calls under way, and this call may use {needs}"
    else:
        why = f"{is_used} are used, and this call may use {needs}"
    next_one = f"The next {cap.period} begins at {ends:%Y-%m-%dT%H:%M:%SZ}."
    words = f"The cap of {cap.words} of {whose} is reached: {why}. {next_one}"
    # What is only reserved may be free in a moment.
    soon = charge.amount <= cap.limit and used + charge.amount <= cap.limit
    wait = min(seconds_until(ends, now), 2) if soon else seconds_until(ends, now)
    return CapReached(429, "cap", words, ((b"retry-after", str(wait).encode()),))


def _words(unit: str, number: int) -> str:
    amount = amount_of(unit, number)
    if unit == "usd":
        return f"{amount.normalize():,f} USD"
    return f"{amount:,f} {unit if number != 1 else unit[:-1]}"
