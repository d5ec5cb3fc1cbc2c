"""A real llama.cpp under the real checker: stopped, started, asked for a token, scraped."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from providers.engines import EngineClient, EngineSample, Target, engine_of
from providers.models import EngineBucket, Outage, Resolution
from providers.uptime import due_checks
from sandbox.engine import Engine, EngineOptions
from tests.factories import DeploymentFactory

START = datetime(2026, 11, 10, 12, tzinfo=UTC)
EVERY = timedelta(seconds=30)


@pytest.fixture
def options(tiny_model: Path) -> EngineOptions:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return EngineOptions(tiny_model, name="tiny", port=port, threads=1, parallel=1, context=512)


@pytest.fixture
def engine(options: EngineOptions) -> Iterator[Engine]:
    running = Engine(options)
    running.start()
    yield running
    running.stop()


def test_the_whole_ladder_is_climbed_to_a_token(engine: Engine) -> None:
    async def climb() -> None:
        target = Target(engine.url, "tiny", local=True, completion=True)
        async with EngineClient() as client:
            llama = engine_of("llamacpp")
            result = await llama.check(client, target)
            assert (result.ok, result.step, result.cause) == (True, "completion", "")
            assert result.ttft_ms is not None
            assert result.ttft_ms > 0
            other = await llama.check(client, replace(target, model="large"))
            assert other.cause.startswith("The model large is not served there. Served: tiny")
            wrong = await engine_of("vllm").check(client, target)
            assert wrong.cause == "This is llama.cpp, not vLLM: change the engine of this deployment."

    asyncio.run(climb())


def test_its_counters_are_scraped(engine: Engine) -> None:
    async def scrape() -> tuple[EngineSample, EngineSample]:
        target = Target(engine.url, "tiny", local=True)
        llama = engine_of("llamacpp")
        async with EngineClient() as client:
            before = await llama.scrape(client, target)
            for _ in range(2):
                await llama.check(client, replace(target, completion=True))
            return before, await llama.scrape(client, target)

    before, after = asyncio.run(scrape())
    assert (before.running, before.waiting, before.output_tokens_total) == (0, 0, 0)
    assert after.output_tokens_total == 2
    assert after.prompt_tokens_total is not None
    assert after.prompt_tokens_total > 2


def test_it_says_how_many_calls_it_serves_at_once(options: EngineOptions) -> None:
    engine = Engine(replace(options, parallel=2))
    engine.start()

    target = Target(engine.url, "tiny", local=True, completion=True)

    async def ask(kind: str) -> int | None:
        async with EngineClient() as client:
            return (await engine_of(kind).abilities(client, target)).slots

    async def answers() -> bool:
        async with EngineClient() as client:
            return (await engine_of("llamacpp").check(client, target)).ok

    assert asyncio.run(ask("llamacpp")) == 2
    assert asyncio.run(ask("vllm")) is None  # which does not say
    # It says so while it still starts, and llama.cpp that is ended then may wait for itself with Python's lock held.
    assert asyncio.run(answers())
    engine.stop()


def test_a_key_that_is_missing_is_asked_for(options: EngineOptions) -> None:
    engine = Engine(replace(options, api_key="of-the-suite", port=0))
    engine.start()

    async def ask(key: str) -> str:
        async with EngineClient() as client:
            target = Target(engine.url, "tiny", api_key=key, local=True)
            return (await engine_of("llamacpp").check(client, target)).cause

    assert asyncio.run(ask("")) == "The server requires a key or rejects ours (401)."
    assert asyncio.run(ask("of-the-suite")) == ""
    engine.stop()


@pytest.mark.django_db
def test_its_counters_become_buckets_at_every_check_and_its_restart_is_noticed(engine: Engine) -> None:
    llama = DeploymentFactory.create(
        slug="llama", engine="llamacpp", model="tiny", url=engine.url, local=True,
        probe_completion=True, check_due_at=START,
    )  # fmt: skip
    for n in range(3):
        assert due_checks.check_due(now=START + n * EVERY) == 1
    hour = EngineBucket.objects.get(deployment=llama, resolution=Resolution.HOUR)
    assert (hour.samples, hour.counted_s, hour.output_tokens, hour.running_max, hour.restarts) == (3, 60, 2, 0, 0)
    engine.stop()
    engine.start()
    assert due_checks.check_due(now=START + 3 * EVERY) == 1
    hour.refresh_from_db()
    assert (hour.samples, hour.output_tokens, hour.restarts) == (4, 3, 1)
    llama.refresh_from_db()
    assert (llama.served_model, llama.engine_slots) == ("tiny", 1)


@pytest.mark.django_db
def test_stopping_and_starting_it_is_exactly_one_outage(engine: Engine) -> None:
    llama = DeploymentFactory.create(
        slug="llama",
        engine="llamacpp",
        model="tiny",
        url=engine.url,
        local=True,
        check_due_at=START,
    )
    for n in range(12):
        if n == 3:
            engine.stop()
        if n == 8:
            engine.start()
        assert due_checks.check_due(now=START + n * EVERY) == 1
    outage = Outage.objects.get()
    assert (outage.started_at, outage.ended_at) == (START + 3 * EVERY, START + 8 * EVERY)
    assert "nothing listens there" in outage.cause
    llama.refresh_from_db()
    assert (llama.state, llama.state_since) == ("up", START + 8 * EVERY)
