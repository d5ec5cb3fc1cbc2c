"""The answer cache in a gateway as it runs in earnest: both SDKs, a real Valkey, and a door to it that can be shut."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anthropic
import httpx
import openai
import pytest
import redis

from tests.factories import YEAR, TokenPriceFactory
from tests.traffic.gateway.test_gateway_recorder import exchange
from tests.traffic.gateway_peers import Door
from tests.traffic.gateway_stack import KEY, OTHER_KEY, GatewayProcess, Stack, calm, stack, until
from traffic.answer_cache.services import purge
from traffic.gateway import answer_cache
from traffic.gateway.answers import Answer
from traffic.gateway.exchange import Exchange, figures_of
from traffic.gateway.recorder import Recorder
from traffic.gateway.resilience import Cooling
from traffic.gateway.routes import Decision, Target
from traffic.gateway.spool import Spool

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db

READ_S = 1.4  # in which a gateway reads new settings
ASKED: list[Any] = [{"role": "user", "content": "What is a break-even?"}]
COLD = {"temperature": 0}  # which this SDK has no parameter for
EACH = Decimal("0.000465")  # what the engine's message costs by the price below
OWN = Target(1, "own", "self", "vllm", "http://h", "own-model")
CLAUDE = Target(2, "claude", "anthropic", "anthropic", "http://h", "claude-test")
SETTINGS = "UPDATE traffic_application SET cache_minutes = %s, cache_varied = %s WHERE slug = 'shop'"


@dataclass
class Caching:
    """A gateway whose application shop has the cache on."""

    stack: Stack
    gateway: GatewayProcess
    valkey: redis.Redis
    door: Door  # between the gateway and Valkey

    @property
    def url(self) -> str:
        return self.gateway.url

    def call(self, path: str = "messages", *, key: str = KEY, **more: Any) -> httpx.Response:
        """A call with temperature 0, unless it says otherwise; once what it leaves in the cache is there."""
        headers = {"x-api-key": key, **more.pop("headers", {})}
        asked = {"model": "claude-test", "max_tokens": 50, "messages": ASKED, "temperature": 0, **more}
        answer = httpx.post(f"{self.url}/v1/{path}", json=asked, headers=headers, timeout=60)
        time.sleep(0.05)
        return answer

    def hits(self, *calls: httpx.Response) -> list[str | None]:
        return [call.headers.get("x-breakeven-cache") for call in calls]

    def clear(self) -> None:
        self.valkey.flushdb()

    def set(self, minutes: int | None, *, varied: bool = False) -> None:
        self.stack.conn.execute(SETTINGS, [minutes, varied])
        time.sleep(READ_S)

    def saving(self) -> tuple[Any, ...]:
        query = "SELECT sum(hits), sum(unpriced), sum(tokens), sum(cost) FROM traffic_cachesaving"
        return self.stack.conn.execute(query).fetchone() or ()


@pytest.fixture(scope="module")
def process(
    stack: Stack, valkey_url: str, tmp_path_factory: Any, django_db_blocker: Any
) -> Iterator[tuple[GatewayProcess, Door]]:
    address = urlsplit(valkey_url)
    door = Door(stack.own.loop, "127.0.0.1", address.port or 6379)
    through = address._replace(netloc=address.netloc.replace(str(address.port), str(door.port))).geturl()
    with django_db_blocker.unblock():
        TokenPriceFactory.create(
            provider="anthropic", model="claude-test", starts_at=YEAR, seen_at=YEAR, uncached_input=3,
            cache_read=Decimal("0.3"), cache_write_5m=Decimal("3.75"), cache_write_1h=6, output=15,
        )  # fmt: skip
    stack.conn.execute(SETTINGS, [60, False])
    environment = {**stack.gateway.environment, "REDIS_URL": through}
    gateway = GatewayProcess(stack.gateway.database_url, tmp_path_factory.mktemp("cache"), environment)
    yield gateway.start(), door
    gateway.stop()
    door.close()


@pytest.fixture
def caching(calm: Stack, process: tuple[GatewayProcess, Door], valkey_url: str) -> Iterator[Caching]:
    with redis.Redis.from_url(valkey_url) as valkey:
        caching = Caching(calm, process[0], valkey, process[1])
        caching.clear()
        yield caching
    process[1].reopen()
    calm.conn.execute("DELETE FROM traffic_cachesaving")


def test_an_identical_call_is_answered_without_its_deployment(caching: Caching) -> None:
    first, second = caching.call(), caching.call()
    assert caching.hits(first, second) == ["miss", "hit"]
    assert second.content == first.content
    assert second.headers["content-type"] == first.headers["content-type"]
    assert second.headers["x-breakeven-deployment"] == "claude"
    assert len(caching.stack.claude.seen) == 1
    row = caching.stack.rows(second.headers["x-breakeven-request-id"])
    assert (row["cost"], row["cost_reason"], row["outcome"], row["http_status"]) == (0, "cached", "ok", 200)
    assert (row["uncached_input"], row["output"], row["deployment_id"], row["ttft_ms"]) == (0, 0, None, None)
    assert (row["provider"], row["model"], row["route"]) == ("anthropic", "claude-test", "otherwise")
    first_id = first.headers["x-breakeven-request-id"]
    assert row["raw"]["cache"] == {"answer_of": first_id, "deployment": "claude"}
    assert caching.stack.rows(first_id)["cost"] == EACH
    assert caching.saving() == (1, 0, 377, EACH)


def test_what_it_saves_is_counted_once_a_hit(caching: Caching) -> None:
    caching.call()
    for _ in range(5):
        answer = caching.call()
    caching.stack.rows(answer.headers["x-breakeven-request-id"])
    assert until(lambda: caching.saving()[0] == 5)
    assert caching.saving() == (5, 0, 5 * 377, 5 * EACH)


def test_both_sdks_read_a_stored_answer_whole_and_as_a_stream(caching: Caching) -> None:
    claude = anthropic.Anthropic(base_url=caching.url, api_key=KEY, max_retries=0)
    gpt = openai.OpenAI(base_url=f"{caching.url}/v1", api_key=KEY, max_retries=0)

    def message() -> tuple[str, int]:
        answer = claude.messages.create(model="claude-test", max_tokens=50, messages=ASKED, extra_body=COLD)
        return answer.content[0].text, answer.usage.output_tokens  # type: ignore[union-attr]

    def message_stream() -> tuple[str, int]:
        with claude.messages.stream(model="claude-test", max_tokens=50, messages=ASKED, extra_body=COLD) as stream:
            answer = stream.get_final_message()
        return answer.content[0].text, answer.usage.output_tokens  # type: ignore[union-attr]

    def completion(user: str) -> tuple[str | None, int]:
        answer = gpt.chat.completions.create(model="own-model", messages=ASKED, temperature=0, user=user)
        assert answer.usage is not None
        return answer.choices[0].message.content, answer.usage.completion_tokens

    def completion_stream() -> tuple[str, int]:
        stream = gpt.chat.completions.create(
            model="own-model", messages=ASKED, temperature=0, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert chunks[-1].usage is not None
        return text, chunks[-1].usage.completion_tokens

    def response_stream() -> str:
        with gpt.responses.stream(model="own-model", input="What is a break-even?", temperature=0) as stream:
            return stream.get_final_response().output_text

    asks: list[Callable[[], tuple[str | None, int]]] = [
        message, message_stream, lambda: completion("ann"), lambda: completion("bob"), completion_stream,
    ]  # fmt: skip
    for ask in asks:
        assert ask()[0] == "Hello."
        time.sleep(0.05)
    assert len(caching.stack.claude.seen) == 1
    assert len(caching.stack.own.seen) == 1
    for _ in range(2):
        assert response_stream() == "Hello."
        time.sleep(0.05)
    assert len(caching.stack.own.seen) == 2


def test_a_stream_comes_again_with_its_bytes(caching: Caching) -> None:
    first, second = caching.call(stream=True), caching.call(stream=True)
    assert caching.hits(first, second) == ["miss", "hit"]
    assert second.content == first.content
    assert second.headers["content-type"].startswith("text/event-stream")
    assert caching.hits(caching.call()) == ["miss"]  # of a stream no whole answer is made


def test_a_translated_answer_is_kept_as_its_caller_got_it(caching: Caching) -> None:
    first, second = (caching.call("chat/completions") for _ in range(2))
    assert first.headers["x-breakeven-translated"] == "chat-to-messages"
    assert caching.hits(first, second) == ["miss", "hit"]
    assert second.json() == first.json()
    assert caching.hits(caching.call()) == ["miss"]  # another path is another call


def test_fields_that_change_no_answer_do_not_count(caching: Caching) -> None:
    caching.call(metadata={"user_id": "ann"})
    assert caching.hits(caching.call(metadata={"user_id": "bob"}), caching.call()) == ["hit", "hit"]
    others = [caching.call(max_tokens=51), caching.call(messages=[{"role": "user", "content": "What is a break-even"}])]
    assert caching.hits(*others) == ["miss", "miss"]


def test_only_steady_calls_are_kept_until_the_application_says_otherwise(caching: Caching) -> None:
    warm: dict[str, Any] = {"temperature": 0.7}
    assert caching.hits(*(caching.call(**warm) for _ in range(2)), caching.call(temperature=None)) == [None] * 3
    caching.set(60, varied=True)
    try:
        assert caching.hits(*(caching.call(**warm) for _ in range(2))) == ["miss", "hit"]
    finally:
        caching.set(60)


def test_private_and_unstored_calls_are_neither_kept_nor_answered(caching: Caching) -> None:
    caching.call(model="own-model")
    for name in ("x-breakeven-private", "x-breakeven-no-store"):
        calls = [caching.call(model="own-model", headers={name: "1"}) for _ in range(2)]
        assert caching.hits(*calls) == [None, None]
    fresh = caching.call(model="own-model", headers={"cache-control": "no-cache"})
    assert caching.hits(fresh, caching.call(model="own-model")) == ["miss", "hit"]


def test_an_application_without_the_cache_has_none(caching: Caching) -> None:
    caching.call()
    lab = [caching.call(key=OTHER_KEY, headers={"x-breakeven-application": "lab"}) for _ in range(2)]
    assert caching.hits(*lab) == [None, None]
    caching.stack.conn.execute("UPDATE traffic_application SET cache_minutes = 60 WHERE slug = 'lab'")
    time.sleep(READ_S)
    try:
        lab = [caching.call(key=OTHER_KEY, headers={"x-breakeven-application": "lab"}) for _ in range(2)]
        assert caching.hits(*lab) == ["miss", "hit"]  # and nothing of the shop's
    finally:
        caching.stack.conn.execute("UPDATE traffic_application SET cache_minutes = NULL WHERE slug = 'lab'")
        time.sleep(READ_S)


@pytest.mark.parametrize("behaviour", ["500", "400", "stream-error", "break"])
def test_failed_and_broken_answers_are_not_kept(caching: Caching, behaviour: str) -> None:
    caching.stack.claude.behaviour = caching.stack.own.behaviour = behaviour
    with contextlib.suppress(httpx.RemoteProtocolError):
        caching.call(stream=True)
    caching.stack.claude.behaviour = caching.stack.own.behaviour = "ok"
    assert caching.hits(caching.call(stream=True)) == ["miss"]


def test_the_answer_of_a_fall_back_is_not_kept_for_the_model_asked_for(caching: Caching) -> None:
    caching.stack.own.behaviour = "500"
    assert caching.call(model="own-model").headers["x-breakeven-deployment"] == "claude"
    caching.stack.own.behaviour = "ok"
    again = caching.call(model="own-model")
    assert (again.headers["x-breakeven-deployment"], *caching.hits(again)) == ("own", "miss")


def test_without_valkey_every_call_is_a_miss(caching: Caching) -> None:
    caching.call()
    caching.door.shut()
    began = time.monotonic()
    answers = [caching.call() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert "hit" not in caching.hits(*answers)
    assert time.monotonic() - began < 20
    assert "answer_cache_away" in Path(caching.gateway.log.name).read_text()
    caching.door.reopen()
    assert until(lambda: caching.hits(caching.call()) == ["hit"])


def stored(valkey: redis.Redis, application: int, field: str, size: int, most: int, purges: bytes = b"0") -> int:
    keys = [*answer_cache.keys_of(application), answer_cache.SIZES, answer_cache.PURGES]
    script = valkey.register_script(answer_cache.STORE)
    return int(script(keys=keys, args=[application, field, b"x" * size, 60_000, most, purges]))


def test_all_applications_keep_so_many_bytes_and_the_largest_loses_its_oldest(valkey_url: str) -> None:
    with redis.Redis.from_url(valkey_url) as valkey:
        valkey.flushdb()
        most = 4 * (100 + answer_cache.PLACE)
        stored(valkey, 2, "b0", 100, most)
        for number in range(5):
            assert stored(valkey, 1, f"a{number}", 100, most) == 1
            time.sleep(0.002)
        shop, lab = (answer_cache.keys_of(number)[0] for number in (1, 2))
        assert sorted(valkey.hkeys(shop)) == [b"a2", b"a3", b"a4"]
        assert stored(valkey, 2, "b1", 100, most) == 1
        assert (sorted(valkey.hkeys(shop)), sorted(valkey.hkeys(lab))) == ([b"a3", b"a4"], [b"b0", b"b1"])
        assert valkey.hgetall(answer_cache.SIZES) == dict.fromkeys([b"1", b"2"], b"%d" % (most // 2))
        stored(valkey, 1, "a3", 50, most)
        assert valkey.hget(answer_cache.SIZES, "1") == b"%d" % (most // 2 - 50)
        assert valkey.pttl(shop) > 0
        valkey.delete(shop)  # as it ends when its time is over
        stored(valkey, 2, "b2", 100, most)
        assert valkey.hkeys(answer_cache.SIZES) == [b"2"]
        assert stored(valkey, 2, "b3", most, most) == 0


def test_a_full_cache_leaves_most_of_valkey_to_the_tasks_queue(valkey_url: str) -> None:
    with redis.Redis.from_url(valkey_url) as valkey:
        valkey.flushdb()
        before = int(valkey.info("memory")["used_memory"])
        for number in range(480):
            stored(valkey, number % 6, str(number), answer_cache.MOST_ANSWER // 2, answer_cache.MOST_OF_ALL)
        assert int(valkey.info("memory")["used_memory"]) - before < 48 << 20
        valkey.flushdb()


def cached_call() -> Exchange:
    """A call that rules send to the deployment own, else to claude."""
    call = exchange(temperature=0)
    call.application = replace(call.application, cache_s=60)
    call.decision = Decision("r", (OWN, CLAUDE))
    return call


def kept_after(valkey_url: str, call: Exchange, between: Callable[[], None]) -> list[bytes]:
    """What is stored of an answer, where something happens between the look into the cache and the answer."""

    async def send(message: dict[str, Any]) -> None:
        pass

    async def run() -> None:
        cache = answer_cache.AnswerCache(valkey_url, Recorder(Spool(Path("unused"))))
        keeping = await cache.serve(call, send)
        assert keeping is not None
        await asyncio.to_thread(between)
        call.row = figures_of(call, Answer(usage={"prompt_tokens": 3, "completion_tokens": 2}), "ok")
        await keeping({"type": "http.response.start", "status": 200, "headers": []})
        await keeping({"type": "http.response.body", "body": b"{}", "more_body": False})
        await cache.close()

    assert call.application.id is not None
    with redis.Redis.from_url(valkey_url) as valkey:
        valkey.flushdb()
        asyncio.run(run())
        return list(valkey.hkeys(answer_cache.keys_of(call.application.id)[0]))


def test_the_answer_of_a_target_that_stands_in_for_one_that_cools_down_is_not_kept(valkey_url: str) -> None:
    call = cached_call()

    def cool_down() -> None:
        cooling = Cooling()
        for _ in range(5):
            cooling.failed(OWN)
        call.decision = cooling.reorder(call.decision)
        call.target = call.decision.targets[0]

    assert kept_after(valkey_url, call, cool_down) == []
    assert call.target == CLAUDE
    call = cached_call()
    call.target = OWN
    assert len(kept_after(valkey_url, call, lambda: None)) == 1


def test_a_purge_holds_for_calls_under_way(valkey_url: str, settings: Any) -> None:
    settings.REDIS_URL = valkey_url
    call = cached_call()
    call.target = OWN
    assert call.application.id is not None
    assert kept_after(valkey_url, call, lambda: purge([call.application.id or 0])) == []


def test_an_answer_ends_after_its_time(caching: Caching) -> None:
    caching.call()
    answers = answer_cache.keys_of(
        (caching.stack.conn.execute("SELECT id FROM traffic_application WHERE slug = 'shop'").fetchone() or (0,))[0]
    )[0]
    (field,) = caching.valkey.hkeys(answers)
    value = caching.valkey.hget(answers, field)
    assert isinstance(value, bytes)
    kept = answer_cache._decoder.decode(value)
    assert 0 <= time.time() - kept.at < 10
    kept.at -= 3600
    caching.valkey.hset(answers, field, answer_cache._encoder.encode(kept))
    assert caching.hits(caching.call(), caching.call()) == ["miss", "hit"]


def test_a_shorter_time_holds_for_what_is_stored(caching: Caching) -> None:
    caching.call()
    answers = answer_cache.keys_of(
        (caching.stack.conn.execute("SELECT id FROM traffic_application WHERE slug = 'shop'").fetchone() or (0,))[0]
    )[0]
    (field,) = caching.valkey.hkeys(answers)
    value = caching.valkey.hget(answers, field)
    assert isinstance(value, bytes)
    kept = answer_cache._decoder.decode(value)
    kept.at -= 120
    caching.valkey.hset(answers, field, answer_cache._encoder.encode(kept))
    assert caching.hits(caching.call()) == ["hit"]
    caching.set(1)
    try:
        assert caching.hits(caching.call()) == ["miss"]
    finally:
        caching.set(60)
