"""A limit of calls at once, in a gateway as it runs in earnest: who is served next, and what ends a call's turn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.database import conninfo
from tests.traffic.gateway_stack import KEY, OTHER_KEY, GatewayProcess, Stack, calm, stack, until
from traffic.gateway.database import connect
from traffic.gateway.snapshot import CONNECTION_NAME, read_snapshot

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db

SET = "UPDATE providers_deployment SET {} WHERE slug = 'own'"
NONE = SET.format("max_concurrency = NULL, engine_slots = NULL")


@contextmanager
def limited(stack: Stack, change: str, *urls: str) -> Iterator[None]:
    with stack.changed(SET.format(change), NONE, *urls):
        yield


def headers_of(application: str) -> dict[str, str]:
    if application == "shop":
        return {"x-api-key": KEY, "x-breakeven-private": "1"}
    return {"x-api-key": OTHER_KEY, "x-breakeven-application": application, "x-breakeven-private": "1"}


def chat(stack: Stack, application: str, url: str = "", **more: Any) -> httpx.Response:
    """A streamed chat with our own engine, in which the application's name can be found again."""
    asked = {"model": "own-model", "messages": [{"role": "user", "content": application}], "stream": True, **more}
    with httpx.stream(
        "POST", f"{url or stack.url}/v1/chat/completions", json=asked, headers=headers_of(application), timeout=120
    ) as answer:
        answer.read()
        return answer


def served(stack: Stack) -> list[str]:
    """The applications whose calls reached the engine, in their order."""
    return [json.loads(seen["body"])["messages"][0]["content"] for seen in stack.own.seen]


def begun(stack: Stack) -> set[bytes]:
    """Calls that the gateway has begun and not forgotten yet, by its spool."""
    found = set()
    for path in (stack.gateway.data_dir / "spool").iterdir():
        try:
            found |= set(re.findall(rb"gw-[0-9a-f]+-[0-9]+", path.read_bytes()))
        except FileNotFoundError:  # just moved
            continue
    return found


class Callers:
    """Chats under way, each in a thread of its own."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.pool = ThreadPoolExecutor(64)
        self.answers: list[Future[httpx.Response]] = []
        self.before = begun(stack)

    def chat(self, application: str, times: int = 1) -> None:
        """Begin so many, and wait until the gateway has all of them."""
        self.answers += [self.pool.submit(chat, self.stack, application) for _ in range(times)]
        until(lambda: len(begun(self.stack) - self.before) == len(self.answers))

    def statuses(self) -> list[int]:
        return [answer.result(120).status_code for answer in self.answers]


@contextmanager
def callers(stack: Stack) -> Iterator[Callers]:
    all_of_them = Callers(stack)
    try:
        yield all_of_them
    finally:
        stack.own.let_end(1_000)
        all_of_them.pool.shutdown()


def test_one_chat_is_served_next_whatever_another_application_queues(calm: Stack) -> None:
    calm.own.behaviour = "held"
    with limited(calm, "max_concurrency = 2"), callers(calm) as people:
        people.chat("shop", 40)
        people.chat("lab")
        assert served(calm) == ["shop", "shop"]
        calm.own.let_end(1)
        until(lambda: len(calm.own.seen) == 3)
        assert served(calm) == ["shop", "shop", "lab"]
        calm.own.let_end(1_000)
        assert people.statuses() == [200] * 41
        assert served(calm).count("shop") == 40
        row = calm.rows(people.answers[-1].result().headers["x-breakeven-request-id"])
    assert row["outcome"] == "ok"
    assert 0 < row["raw"]["queued_ms"] <= row["ttft_ms"] <= row["latency_ms"]  # its waiting is a part of each


def test_without_a_set_limit_the_engines_own_number_of_slots_counts(calm: Stack) -> None:
    calm.own.behaviour = "held"
    with limited(calm, "engine_slots = 1"), callers(calm) as people:
        people.chat("shop", 3)
        people.chat("lab")
        calm.own.let_end(1)
        until(lambda: len(calm.own.seen) == 2)
        assert served(calm) == ["shop", "lab"]


def test_without_a_limit_all_calls_go_on_at_once(calm: Stack) -> None:
    calm.own.behaviour = "held"
    with callers(calm) as people:
        people.chat("shop", 12)
        until(lambda: len(calm.own.seen) == 12)
        calm.own.let_end(12)
        ids = [answer.result().headers["x-breakeven-request-id"] for answer in people.answers]
    assert all("queued_ms" not in (calm.rows(each)["raw"] or {}) for each in ids)


def hang_up(stack: Stack) -> None:
    """Take the beginning of an answer and go."""
    asked = {"model": "own-model", "messages": [{"role": "user", "content": "gone"}], "stream": True}
    url = f"{stack.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=asked, headers=headers_of("shop"), timeout=120) as answer:
        next(answer.iter_bytes())


@pytest.mark.parametrize("behaviour", ["ok", "break", "stream-error", "500", "429", "drop", "endless", "silent"])
def test_a_call_gives_its_slot_back_however_it_ends(calm: Stack, behaviour: str) -> None:
    with limited(calm, "max_concurrency = 1"):
        calm.own.behaviour = behaviour
        if behaviour == "endless":
            hang_up(calm)
        else:
            for streamed in (True, False):
                with suppress(httpx.RemoteProtocolError):  # where the engine broke off, the gateway does
                    chat(calm, "shop", stream=streamed)
        calm.own.behaviour = "ok"
        assert chat(calm, "lab").status_code == 200


def test_who_hangs_up_in_the_queue_leaves_it_and_is_charged_nothing(calm: Stack) -> None:
    calm.own.behaviour = "held"
    with limited(calm, "max_concurrency = 1"), callers(calm) as people:
        people.chat("shop")
        until(lambda: calm.own.seen)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(
                f"{calm.url}/v1/chat/completions",
                json={"model": "own-model", "messages": []},
                headers=headers_of("lab"),
                timeout=0.3,
            )
        row = calm.newest(outcome="cancelled", error_type="caller_hung_up", streamed=False)
        people.answers.append(people.pool.submit(chat, calm, "lab"))
        calm.own.let_end(1)
        until(lambda: len(calm.own.seen) == 2)
        assert served(calm) == ["shop", "lab"]  # and not the one that has gone
    assert (row["http_status"], row["output"], row["uncached_input"]) == (None, 0, 0)  # known to be none
    assert row["raw"]["queued_ms"] > 0


def test_counting_tokens_takes_no_slot(calm: Stack) -> None:
    calm.own.behaviour = "held"
    with limited(calm, "max_concurrency = 1"), callers(calm) as people:
        people.chat("shop")
        until(lambda: calm.own.seen)
        asked = {"model": "own-model", "messages": [{"role": "user", "content": "Hi"}]}
        url = f"{calm.url}/v1/messages/count_tokens"
        assert httpx.post(url, json=asked, headers=headers_of("lab"), timeout=60).json() == {"input_tokens": 12}


@pytest.mark.parametrize(("limit", "more", "share"), [("NULL", 2, None), ("8", 0, 8), ("8", 2, 2), ("2", 4, 1)])
def test_gateways_divide_a_limit_and_each_has_one_at_least(
    calm: Stack, limit: str, more: int, share: int | None
) -> None:
    """The stack's own gateway is one; `more` are as good as connections of that name."""
    calm.conn.execute(SET.format(f"max_concurrency = {limit}"))
    with ExitStack() as at_the_end:
        at_the_end.callback(calm.conn.execute, NONE)
        for _ in range(more):
            at_the_end.enter_context(connect(conninfo(), CONNECTION_NAME))
        until(lambda: _share(calm) == share)


def _share(stack: Stack) -> int | None:
    targets = read_snapshot(stack.conn, stack.gateway.environment["BREAKEVEN_KEY"]).targets
    return next(target.max_concurrency for target in targets if target.slug == "own")


def test_a_second_gateway_has_half_of_the_slots_and_refuses_where_nobody_may_wait(calm: Stack, tmp_path: Path) -> None:
    environment = {**calm.gateway.environment, "BREAKEVEN_GATEWAY_QUEUE_TIMEOUT": "0"}
    second = GatewayProcess(calm.gateway.database_url, tmp_path, environment).start()
    calm.own.behaviour = "held"
    with ExitStack() as at_the_end:
        at_the_end.callback(second.stop)
        at_the_end.enter_context(limited(calm, "max_concurrency = 3", second.url))
        people = at_the_end.enter_context(callers(calm))
        held = people.pool.submit(chat, calm, "shop", second.url)
        until(lambda: calm.own.seen)
        refused = chat(calm, "lab", second.url)  # 3 for two gateways are one each
        assert (refused.status_code, refused.headers["x-breakeven-error"]) == (429, "queue-full")
        assert refused.headers["retry-after"].isdigit()
        assert json.loads(refused.text)["error"]["code"] == "queue-full"
        row = calm.rows(refused.headers["x-breakeven-request-id"])
        assert (row["outcome"], row["error_type"], row["output"]) == ("error", "queue-full", 0)
        # Where its route allows it, the call goes to the next deployment.
        asked = {"model": "claude-test", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}
        other = httpx.post(
            f"{second.url}/v1/messages", json=asked, headers={"x-api-key": KEY, "x-breakeven-task": "rag"}, timeout=60
        )
        assert (other.status_code, other.headers["x-breakeven-deployment"]) == (200, "claude")
        tries = calm.rows(other.headers["x-breakeven-request-id"])["raw"]["tries"]
        assert tries == [{"deployment": "own", "error": "queue-full"}]
        calm.own.let_end(1)
        assert held.result(120).status_code == 200
