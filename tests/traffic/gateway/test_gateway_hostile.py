"""The gateway against strangers, careless callers and engines that are somebody else's by now."""

from __future__ import annotations

import asyncio
import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from tests.database import conninfo
from tests.traffic.gateway_peers import ABOUT_US, bomb
from tests.traffic.gateway_rows import row as row_of
from tests.traffic.gateway_stack import KEY, Stack, calm, stack, until
from traffic.gateway import intake, upstream
from traffic.gateway.bounds import KEY_BYTES, KEY_CALLS, MIB, MOST_BODY, PROCESS_BYTES, PROCESS_CALLS
from traffic.gateway.exchange import ANSWER_CUT, ANSWER_UNREAD, UNCHECKED
from traffic.gateway.hang_up import TOO_SLOW, HangUp
from traffic.gateway.intake import Deadlines, Load, drain
from traffic.gateway.protocols import BESIDE_THE_LOOP, OPENAI, read_request
from traffic.gateway.refusals import CallerGone, Refusal
from traffic.gateway.routes import Target
from traffic.gateway.shutdown import Shutdown
from traffic.gateway.store import Store
from traffic.gateway.upstream import body_for
from traffic.ingest import data_quality
from traffic.ingest.rows import Tokens

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db

ASKED: dict[str, Any] = {"model": "claude-test", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}


def post(stack: Stack, body: Any = None, path: str = "/v1/messages", key: str = KEY, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(ASKED if body is None else body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"{stack.url}{path}", content=content, headers={"x-api-key": key, **named}, timeout=60)


@contextlib.contextmanager
def open_to(stack: Stack, times: int, head: str) -> Iterator[list[socket.socket]]:
    """So many connections on which `head` was sent and nothing more."""
    port = int(stack.url.rsplit(":", 1)[1])
    with contextlib.ExitStack() as held:
        callers = [held.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(times)]
        for caller in callers:
            caller.sendall(head.encode())
        yield callers


def upload(key: str = KEY, length: int = 100_000, path: str = "/v1/messages") -> str:
    return f"POST {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: {length}\r\n\r\n"


def read_all(caller: socket.socket) -> bytes:
    """What comes until the other end closes."""
    caller.settimeout(120)
    answer = b""
    while piece := caller.recv(65_536):
        answer += piece
    return answer


@contextlib.contextmanager
def watched(stack: Stack) -> Iterator[None]:
    """Asks `/healthz` again and again, which is always answered."""
    over, statuses = threading.Event(), list[int]()

    def ask() -> None:
        while not over.is_set():
            statuses.append(0)
            statuses[-1] = httpx.get(f"{stack.url}/healthz", timeout=60).status_code

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        over.set()
        asking.join()
    assert set(statuses) == {200}


def processor_time(stack: Stack) -> float:
    """Seconds of the processor that the gateway has had, of all its threads."""
    assert stack.gateway.process is not None
    family = psutil.Process(stack.gateway.process.pid).children(recursive=True)
    return sum(times.user + times.system for times in (process.cpu_times() for process in family))


# Bodies.


def test_idle_uploads_and_half_headers_stop_nobody_and_end_in_time(calm: Stack) -> None:
    with open_to(calm, 64, upload()) as idle, open_to(calm, 64, "POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-a: "):
        assert post(calm).status_code == 200
        assert select.select(idle, [], [], 0)[0] == [], "all were being held while another was answered"
        with watched(calm):
            assert [post(calm).status_code for _ in range(5)] == [200] * 5
        answers = [read_all(caller) for caller in idle]
    assert all(b"408 Request Timeout" in answer and b"body-too-slow" in answer for answer in answers)


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (upload("be_nobody"), b"unknown-key"),
        (upload(length=64 * MIB), b"body-too-large"),
        (upload(path="/v1/nothing"), b"no-such-path"),
        (upload(path=f"/v1/messages?{'x' * 5_000}"), b"query-too-long"),
        (upload().replace("\r\n\r\n", f"\r\nx-long: {'a' * 66_000}\r\n\r\n"), b"head-too-large"),
    ],
)
def test_a_refusal_does_not_wait_for_the_body(calm: Stack, head: str, code: bytes) -> None:
    """Which never comes: waited for, it would be refused for that."""
    with open_to(calm, 1, head) as (caller,):
        assert code in read_all(caller)


@pytest.mark.parametrize("size", [10_000, 8 * MIB])
def test_an_honest_caller_sees_the_refusal_of_what_it_uploads(calm: Stack, size: int) -> None:
    refused = post(calm, b"x" * size, key="be_nobody")
    assert (refused.status_code, refused.headers["x-breakeven-error"]) == (401, "unknown-key")


def pieces_of(*pieces: tuple[float, dict[str, Any]]) -> Any:
    """A `receive` that gives these messages, each after so many seconds, and then nothing more."""
    waiting = iter(pieces)

    async def receive() -> dict[str, Any]:
        seconds, message = next(waiting, (60.0, {}))
        await asyncio.sleep(seconds)
        return message

    return receive


def more(size: int) -> dict[str, Any]:
    return {"type": "http.request", "body": b"x" * size, "more_body": True}


LAST = {"type": "http.request", "body": b"!", "more_body": False}


def read(
    *pieces: tuple[float, dict[str, Any]], load: Load | None = None, headers: dict[bytes, bytes] | None = None
) -> bytes:

    async def run() -> bytes:
        deadlines = Deadlines()
        watch = asyncio.create_task(deadlines.watch())
        try:
            return await deadlines.read_body(headers or {}, pieces_of(*pieces), (load or Load()).enter(1))
        finally:
            watch.cancel()

    return asyncio.run(run())


def test_a_body_that_comes_too_slowly_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "FIRST_BYTE_S", 0.3)
    monkeypatch.setattr(intake, "WINDOW_S", 0.3)
    monkeypatch.setattr(intake, "LOOK_EVERY_S", 0.02)
    assert read((0, more(1)), (0.1, more(5_200)), (0.2, more(5_200)), (0.2, LAST)).endswith(b"x!")
    for slow in ([(1.0, LAST)], [(0, more(1)), (1.0, LAST)], [(0, more(1)), *[(0.1, more(1_000))] * 9]):
        with pytest.raises(Refusal) as refused:
            read(*slow)
        assert (refused.value.status, refused.value.code) == (408, "body-too-slow")


def test_a_body_that_is_there_whole_waits_for_no_further_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "FIRST_BYTE_S", 0.3)
    monkeypatch.setattr(intake, "WINDOW_S", 0.3)
    monkeypatch.setattr(intake, "LOOK_EVERY_S", 0.02)
    length = {b"content-length": b"5"}
    assert read((0, more(5)), headers=length) == b"xxxxx"
    assert read((0, more(2)), (0, more(3)), headers=length) == b"xxxxx"
    for headers in ({}, length | {b"transfer-encoding": b"chunked"}):
        assert read((0, more(5)), (0, LAST), headers=headers) == b"xxxxx!"
        with pytest.raises(Refusal, match="in time"):
            read((0, more(5)), headers=headers)


def test_a_body_has_an_end_however_it_trickles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "WHOLE_S", 0.3)
    monkeypatch.setattr(intake, "LOOK_EVERY_S", 0.02)
    with pytest.raises(Refusal, match="in time"):
        read(*[(0.1, more(6_000))] * 30)


def test_a_large_body_is_joined_and_given_its_model_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    beside: list[str] = []

    async def to_thread(work: Any, *arguments: Any, **named: Any) -> Any:
        beside.append(work.__name__)
        return work(*arguments, **named)

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    target = Target(1, "own", "self", "vllm", "http://127.0.0.1", "m")
    for size, threads in ((BESIDE_THE_LOOP - 100, []), (BESIDE_THE_LOOP, ["join", "with_model"])):
        beside.clear()
        head, end = b'{"model":"other","messages":"', b'"}'
        text = {"type": "http.request", "body": head + b"x" * size, "more_body": True}
        body = read((0, text), (0, LAST | {"body": end}))
        sent = json.loads(asyncio.run(body_for(read_request(OPENAI, body), target)))
        assert (sent["model"], len(sent["messages"]), beside) == (target.model, size, threads)


def test_a_caller_that_leaves_in_the_middle_of_its_body_is_gone() -> None:
    with pytest.raises(CallerGone):
        read((0, more(1)), (0, {"type": "http.disconnect"}))


def test_a_body_without_a_length_is_refused_past_the_limit() -> None:
    with pytest.raises(Refusal) as refused:
        read(*[(0, more(MOST_BODY // 2 + 1))] * 2)
    assert refused.value.status == 413


def test_no_more_bodies_are_held_than_fit() -> None:
    load = Load()
    shares = [load.enter(key) for key in range(8)]
    with pytest.raises(Refusal) as refused:
        shares[0].take(KEY_BYTES + 1)
    assert (refused.value.status, refused.value.headers) == (429, ((b"retry-after", b"1"),))
    with pytest.raises(Refusal) as refused:
        for share in shares:
            share.take(KEY_BYTES)
    assert (refused.value.status, refused.value.headers) == (503, ((b"retry-after", b"1"),))
    for share in shares:
        share.free()
    assert (load.calls, load.bytes) == (0, 0)
    load.enter(1).take(min(KEY_BYTES, PROCESS_BYTES))


def test_no_more_calls_are_at_work_than_fit() -> None:
    load = Load()
    for _ in range(KEY_CALLS):
        load.enter(1)
    with pytest.raises(Refusal) as refused:
        load.enter(1)
    assert refused.value.status == 429
    for number in range(PROCESS_CALLS - KEY_CALLS):
        load.enter(2 + number % 100)
    with pytest.raises(Refusal) as refused:
        load.enter(999)
    assert refused.value.status == 503


def test_a_little_of_an_unread_body_is_taken_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "DRAIN_S", 0.2)
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return more(100_000)

    asyncio.run(drain(receive))
    assert taken == 11
    asyncio.run(drain(pieces_of((60, {}))))  # a caller that sends nothing is waited for, but not for long


def test_a_caller_that_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traffic.gateway.shutdown.LOOK_EVERY_S", 0.05)

    async def never(message: dict[str, Any]) -> None:
        await asyncio.sleep(60)

    async def call(ending: Shutdown, calls: list[HangUp]) -> None:
        hang_up = HangUp(pieces_of((60, {})))
        calls.append(hang_up)
        ending.calls.add(hang_up)
        await hang_up.send(never, b"x")

    async def run() -> str:
        ending, calls = Shutdown(1.0, 0.2), list[HangUp]()
        ending.start()
        task = asyncio.create_task(call(ending, calls))
        await asyncio.wait([task])
        assert task.cancelled()
        return calls[0].reason

    assert asyncio.run(run()) == TOO_SLOW


# Texts.


def test_a_models_name_has_a_bound_and_costs_nothing(calm: Stack) -> None:
    spent = [processor_time(calm)]
    for model in ("-" * 1_200_000, "_eyJaaaaaaaa" * 100_000):  # a harmless one, and one that is slow to look through
        refused = post(calm, {**ASKED, "model": model})
        assert (refused.status_code, refused.headers["x-breakeven-error"]) == (400, "bad-request")
        spent.append(processor_time(calm))
    assert spent[2] - spent[1] <= 3 * max(spent[1] - spent[0], 0.1)
    assert calm.claude.seen == []
    assert post(calm, {**ASKED, "model": "claude_eyJaaaaaaaa"[:200]}).status_code == 200
    assert post(calm, {**ASKED, "model": "_eyJaaaaaaaa" * 16}).status_code == 404


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("text", ["_eyJaaaaaaaa", "4 1 ", "_a"])
def test_a_long_text_of_the_worst_kind_stops_nobody_and_its_row_lands(
    calm: Stack, text: str, *, streamed: bool
) -> None:
    body = {**ASKED, "stream": streamed, "messages": [{"role": "user", "content": text * (MIB // len(text))}]}
    with watched(calm):
        answer = post(calm, body)
        row = calm.rows(answer.headers["x-breakeven-request-id"])
    assert (answer.status_code, row["outcome"], row["uncached_input"]) == (200, "ok", 20)


def nested(levels: int) -> bytes:
    content = b"[" * levels + b"]" * levels
    return (
        json.dumps({**ASKED, "messages": [{"role": "user", "content": 0}]})
        .encode()
        .replace(b": 0}", b": %b}" % content)
    )


@pytest.mark.parametrize("streamed", [b"true", b"false"])
def test_a_deep_request_is_recorded_when_it_was_paid(calm: Stack, streamed: bytes) -> None:
    for levels in (150, 700):
        answer = post(calm, nested(levels).replace(b'{"model"', b'{"stream": %b, "model"' % streamed))
        assert answer.status_code == 200
        row = calm.rows(answer.headers["x-breakeven-request-id"])
        assert (row["outcome"], row["uncached_input"], row["output"]) == ("ok", 20, 7)
    seen = len(calm.claude.seen)
    refused = post(calm, nested(10_000))
    assert (refused.status_code, refused.headers["x-breakeven-error"]) == (400, "bad-request")
    assert len(calm.claude.seen) == seen


def test_deep_fields_beside_the_messages_do_no_harm(calm: Stack) -> None:
    deep = b"[" * 990 + b"]" * 990
    for field in (b"metadata", b"stream", b"max_tokens", b"tools"):
        body = json.dumps(ASKED).encode().replace(b'{"model"', b'{"%b": %b, "model"' % (field, deep))
        answer = post(calm, body)
        assert answer.status_code in (200, 400)
        if answer.status_code == 200:
            calm.rows(answer.headers["x-breakeven-request-id"])


@pytest.mark.parametrize("streamed", [False, True])
def test_a_deep_answer_passes_and_is_recorded(calm: Stack, *, streamed: bool) -> None:
    calm.claude.behaviour = "deep"
    answer = post(calm, {**ASKED, "stream": streamed})
    assert answer.status_code == 200
    assert b"[" * 10_000 in answer.content
    row = calm.rows(answer.headers["x-breakeven-request-id"])
    assert row["outcome"] == "ok"
    assert (row["output"] == 7) is streamed  # the usage of a stream comes in an event of its own
    if not streamed:
        assert row["raw"]["doubts"] == [ANSWER_UNREAD]


def test_the_gateways_doubts_have_a_meaning() -> None:
    assert {ANSWER_CUT, ANSWER_UNREAD, UNCHECKED} <= data_quality.MEANINGS.keys()


# Engines.


@pytest.mark.parametrize("behaviour", ["bomb", "no-end"])
def test_a_whole_answer_without_measure_ends_as_broken_off(calm: Stack, behaviour: str) -> None:
    bomb()
    calm.claude.behaviour = behaviour
    answer = post(calm)
    assert (answer.status_code, answer.headers["x-breakeven-error"]) == (502, "upstream-broke-off")
    row = calm.rows(answer.headers["x-breakeven-request-id"])
    assert (row["outcome"], row["error_type"], row["output"]) == ("error", "upstream-broke-off", None)
    assert calm.claude.written < 100_000_000
    calm.claude.behaviour = "ok"
    assert post(calm).status_code == 200


NO_OBJECTS = ("page", "list", "nothing", "no-gzip")


@pytest.mark.parametrize(
    ("behaviour", "streamed"), [*product(NO_OBJECTS, (False, True)), ("events", False)]
)  # events are what a streamed call asks for
def test_an_answer_that_is_no_object_is_an_error_in_the_callers_protocol(
    calm: Stack, behaviour: str, *, streamed: bool
) -> None:
    calm.claude.behaviour = behaviour
    answer = post(calm, {**ASKED, "stream": streamed})
    assert (answer.status_code, answer.headers["x-breakeven-error"]) == (502, "upstream-broke-off")
    assert answer.json()["error"]["message"] == "claude sent an answer that cannot be read."
    row = calm.rows(answer.headers["x-breakeven-request-id"])
    assert (row["outcome"], row["error_type"], row["output"]) == ("error", "upstream-broke-off", None)


@pytest.mark.parametrize("stream", [1, "true", [[]]])
def test_what_an_engine_may_read_as_asking_for_a_stream_gets_one(calm: Stack, stream: Any) -> None:
    calm.claude.behaviour = "events"
    answer = post(calm, {**ASKED, "stream": stream})
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("behaviour", ["302", "999"])
def test_a_status_that_no_model_answers_with_is_a_fault_of_the_deployment(calm: Stack, behaviour: str) -> None:
    calm.claude.behaviour = behaviour
    answer = post(calm, x_breakeven_route="claude")
    assert (answer.status_code, answer.headers["x-breakeven-error"]) == (502, "upstream-unreachable")
    assert answer.json()["error"]["message"] == "claude could not be reached: a redirect is not followed."
    row = calm.rows(answer.headers["x-breakeven-request-id"])
    assert (row["outcome"], row["error_type"]) == ("error", "upstream-unreachable")
    assert row["raw"]["tries"] == [{"deployment": "claude", "error": "UnexpectedStatus"}]


@pytest.mark.parametrize("behaviour", ["bomb", "no-line"])
def test_a_stream_without_measure_ends_as_broken_off(calm: Stack, behaviour: str) -> None:
    bomb()
    calm.claude.behaviour = behaviour
    before = time.time()
    with watched(calm), contextlib.suppress(httpx.HTTPError):
        post(calm, {**ASKED, "stream": True})

    def recorded() -> dict[str, Any] | None:
        row = calm.newest(error_type="upstream-broke-off", streamed=True)
        return row if row["started_at"].timestamp() >= before else None

    assert until(recorded)["outcome"] == "error"


def test_an_answer_with_headers_without_measure_is_none(calm: Stack) -> None:
    calm.claude.behaviour = "long-header"
    answer = post(calm, x_breakeven_route="claude")
    assert (answer.status_code, answer.headers["x-breakeven-error"]) == (502, "upstream-unreachable")
    assert calm.rows(answer.headers["x-breakeven-request-id"])["outcome"] == "error"


def test_what_the_vendor_says_of_our_account_stays_here(calm: Stack) -> None:
    answer = post(calm)
    assert answer.headers["request-id"] == "req_1"
    assert not ABOUT_US.keys() & answer.headers.keys()


def test_queries_are_not_remembered(calm: Stack) -> None:
    target = Target(1, "own", "self", "vllm", "http://own", "m")
    upstream._base.cache_clear()
    urls = {str(upstream.url_of(target, "/v1/messages", f"beta={number}")) for number in range(100)}
    assert len(urls) == 100
    assert "http://own/v1/messages?beta=7" in urls
    assert upstream._base.cache_info().currsize == 1
    refused = post(calm, path=f"/v1/messages/count_tokens?{'x' * 60_000}")
    assert (refused.status_code, refused.headers["x-breakeven-error"]) == (414, "query-too-long")


# Quotas.


def metered_key(stack: Stack, secret: str, quota: int) -> int:
    made = stack.conn.execute(
        "INSERT INTO traffic_key (application_id, name, hint, hash, scopes, created_at, quota, quota_unit,"
        " quota_period) SELECT id, 'metered', 'be_', %s, '{gateway}', now(), %s, 'tokens', 'day'"
        " FROM traffic_application WHERE slug = 'shop' RETURNING id",
        [sha256(secret.encode()).digest(), quota],
    ).fetchone()
    assert made is not None
    return int(made[0])


def use_of(stack: Stack, key: int) -> tuple[Any, ...]:
    query = "SELECT requests, tokens, estimated_tokens, estimated_cost FROM traffic_keyuse WHERE key_id = %s"
    return stack.conn.execute(query, [key]).fetchone() or (0, 0, 0, 0)


def test_streams_that_are_hung_up_count_against_the_quota(calm: Stack) -> None:
    secret = "be_hangs_up"
    key = metered_key(calm, secret, 500)
    calm.claude.behaviour = "endless"
    ids = []
    for _ in range(8):
        body = {**ASKED, "stream": True}
        with httpx.stream("POST", f"{calm.url}/v1/messages", json=body, headers={"x-api-key": secret}) as answer:
            if answer.status_code == 429:
                break  # what hung up first counts by now
            ids.append(answer.headers["x-breakeven-request-id"])
            heard = b""
            for piece in answer.iter_bytes():
                heard += piece
                if heard.count(b"content_block_delta") > 2:
                    break
    assert len(ids) >= 2  # 500 tokens are more than the first one used
    until(lambda: use_of(calm, key)[0] == len(ids))
    # 20 + 300 + 40 + 10 of the prompt are known, and two pieces of the answer came or were on their way.
    requests, tokens, estimated, _cost = use_of(calm, key)
    assert (requests, tokens) == (len(ids), 0)
    assert len(ids) * 371 <= estimated <= len(ids) * 373
    assert all(calm.rows(each)["output"] is None for each in ids)  # unknown stays unknown
    calm.claude.behaviour = "ok"
    refused = until(lambda: (got := post(calm, key=secret)).status_code == 429 and got)
    assert refused.headers["x-breakeven-error"] == "quota"


def test_a_call_that_is_hung_up_before_its_answer_is_estimated_too(calm: Stack) -> None:
    secret = "be_hangs_up_early"
    with calm.read_by():  # a call that leaves while its key is looked up has cost nothing
        key = metered_key(calm, secret, 100_000)
    calm.claude.behaviour = "silent"
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{calm.url}/v1/messages", json=ASKED, headers={"x-api-key": secret}, timeout=0.5)
    _requests, tokens, estimated, _cost = until(lambda: (use := use_of(calm, key))[0] and use)
    assert tokens == 0
    assert len(json.dumps(ASKED)) // 4 - 5 <= estimated <= len(json.dumps(ASKED)) // 4 + 10  # of the answer 10 at most


def test_an_estimate_is_charged_once_however_often_its_row_is_moved(calm: Stack, tmp_path: Path) -> None:
    key = metered_key(calm, "be_moved_twice", 100)
    rows = [row_of(1, tokens=None, estimate=Tokens(7, 1, 1, 1, 5), key_id=key), row_of(2, key_id=key)]
    with psycopg.connect(conninfo(), autocommit=True) as conn:
        for _ in range(2):
            Store()(conn, rows)
    assert use_of(calm, key)[:3] == (2, 15, 15)


# Usage that the gateway asks for.


@pytest.fixture
def vllm(calm: Stack) -> Iterator[Stack]:
    with calm.changed(
        "UPDATE providers_deployment SET engine = 'vllm' WHERE slug = 'own'",
        "UPDATE providers_deployment SET engine = 'llamacpp' WHERE slug = 'own'",
    ):
        yield calm


def test_a_stream_that_asks_for_no_usage_is_counted_and_comes_without_it(vllm: Stack) -> None:
    body = {**ASKED, "model": "own-model", "stream": True}
    plain = post(vllm, body, "/v1/chat/completions")
    row = vllm.rows(plain.headers["x-breakeven-request-id"])
    assert (row["uncached_input"], row["output"], row["outcome"]) == (38, 12, "ok")
    assert json.loads(vllm.own.seen[0]["body"]) == {**body, "stream_options": {"include_usage": True}}
    assert b'"usage"' not in plain.content
    assert plain.content.endswith(b'"finish_reason": "stop"}]}\n\ndata: [DONE]\n\n')
    asked = post(vllm, {**body, "stream_options": {"include_usage": True}}, "/v1/chat/completions")
    assert asked.content.count(b'"usage"') == 1
    whole = post(vllm, {**ASKED, "model": "own-model"}, "/v1/chat/completions")
    assert "stream_options" not in json.loads(vllm.own.seen[-1]["body"])
    assert whole.status_code == 200
