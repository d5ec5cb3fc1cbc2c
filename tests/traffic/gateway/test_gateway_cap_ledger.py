"""The counters of caps beside a real Valkey: what comes in an unlucky order, and what fails for one call alone."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import redis

from tests.database import conninfo
from traffic.caps.windows import window_of
from traffic.gateway.caps import counted_use, ledger, scripts
from traffic.gateway.caps.amounts import Cap, Charge, most_tokens
from traffic.gateway.caps.counted_use import CountedUse
from traffic.gateway.caps.ledger import CapLedger, CappedCall, CapReached, Gap
from traffic.gateway.protocols import ANTHROPIC, GatewayRequest, read_request
from traffic.gateway.routes import Target
from traffic.ingest.rows import Tokens

TARGET = Target(1, "own", "self", "vllm", "http://x", "m", context_tokens=1_000)
REQUEST = read_request(ANTHROPIC, json.dumps({"model": "m", "max_tokens": 10, "messages": []}).encode())
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def valkey(valkey_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey_url) as client:
        client.flushall()
        yield client


def cap(number: int, unit: str = "tokens", *, created_at: datetime | None = None, each_user: bool = False) -> Cap:
    """Created in an hour, its window is known to be empty; created long ago, it is read from Postgres."""
    created_at = created_at or datetime.now(UTC) + timedelta(hours=1)
    return Cap(number, unit, "month", 1_000, "1,000 tokens a month", "key", each_user, created_at)


def call(name: str, *caps: Cap, user: int = 0) -> CappedCall:
    return CappedCall(name, caps, REQUEST, uuid.UUID(int=user) if user else None, UTC, refuse=False)


def used(monkeypatch: pytest.MonkeyPatch, read: Callable[[Any], int]) -> None:
    async def answer(_use: CountedUse, charge: Any) -> int:
        return read(charge)

    monkeypatch.setattr(CountedUse, "read", answer)


def run(valkey_url: str, work: Callable[[CapLedger], Awaitable[None]]) -> None:
    async def inside() -> None:
        capped = CapLedger(valkey_url, "", lambda: None, Gap())
        try:
            await work(capped)
        finally:
            await capped.close()

    asyncio.run(inside())


@pytest.mark.parametrize("lost", [False, True])
def test_a_reservation_that_was_settled_meanwhile_does_not_come_back(
    valkey: redis.Redis, valkey_url: str, *, lost: bool
) -> None:
    async def work(capped: CapLedger) -> None:
        hold = await capped.reserve(call("a", cap(1)), TARGET)
        settled, run_script = asyncio.Event(), capped._valkey.run

        async def after_it(*arguments: Any) -> str:
            await settled.wait()
            return await run_script(*arguments)

        def slowly(script: str, *arguments: Any, **more: Any) -> asyncio.Future[str]:
            if script == scripts.HOLD:
                return asyncio.ensure_future(after_it(script, *arguments))
            return run_script(script, *arguments, **more)

        capped._valkey.run = slowly  # type: ignore[method-assign]
        prolonging = asyncio.create_task(capped._hold(hold, lost=lost))
        await asyncio.sleep(0)
        capped._settle(hold, [7])
        settled.set()
        await prolonging
        await capped._hold(hold, lost=lost)
        counter = hold.charges[0].counter.key
        assert valkey.hgetall(counter) == {b"used": b"7", b"reserved": b"0"}
        assert valkey.zcard(f"{counter}:calls") == 0

    run(valkey_url, work)


@pytest.mark.parametrize("full", [False, True])
def test_a_caller_who_leaves_while_its_call_is_reserved_uses_nothing(
    valkey: redis.Redis, valkey_url: str, *, full: bool
) -> None:
    """Valkey has done it by then, and its answer is still on its way."""

    async def work(capped: CapLedger) -> None:
        done, go_on, run_script = asyncio.Event(), asyncio.Event(), capped._valkey.run
        answers: list[asyncio.Future[str]] = []

        async def held_back(*arguments: Any, **more: Any) -> str:
            answer = await run_script(*arguments, **more)
            done.set()
            await go_on.wait()
            return answer

        def slowly(*arguments: Any, **more: Any) -> asyncio.Future[str]:
            answers.append(asyncio.ensure_future(held_back(*arguments, **more)))
            return answers[-1]

        at_once = cap(1, "requests")
        if full:
            await capped.reserve(call("b", replace(at_once, limit=1)), TARGET)
            at_once = replace(at_once, limit=1)
        capped._valkey.run = slowly  # type: ignore[method-assign]
        reserving = asyncio.create_task(capped.reserve(call("a", at_once, cap(2)), TARGET))
        await done.wait()
        reserving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reserving
        go_on.set()
        await answers[0]
        await asyncio.gather(*answers)
        counters = {key: valkey.hgetall(key) for key in valkey.keys("{caps}:*") if valkey.type(key) == b"hash"}
        assert {number for values in counters.values() for number in values.values()} <= {b"0", b"1" if full else b"0"}
        assert [values[b"used"] for values in counters.values()] == ([b"1"] if full else [b"0", b"0"])
        assert not {name for name in capped._open if name == "a"}

    run(valkey_url, work)


def test_calls_at_once_share_one_connection_and_are_sent_together(
    valkey: redis.Redis, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(capped: CapLedger) -> None:
        await capped.reserve(call("first", cap(1)), TARGET)
        writes: list[bytes] = []
        transport: Any = capped._valkey._transport
        write = transport.write

        def noted(data: bytes) -> None:
            writes.append(data)
            write(data)

        monkeypatch.setattr(transport, "write", noted)
        calls = [call(str(number), cap(2, "requests")) for number in range(128)]
        holds = await asyncio.gather(*(capped.reserve(each, TARGET) for each in calls))
        assert all(hold.held for hold in holds)
        assert (capped.gap.calls, valkey.hget(holds[0].charges[0].counter.key, "used")) == (0, b"128")
        assert len(writes) == 1
        assert valkey.info("clients")["connected_clients"] == 2

    run(valkey_url, work)


def test_what_a_call_used_is_counted_before_the_next_one_is_looked_at(valkey: redis.Redis, valkey_url: str) -> None:
    """Though nothing waits for it: a second call finds no room beside what the first has reserved."""

    async def work(capped: CapLedger) -> None:
        for number in range(5):
            hold = await capped.reserve(call(str(number), replace(cap(1), limit=120)), TARGET)
            assert hold.held
            capped._settle(hold, [1])
        await capped._valkey.close()
        assert valkey.hget(hold.charges[0].counter.key, "used") == b"5"

    run(valkey_url, work)


def test_a_reservation_is_prolonged_and_made_again_where_it_was_lost(valkey: redis.Redis, valkey_url: str) -> None:
    async def work(capped: CapLedger) -> None:
        hold = await capped.reserve(call("a", cap(1)), TARGET)
        counter = hold.charges[0].counter.key
        member = f"a:{hold.charges[0].amount}"
        valkey.zadd(f"{counter}:calls", {member: 1})
        await capped._hold(hold, lost=False)
        assert (valkey.zscore(f"{counter}:calls", member) or 0) > 1
        valkey.delete(f"{counter}:calls", counter)
        await capped._hold(hold, lost=True)
        assert valkey.hget(counter, "reserved") == str(hold.charges[0].amount).encode()

    run(valkey_url, work)


def test_users_whose_windows_were_read_count_towards_their_bound(
    valkey: redis.Redis, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "MOST_USERS", 3)
    used(monkeypatch, lambda charge: 0)

    async def work(capped: CapLedger) -> None:
        caps = cap(1, "requests", created_at=LONG_AGO, each_user=True)
        holds = await asyncio.gather(*(capped.reserve(call(f"a{n}", caps, user=n), TARGET) for n in range(2, 12)))
        counters = {hold.charges[0].counter.key for hold in holds}
        assert all(hold.held for hold in holds)
        assert len(counters) == 4  # three users, and all others

    run(valkey_url, work)


def test_a_window_that_cannot_be_read_is_the_failure_of_its_call_alone(
    valkey: redis.Redis, valkey_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def read(charge: Any) -> int:
        if charge.cap.id == 1:
            raise psycopg.OperationalError
        return 995

    used(monkeypatch, read)

    async def work(capped: CapLedger) -> None:
        assert not (await capped.reserve(call("a", cap(1, created_at=LONG_AGO)), TARGET)).held
        assert capped.gap.calls == 1 and "cap_window_unread" in caplog.text
        with pytest.raises(CapReached):
            await capped.reserve(call("b", cap(2, created_at=LONG_AGO)), TARGET)
        assert (await capped.reserve(call("c", cap(3)), TARGET)).held

    run(valkey_url, work)


@pytest.mark.django_db(transaction=True)
def test_windows_are_read_over_a_single_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[psycopg.Connection] = []

    def connecting(url: str, name: str) -> psycopg.Connection:
        if len(made) > 1:
            raise psycopg.OperationalError
        made.append(psycopg.connect(url, autocommit=True))
        return made[-1]

    monkeypatch.setattr(counted_use, "connect", connecting)

    async def work() -> None:
        use = CountedUse(conninfo())
        charge = Charge(cap(1), window_of("day", LONG_AGO, UTC), 1, uuid.UUID(int=0))
        assert [await use.read(charge) for _ in range(5)] == [0] * 5
        assert len(made) == 1
        made[0].close()  # as a database that was started again
        assert await use.read(charge) == 0
        assert len(made) == 2
        use.close()

    asyncio.run(work())


def test_a_large_prompt_is_measured_beside_the_event_loop(
    valkey: redis.Redis, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def measuring(request: GatewayRequest, target: Target) -> Tokens:
        threads.append(threading.get_ident())
        return most_tokens(request, target)

    monkeypatch.setattr(ledger, "most_tokens", measuring)
    large = read_request(ANTHROPIC, b'{"model":"m","max_tokens":10,"messages":[],"system":"%s"}' % (b"a" * 300_000))

    async def work(capped: CapLedger) -> None:
        await capped.reserve(call("small", cap(1)), TARGET)
        with pytest.raises(CapReached):
            await capped.reserve(CappedCall("large", (cap(2),), large, None, UTC, refuse=False), TARGET)

    run(valkey_url, work)
    assert [thread == threading.get_ident() for thread in threads] == [True, False]
