"""What a rule does with its targets, in a gateway as it runs in earnest: time-outs, load, hedges, canaries, shadows."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC
from decimal import Decimal
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import anthropic
import httpx
import psycopg
import pytest

from tests.factories import YEAR, TokenPriceFactory
from tests.traffic.gateway.test_gateway_recorder import exchange
from tests.traffic.gateway_stack import KEY, OTHER_KEY, GatewayProcess, Stack, calm, free_port, stack, until
from traffic.gateway.caps.ledger import CappedCall
from traffic.gateway.concurrency import CallQueues
from traffic.gateway.hedging import copied
from traffic.gateway.protocols import OPENAI, read_request
from traffic.gateway.recorder import Recorder
from traffic.gateway.relay import Relay
from traffic.gateway.resilience import Cooling
from traffic.gateway.routes import Decision, Rule, Target
from traffic.gateway.shadow import KEEP, RESERVE, SETTLE, Shadows
from traffic.gateway.spool import Spool

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db

ASKED = {"model": "claude-test", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
RULE = """
INSERT INTO traffic_route ("order", slug, name, enabled, tasks, requested_models, over_context, self_only_model,
    budget_states, to_provider, falls_back, next_at_cap, deployment_id, {names})
SELECT 1, 'all', 'All', true, '{{}}', '{{}}', false, false, '{{}}', '', true, false, id, {values}
FROM providers_deployment WHERE slug = 'own'
"""
CLAUDE = "(SELECT id FROM providers_deployment WHERE slug = 'claude')"
EQUAL = """
INSERT INTO traffic_fallback (route_id, deployment_id, "order", weight)
SELECT r.id, d.id, 1, 1 FROM traffic_route r, providers_deployment d WHERE d.slug = 'claude';
"""
UNDO = "DELETE FROM traffic_routeuse; DELETE FROM traffic_fallback; DELETE FROM traffic_route"


@pytest.fixture(scope="module", autouse=True)  # before the gateway reads its prices
def priced(stack: Stack, django_db_blocker: Any) -> Stack:
    with django_db_blocker.unblock():
        TokenPriceFactory.create(
            provider="anthropic", model="claude-test", starts_at=YEAR, seen_at=YEAR, uncached_input=3,
            cache_read=Decimal("0.3"), cache_write_5m=Decimal("3.75"), cache_write_1h=6, output=15,
        )  # fmt: skip
    return stack


@contextmanager
def rule(calm: Stack, more: str = "", **columns: str) -> Iterator[None]:
    """One rule for all calls, to `own`; `claude` is its equal where `more` says so."""
    statement = RULE.format(names=", ".join(columns), values=", ".join(columns.values()))
    with calm.changed(f"{statement}; {more}", UNDO):
        yield


def ask(url: str, text: str = "Hi", key: str = KEY, **headers: str) -> httpx.Response:
    body = {**ASKED, "messages": [{"role": "user", "content": text}]}
    return httpx.post(f"{url}/v1/messages", json=body, headers={"x-api-key": key, **headers}, timeout=60)


def stream(url: str, key: str = KEY) -> str:
    """A whole stream; the id of its call."""
    body, headers = {**ASKED, "stream": True}, {"x-api-key": key}
    with httpx.stream("POST", f"{url}/v1/messages", json=body, headers=headers, timeout=60) as answer:
        with suppress(httpx.RemoteProtocolError):
            answer.read()
        return answer.headers["x-breakeven-request-id"]


def deployment(answer: httpx.Response) -> str:
    return answer.headers["x-breakeven-deployment"]


@pytest.mark.parametrize(
    ("column", "behaviour", "streamed", "kind"),
    [
        ("first_byte_timeout_s", "silent", False, "first_byte"),
        ("total_timeout_s", "silent", False, "total"),
        ("idle_timeout_s", "stalls", True, "idle"),
        ("total_timeout_s", "slow", True, "total"),
    ],
)
def test_each_time_out_of_a_deployment_ends_its_calls_and_the_row_has_which(
    calm: Stack, column: str, behaviour: str, streamed: bool, kind: str
) -> None:
    calm.claude.behaviour = behaviour
    update = f"UPDATE providers_deployment SET {column} = {{}} WHERE slug = 'claude'"
    with calm.changed(update.format("0.4"), update.format("NULL")):
        began = time.monotonic()
        if streamed:
            identifier = stream(calm.url)
        else:
            answer = ask(calm.url)
            assert (answer.status_code, answer.headers["x-breakeven-error"]) == (504, "upstream-timeout")
            assert answer.json()["error"]["type"] == "timeout_error"
            identifier = answer.headers["x-breakeven-request-id"]
        assert time.monotonic() - began < 2.5  # the gateway's own is 3 s
    row = calm.rows(identifier)
    assert (row["outcome"], row["error_type"], row["raw"]["timeout"]) == ("timeout", "upstream-timeout", kind)


def test_a_deployment_that_takes_no_connection_in_its_time_is_504(calm: Stack) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            with suppress(BlockingIOError):
                each.connect(full.getsockname())
        time.sleep(0.1)
        change = f"connect_timeout_s = 0.3, url = 'http://127.0.0.1:{full.getsockname()[1]}'"
        undo = f"connect_timeout_s = NULL, url = '{calm.own.url}'"
        update = "UPDATE providers_deployment SET {} WHERE slug = 'own'"
        with calm.changed(update.format(change), update.format(undo)):
            answer = ask(calm.url, **{"x-breakeven-private": "1"})
        for each in waiting:
            each.close()
    assert answer.status_code == 504 and "own could not be reached in time." in answer.text
    assert calm.rows(answer.headers["x-breakeven-request-id"])["raw"]["timeout"] == "connect"


def test_the_deadline_of_a_failed_answer_ends_with_it(calm: Stack) -> None:
    """The answer of the next target is not marked as one that took too long."""
    calm.own.behaviour, calm.claude.behaviour = "503", "late"
    update = "UPDATE providers_deployment SET total_timeout_s = {} WHERE slug = 'own'"
    with calm.changed(update.format("0.4"), update.format("NULL")), rule(calm, EQUAL, hedge_ms="NULL"):
        answer = ask(calm.url)
    assert (answer.status_code, deployment(answer)) == (200, "claude")
    assert "timeout" not in calm.rows(answer.headers["x-breakeven-request-id"])["raw"]


def has_begun(calm: Stack, calls: int) -> bool:
    return len(calm.own.seen) + len(calm.claude.seen) == calls


def test_the_least_busy_of_equal_deployments_answers(calm: Stack) -> None:
    calm.own.behaviour = calm.claude.behaviour = "held"
    with rule(calm, EQUAL, strategy="'least_busy'"):
        threads = []
        for number in range(1, 7):
            threads.append(threading.Thread(target=stream, args=(calm.url,)))
            threads[-1].start()
            until(partial(has_begun, calm, number))
        assert (len(calm.own.seen), len(calm.claude.seen)) == (3, 3)  # one conversation, and still both
        calm.own.let_end(10)
        calm.claude.let_end(10)
        for thread in threads:
            thread.join(60)


def test_a_deployment_that_cools_down_at_one_gateway_does_at_the_others_and_is_checked(
    calm: Stack, tmp_path: Any
) -> None:
    environment = {**calm.gateway.environment, "BREAKEVEN_GATEWAY_COOLDOWN": "40"}
    gateways = [GatewayProcess(calm.gateway.database_url, tmp_path, environment).start() for _ in range(2)]
    calm.own.behaviour = "503"
    due = "UPDATE providers_deployment SET check_due_at = now() + interval '1 hour', cooling_until = NULL"
    calm.conn.execute(due)
    try:
        with rule(calm, EQUAL, hedge_ms="NULL"):
            assert {deployment(ask(gateways[0].url)) for _ in range(5)} == {"claude"}
            query = "SELECT check_due_at <= now() FROM providers_deployment WHERE cooling_until > now()"
            assert until(lambda: calm.conn.execute(query).fetchall()) == [(True,)]
            time.sleep(1.5)
            assert len(calm.own.seen) == 5
            assert deployment(ask(gateways[1].url)) == "claude"
            assert len(calm.own.seen) == 5  # the other gateway has never asked it
    finally:
        for gateway in gateways:
            gateway.stop()
        calm.conn.execute("UPDATE providers_deployment SET cooling_until = NULL")


def test_a_failed_check_counts_towards_the_cooling_down() -> None:
    own, other = (Target(n, s, "self", "vllm", "http://h", "m") for n, s in ((1, "own"), (2, "other")))
    cooling = Cooling()
    cooling.failed(replace(own, failed_checks=4))
    assert cooling.reorder(Decision("r", (own, other))).targets == (other, own)


def test_a_silent_deployment_is_hedged_by_an_equal_one_and_both_calls_are_rows(calm: Stack) -> None:
    calm.own.behaviour = "silent"
    with rule(calm, EQUAL, hedge_ms="300"):
        began = time.monotonic()
        answer = ask(calm.url)
        assert answer.status_code == 200 and deployment(answer) == "claude"
        assert 0.3 <= time.monotonic() - began < 2.5
        row = calm.rows(answer.headers["x-breakeven-request-id"])
        other = calm.rows(row["raw"]["hedged"])
        assert (row["outcome"], row["output"]) == ("ok", 7)
        assert (other["outcome"], other["error_type"]) == ("cancelled", "hedge_lost")
        assert other["raw"]["hedged"] == str(row["id"])
        until(calm.own.hung_up.is_set)


def test_a_quick_answer_is_not_hedged_and_a_failed_hedge_changes_nothing(calm: Stack) -> None:
    with rule(calm, EQUAL, hedge_ms="400"):
        answer = ask(calm.url)
        assert deployment(answer) == "own" and not calm.claude.seen
        calm.own.behaviour, calm.claude.behaviour = "late", "503"
        answer = ask(calm.url)
        assert (answer.status_code, deployment(answer), len(calm.claude.seen)) == (200, "own", 1)
        row = calm.rows(answer.headers["x-breakeven-request-id"])
        other = calm.rows(row["raw"]["hedged"])
        assert (row["outcome"], other["outcome"], other["error_type"]) == ("ok", "error", "http_503")


def test_both_calls_of_a_hedge_end_when_their_caller_leaves(calm: Stack) -> None:
    calm.own.behaviour = calm.claude.behaviour = "silent"
    with rule(calm, EQUAL, hedge_ms="100"):
        body = {**ASKED, "messages": [{"role": "user", "content": "Hi"}]}
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{calm.url}/v1/messages", json=body, headers={"x-api-key": KEY}, timeout=1.5)
        until(calm.own.hung_up.is_set)
        until(calm.claude.hung_up.is_set)
        row = calm.newest(error_type="caller_hung_up", outcome="cancelled")
        other = calm.rows(row["raw"]["hedged"])
        assert (other["outcome"], other["error_type"]) == ("cancelled", "hedge_lost")
        assert (row["model"], other["model"]) == ("own-model", "claude-test")


OWN, OTHER = (Target(n, s, "self", "vllm", "http://h", "m", max_concurrency=1) for n, s in ((1, "own"), (2, "other")))


@pytest.mark.parametrize("leaves", [False, True])
def test_a_second_call_that_is_ready_too_late_gives_back_its_slot_and_its_caps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, leaves: bool
) -> None:
    """The first answer does not wait for it, and a caller that leaves does not cut its reserving in two."""

    async def call() -> None:
        counters, answer, dropped = asyncio.Event(), Mock(status=200), list[Any]()
        queues, ledger = CallQueues(1.0), Mock(give_back=dropped.append)
        ledger.reserve = Mock(side_effect=lambda call, target: reserved(counters))
        relay = Relay(Recorder(Spool(tmp_path)), queues, ledger, idle_timeout_s=1, connect_timeout_s=1)
        monkeypatch.setattr(relay, "_ask_patiently", lambda *_, **__: asyncio.sleep(30 if leaves else 0.05, answer))
        decision = Decision("all", (OWN, OTHER), of=Rule("all", "All", hedge_ms=1), equals=(OWN, OTHER))
        asked = replace(exchange(), target=OWN, decision=decision, facts={"guessed_task": "code", "timeout": "x"})
        asked.capped = CappedCall("e", (), asked.request, None, UTC, refuse=True)
        hedged = asyncio.create_task(relay._hedged(asked, OWN, OTHER))
        while not ledger.reserve.called:
            await asyncio.sleep(0.01)
        assert queues.is_full(OTHER)
        if leaves:
            hedged.cancel()
            with pytest.raises(asyncio.CancelledError):
                await hedged
        else:
            assert await hedged == (asked, answer)
        counters.set()
        while not dropped:
            await asyncio.sleep(0.01)
        assert dropped == ["hold"] and not queues.is_full(OTHER)
        assert copied(asked, OTHER, "hedge").facts == {"guessed_task": "code"}
        await relay.session(local=True).close()
        await relay.session(local=False).close()

    asyncio.run(asyncio.wait_for(call(), 20))


async def reserved(counters: asyncio.Event) -> str:
    """A reservation that Valkey takes its time for."""
    await counters.wait()
    return "hold"


def test_calls_of_a_canary_are_marked_and_counted(calm: Stack) -> None:
    calm.claude.behaviour = "503"
    with rule(calm, canary_id=CLAUDE, canary_percent="50"):
        answers = [ask(calm.url, str(number)) for number in range(30)]
        assert {deployment(answer) for answer in answers} == {"own"}  # the rule answers when its canary fails
        canaries = len({json.dumps(json.loads(seen["body"])["messages"]) for seen in calm.claude.seen})
        assert 5 < canaries < 25
        query = "SELECT calls, failures, streams FROM traffic_routeuse WHERE calls = %s"
        counted = until(lambda: calm.conn.execute(query, [canaries]).fetchone())
        assert counted == (canaries, canaries, 0)
        rows = [calm.rows(answer.headers["x-breakeven-request-id"])["raw"] for answer in answers]
        assert sum(raw.get("canary") == "claude" for raw in rows) == canaries


COPIES = "SELECT candidate_request, baseline_request, task FROM traffic_shadowcopy"


def test_a_shadow_gets_a_copy_after_the_answer_and_its_answer_is_kept_for_a_pair(priced: Stack, calm: Stack) -> None:
    with rule(calm, shadow_id=CLAUDE, shadow_usd="5"):
        warm_up(calm)
        answer = ask(calm.url, "what is it", **{"x-breakeven-task": "rag"})
        assert deployment(answer) == "own"
        candidate, baseline, task = until(lambda: calm.conn.execute(COPIES).fetchone())
        assert (str(baseline), task) == (answer.headers["x-breakeven-request-id"], "rag")
        row = calm.rows(str(candidate))
        assert (row["outcome"], row["raw"]["shadow_of"]) == ("ok", str(baseline))
        body = calm.conn.execute("SELECT prompt FROM traffic_request_body WHERE request_id = %s", [candidate])
        assert "what is it" in str(until(body.fetchone))
        calm.conn.execute("DELETE FROM traffic_shadowcopy")
        seen = len(calm.claude.seen)
        ask(calm.url, **{"x-breakeven-private": "1"})
        ask(calm.url, **{"x-breakeven-no-store": "1"})
        ask(calm.url, key=OTHER_KEY, **{"x-breakeven-application": "lab"})  # keeps no prompts
        calm.own.behaviour = "400"
        ask(calm.url)
        time.sleep(1)
        assert len(calm.claude.seen) == seen


def test_no_copy_goes_to_the_deployment_that_answered() -> None:
    request = read_request(OPENAI, b'{"model": "m", "messages": []}')
    answered = {"outcome": "ok", "recorded": True, "keep_bodies": True, "private": False, "request": request}

    async def copies(target: Target) -> int:
        shadows = Shadows(run=Mock(), database_url="", pricing=lambda: None)
        decision = Decision("all", (OWN, OTHER), shadow=replace(OTHER))
        call: Any = SimpleNamespace(**answered, decision=decision, target=target)
        shadows.offer(call)
        return len(shadows._tasks)

    assert (asyncio.run(copies(OWN)), asyncio.run(copies(OTHER))) == (1, 0)


def test_the_writes_of_copies_share_one_connection_and_wait_for_no_database_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = Mock(closed=False), Mock(closed=False)
    connect = Mock(side_effect=[first, second, psycopg.OperationalError])
    monkeypatch.setattr("traffic.gateway.shadow.connect", connect)
    first.execute.return_value.rowcount = second.execute.return_value.rowcount = 1

    def cut(*_: Any) -> None:
        first.closed = True
        raise psycopg.OperationalError

    async def write() -> None:
        shadows = Shadows(run=Mock(), database_url="", pricing=lambda: None)
        assert [await shadows._store(RESERVE, {}) for _ in range(3)] == [True] * 3
        assert connect.call_count == 1
        first.execute.side_effect = cut  # Postgres was started anew
        assert await shadows._store(KEEP, ()) and connect.call_count == 2
        second.closed = True
        for _ in range(3):
            with pytest.raises(psycopg.OperationalError):
                await shadows._store(SETTLE, {})
        assert connect.call_count == 3
        await shadows.close()

    asyncio.run(write())


def test_a_shadow_stops_at_its_amount_for_the_day(priced: Stack, calm: Stack) -> None:
    with rule(calm, shadow_id=CLAUDE, shadow_usd="0.01"):
        warm_up(calm)
        used = "INSERT INTO traffic_routeuse (route_id, calls, failures, streams, slow, reason, day, usd)"
        calm.conn.execute(
            f"{used} SELECT id, 0, 0, 0, 0, '', (now() AT TIME ZONE 'UTC')::date, 0.01 FROM traffic_route"
            " ON CONFLICT (route_id) DO UPDATE SET day = excluded.day, usd = 0.01"
        )
        seen = len(calm.claude.seen)
        ask(calm.url)
        time.sleep(1)
        assert len(calm.claude.seen) == seen
        calm.conn.execute("UPDATE traffic_routeuse SET day = day - 1")
        ask(calm.url)
        until(lambda: len(calm.claude.seen) == seen + 1)
        query = "SELECT usd FROM traffic_routeuse WHERE usd < 0.001"  # what it cost, in place of what was reserved
        assert until(lambda: calm.conn.execute(query).fetchone())


def warm_up(calm: Stack) -> None:
    """A price for the shadow, and a call whose storing makes the gateway read it."""
    calm.rows(ask(calm.url, **{"x-breakeven-private": "1"}).headers["x-breakeven-request-id"])


def test_a_task_is_guessed_where_the_application_wants_it_and_no_header_names_one(calm: Stack) -> None:
    update = "UPDATE traffic_application SET guess_task = {} WHERE slug = 'shop'"
    with calm.changed(update.format("true"), update.format("false")):
        code = ask(calm.url, "Fix this:\n```\nx = 1\n```")
        named = ask(calm.url, "```x```", **{"x-breakeven-task": "other"})
    row = calm.rows(code.headers["x-breakeven-request-id"])
    assert (row["task"], row["raw"]["guessed_task"]) == ("code", "code")
    row = calm.rows(named.headers["x-breakeven-request-id"])
    assert row["task"] == "other" and "guessed_task" not in row["raw"]


@pytest.mark.parametrize(("seconds", "word", "output"), [("5", "drained", 7), ("0", "cancelled", None)])
def test_the_row_of_a_caller_that_left_has_what_became_of_the_engines_call(
    calm: Stack, tmp_path: Any, seconds: str, word: str, output: int | None
) -> None:
    calm.claude.behaviour = "held"
    environment = {**calm.gateway.environment, "BREAKEVEN_GATEWAY_DRAIN": seconds}
    gateway = GatewayProcess(calm.gateway.database_url, tmp_path, environment).start()
    body, headers = {**ASKED, "stream": True}, {"x-api-key": KEY}
    try:
        with httpx.stream("POST", f"{gateway.url}/v1/messages", json=body, headers=headers, timeout=60) as answer:
            next(answer.iter_bytes())
        if seconds == "0":
            until(calm.claude.hung_up.is_set)
        else:
            time.sleep(0.3)
            calm.claude.let_end(1)
        row = calm.rows(answer.headers["x-breakeven-request-id"])
    finally:
        gateway.stop()
    assert (row["outcome"], row["error_type"], row["output"]) == ("cancelled", "caller_hung_up", output)
    assert row["raw"]["upstream"] == word


def test_a_rolling_restart_under_load_loses_no_call(calm: Stack, tmp_path: Any) -> None:
    """Two gateways on one port, each replaced while four clients without retries call in a loop."""
    port = str(free_port())
    environment = {**calm.gateway.environment, "GATEWAY_PORT": port}
    url, seen, stop = f"http://127.0.0.1:{port}", Counter[str](), threading.Event()

    def start() -> GatewayProcess:
        gateway = GatewayProcess(calm.gateway.database_url, tmp_path, environment)
        gateway.spawn()
        gateway.url = url
        log = tmp_path / gateway.log.name
        until(lambda: "gateway_started" in log.read_text())
        return gateway

    def call(streamed: bool) -> None:
        with anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0) as client:
            while not stop.is_set():
                try:
                    if streamed:
                        with client.messages.stream(**ASKED) as events:  # type: ignore[arg-type]
                            seen[events.get_final_message().type] += 1
                    else:
                        seen[client.messages.create(**ASKED).type] += 1  # type: ignore[call-overload]
                except anthropic.APIError as error:
                    seen[repr(error)] += 1

    gateways = [start(), start()]
    callers = [threading.Thread(target=call, args=(number % 2 == 0,)) for number in range(4)]
    for caller in callers:
        caller.start()
    try:
        for gateway in list(gateways):
            time.sleep(1)
            gateways.append(start())
            time.sleep(0.5)
            assert gateway.process is not None
            os.kill(gateway.process.pid, signal.SIGTERM)
            assert gateway.process.wait(60) == 0
        time.sleep(1)
    finally:
        stop.set()
        for caller in callers:
            caller.join(60)
        for gateway in gateways:
            gateway.stop()
    assert set(seen) == {"message"} and seen["message"] > 40, seen
