"""The calls under way that gateways tell each other of, over a real Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
import redis

from traffic.gateway import running
from traffic.gateway.concurrency import no_slot
from traffic.gateway.routes import Target
from traffic.gateway.running import COUNTS, Running, RunningExchange

FIRST, SECOND = (Target(number, f"t{number}", "self", "vllm", "http://x", "m") for number in (1, 2))


@pytest.fixture
def valkey(valkey_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey_url) as client:
        client.flushall()
        yield client


def run(urls: list[str], work: Callable[[list[Running], list[RunningExchange]], Awaitable[None]]) -> None:
    async def inside() -> None:
        counts = [Running() for _ in urls]
        exchanges = [RunningExchange(own, url) for own, url in zip(counts, urls, strict=True)]
        try:
            await work(counts, exchanges)
        finally:
            for exchange in exchanges:
                await exchange.close()

    asyncio.run(inside())


def test_two_gateways_count_each_others_calls(valkey: redis.Redis, valkey_url: str) -> None:
    async def work(counts: list[Running], exchanges: list[RunningExchange]) -> None:
        here, there = counts
        assert here.everywhere() is here, "alone it costs nothing"
        ends = [here.enter(FIRST, no_slot), there.enter(FIRST, no_slot), there.enter(SECOND, no_slot)]
        for exchange in (*exchanges, exchanges[0]):
            await exchange.tell()
        assert here.everywhere() == there.everywhere() == {1: 2, 2: 1}
        assert (here, there) == ({1: 1}, {1: 1, 2: 1}), "its own stay its own"
        ends[1]()
        assert there.everywhere() == {1: 1, 2: 1}, "its own it knows at once"
        await exchanges[1].tell()
        await exchanges[0].tell()
        assert here.everywhere() == {1: 1, 2: 1}

    run([valkey_url] * 2, work)


def test_a_gateway_that_says_nothing_any_more_is_forgotten(valkey: redis.Redis, valkey_url: str) -> None:
    async def work(counts: list[Running], exchanges: list[RunningExchange]) -> None:
        valkey.hset(COUNTS, "dead", '1 {"1":7}')
        (now, _micros) = valkey.time()
        valkey.hset(COUNTS, "alive", f'{now} {{"2":3}}')
        await exchanges[0].tell()
        assert counts[0].everywhere() == {2: 3}
        assert valkey.hget(COUNTS, "dead") is None and 0 < valkey.ttl(COUNTS) <= 60

    run([valkey_url], work)


def test_without_valkey_a_gateway_knows_its_own_calls(
    valkey: redis.Redis, valkey_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(counts: list[Running], exchanges: list[RunningExchange]) -> None:
        counts[0].elsewhere = {1: 5}
        counts[0].enter(FIRST, no_slot)
        await exchanges[0].tell()
        assert counts[0].everywhere() == {1: 1} and "running_calls_not_shared" in caplog.text

    run(["redis://127.0.0.1:1/0"], work)


def test_nothing_is_opened_until_a_rule_needs_it(
    valkey: redis.Redis, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "TELL_EVERY_S", 0.001)

    async def work(counts: list[Running], exchanges: list[RunningExchange]) -> None:
        looks = iter([False] * 5 + [True])
        looked: list[bool] = []

        def needed() -> bool:
            looked.append(next(looks, True))
            return looked[-1]

        watching = asyncio.create_task(exchanges[0].watch(needed))
        while len(looked) < 5:
            await asyncio.sleep(0)
        assert exchanges[0]._client is None
        while not await asyncio.to_thread(valkey.hgetall, COUNTS):
            await asyncio.sleep(0.01)
        watching.cancel()

    run([valkey_url], work)
