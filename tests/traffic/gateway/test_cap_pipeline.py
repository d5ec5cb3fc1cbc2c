"""Scripts over one connection to a real Valkey, and to peers that break off, say nothing, or say what is no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import pytest
import redis

from dashboard.embedded.servers import free_port
from traffic.gateway.caps import pipeline
from traffic.gateway.caps.pipeline import NoAnswer, Pipeline

ECHO = "return redis.status_reply(ARGV[1])"


def run(url: str, work: Callable[[Pipeline], Awaitable[None]]) -> None:
    async def inside() -> None:
        scripts = Pipeline(url)
        try:
            await work(scripts)
        finally:
            await scripts.close(0)

    asyncio.run(inside())


def test_each_script_gets_its_own_answer(valkey_url: str) -> None:
    async def work(scripts: Pipeline) -> None:
        fails = scripts.run("return redis.error_reply('NO such thing')", [], ())
        answers = [scripts.run(ECHO, [], [number], later=number % 2 == 0) for number in range(20)]
        assert await asyncio.gather(*answers) == [str(number) for number in range(20)]
        with pytest.raises(NoAnswer, match="NO such thing"):
            await fails
        assert await scripts.run(ECHO, [], ["alone"], later=True) == "alone"

    run(valkey_url, work)


def test_a_script_that_valkey_forgot_is_sent_whole(valkey_url: str) -> None:
    async def work(scripts: Pipeline) -> None:
        for number in range(3):
            with redis.Redis.from_url(valkey_url) as client:
                client.script_flush()
            answers = [scripts.run(ECHO, [], [word]) for word in (number, "x")]
            assert await asyncio.gather(*answers) == [str(number), "x"]

    run(valkey_url, work)


def test_a_connection_that_ended_is_replaced_and_nothing_is_lost(valkey_url: str) -> None:
    async def work(scripts: Pipeline) -> None:
        await scripts.run(ECHO, [], [1])
        answer = scripts.run(ECHO, [], [2])
        await asyncio.sleep(0)  # it is sent
        assert scripts._transport is not None
        scripts._transport.abort()
        assert await answer == "2"

    run(valkey_url, work)


def test_its_address_may_name_a_database(valkey_url: str) -> None:
    address = urlsplit(valkey_url)._replace(path="/7").geturl()

    async def work(scripts: Pipeline) -> None:
        await scripts.run("redis.call('SET', KEYS[1], 1, 'EX', 60) return 1", ["there"], ())

    run(address, work)
    with redis.Redis.from_url(address) as client:
        assert client.getdel("there") == b"1"


@pytest.mark.parametrize("said", [b"", b"$4\r\nlong\r\n", b"\r\n", b"+" + b"x" * 100_000, b"+1\r\n+2\r\n"])
def test_a_peer_that_does_not_answer_as_it_should_is_left(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(pipeline, "ANSWER_S", 0.3)
    greeted = b"+OK\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(said if b"EVAL" in data else greeted * max(data.count(b"CLIENT"), 1))
        writer.close()

    async def work() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        scripts = Pipeline(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        answers = [scripts.run(ECHO, [], [number]) for number in range(3)]
        results = await asyncio.gather(*answers, return_exceptions=True)
        assert NoAnswer in map(type, results) and not scripts._sent and not scripts._waiting
        await scripts.close()
        server.close()

    asyncio.run(work())


def test_a_valkey_that_is_away_fails_what_waits_at_once() -> None:
    async def work(scripts: Pipeline) -> None:
        with pytest.raises(NoAnswer):
            await scripts.run(ECHO, [], [1])

    run(f"redis://127.0.0.1:{free_port()}", work)
