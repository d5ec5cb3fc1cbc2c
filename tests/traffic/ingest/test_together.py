"""Batches that meet are written together: each is told its own result, and none pays for another's fault."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from providers.models import TokenPrice
from tests.traffic.request_rows import RESPONSE, assert_rollups_exact, row
from traffic.authentication.keys import create_key
from traffic.ingest.batch import Added, batch_of
from traffic.ingest.pricing import PricingContext
from traffic.ingest.sql.deduplicate import FIND_STORED
from traffic.ingest.statement_timeout import set_timeout
from traffic.ingest.store import MOST_ROWS, GroupCommit, commit, ingest
from traffic.models import KeyUse

CONN = cast(psycopg.Connection, SimpleNamespace(closed=False))
LOST = cast(psycopg.Connection, SimpleNamespace(closed=True))
SECONDS = 30


class Slow:
    """A `write` whose first call waits until the test lets it go on."""

    def __init__(self, then: Callable[[Sequence[list[int]]], None] = lambda batches: None) -> None:
        self.calls: list[list[list[int]]] = []
        self.at_work, self.goes_on = threading.Event(), threading.Event()
        self.then = then

    def __call__(self, conn: psycopg.Connection, batches: Sequence[list[int]]) -> None:
        self.calls.append(list(batches))
        if len(self.calls) == 1:
            self.at_work.set()
            assert self.goes_on.wait(SECONDS)
        self.then(batches)


def meet(slow: Slow, *batches: list[int], conn: Any = CONN) -> list[Future[None]]:
    """The first batch is being written while the others come, in their order; returns what became of each."""
    together = GroupCommit(slow)
    with ThreadPoolExecutor(len(batches)) as pool:
        sent = [pool.submit(together.write, conn, batches[0])]
        assert slow.at_work.wait(SECONDS)
        for number, batch in enumerate(batches[1:], 1):
            sent.append(pool.submit(together.write, conn, batch))
            while len(together._waiting) < number:
                threading.Event().wait(0.001)
        slow.goes_on.set()
    return sent


def test_what_waits_is_written_in_one_go() -> None:
    slow = Slow()
    sent = meet(slow, [1], [2], [3], [4])
    assert slow.calls == [[[1]], [[2], [3], [4]]]
    assert [one.exception() for one in sent] == [None] * 4


def test_one_go_has_a_size() -> None:
    slow, half = Slow(), [0] * (MOST_ROWS // 2)
    meet(slow, [1], half, half, half, [5])
    assert [[len(batch) for batch in call] for call in slow.calls] == [[1], [len(half)] * 2, [len(half), 1]]


def test_a_batch_at_fault_costs_the_others_nothing() -> None:
    def refuse(batches: Sequence[list[int]]) -> None:
        if [3] in batches:
            raise ValueError("three")

    slow = Slow(refuse)
    sent = meet(slow, [1], [2], [3], [4])
    assert [str(one.exception() or "") for one in sent] == ["", "", "three", ""]
    assert slow.calls[1:] == [[[2], [3], [4]], [[2]], [[3]], [[4]]]


def test_a_lost_database_is_told_to_each_and_tried_no_more() -> None:
    def lose(batches: Sequence[list[int]]) -> None:
        if [2] in batches:
            raise psycopg.OperationalError("gone")

    slow = Slow(lose)
    sent = meet(slow, [1], [2], [3], conn=LOST)
    assert [(type(one.exception()), str(one.exception() or "")) for one in sent] == [
        (type(None), ""), (psycopg.OperationalError, "gone"), (psycopg.OperationalError, "gone"),
    ]  # fmt: skip
    assert slow.calls == [[[1]], [[2], [3]]]


def test_who_waits_behind_a_lost_connection_is_told_at_once() -> None:
    conn = SimpleNamespace(closed=False)

    def lose(batches: Sequence[list[int]]) -> None:
        conn.closed = True
        raise psycopg.OperationalError("gone")

    slow = Slow(lose)
    sent = meet(slow, [1], [2], [3], conn=conn)
    assert [str(one.exception()) for one in sent] == ["gone"] * 3
    assert slow.calls == [[[1]]]


def test_what_postgres_refuses_to_one_is_no_lost_database() -> None:
    """It calls also operational what is a batch's own fault: an entry too long for its index, a lost race."""

    def refuse(batches: Sequence[list[int]]) -> None:
        if [3] in batches:
            raise psycopg.errors.ProgramLimitExceeded("three")

    sent = meet(Slow(refuse), [1], [2], [3], [4])
    assert [str(one.exception() or "") for one in sent] == ["", "", "three", ""]


def test_a_thread_that_is_stopped_leaves_nobody_waiting() -> None:
    def stop(batches: Sequence[list[int]]) -> None:
        if [2] in batches:
            raise SystemExit

    sent = meet(Slow(stop), [1], [2], [3])
    kinds = {type(one.exception()) for one in sent[1:]}
    assert kinds == {SystemExit, psycopg.OperationalError}


def test_a_thread_that_is_stopped_in_the_middle_tells_what_became_of_each() -> None:
    def stop(batches: Sequence[list[int]]) -> None:
        if len(batches) > 1:
            raise ValueError("one of them")
        if batches == [[3]]:
            raise SystemExit

    sent = meet(Slow(stop), [1], [2], [3], [4])
    kinds = [type(one.exception()) for one in sent]
    assert kinds.count(SystemExit) == 1  # in the thread whose turn it was
    wanted = [type(None), type(None), psycopg.OperationalError, psycopg.OperationalError]
    assert all(kind in (one, SystemExit) for kind, one in zip(kinds, wanted, strict=True))


class Weak(list[int]):
    """A batch that can be asked whether anything still holds it."""


def test_what_failed_is_let_go_of() -> None:
    """An error holds its frames; held by them, it would stay with its batch until garbage is looked for."""

    def refuse(conn: psycopg.Connection, batches: Sequence[list[int]]) -> None:
        raise ValueError

    batch = Weak([1])
    left = weakref.ref(batch)
    gc.disable()
    try:
        with suppress(ValueError):
            GroupCommit(refuse).write(CONN, batch)
        del batch
        assert left() is None
    finally:
        gc.enable()


def test_a_turn_that_does_not_come_is_told() -> None:
    slow = Slow()
    together = GroupCommit(slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(together.write, CONN, [1])
        assert slow.at_work.wait(SECONDS)
        with set_timeout(-MOST_ROWS), pytest.raises(psycopg.OperationalError, match="too long"):
            together.write(CONN, [2])
        assert not together._waiting  # else it would be written when its thread has long said that it was not
        slow.goes_on.set()
        assert first.exception() is None
    assert slow.calls == [[[1]]]


def test_each_batch_is_told_what_it_added(conn: psycopg.Connection, price: TokenPrice) -> None:
    """Of three keys, with a call that is in two of them, one that is stored already, and two with one response id."""
    installation = PricingContext.load(conn)
    ingest(conn, [row(1)], installation)
    keys = [create_key(name=str(n), scopes=["ingest"], application=None)[0].pk for n in range(3)]
    given: list[list[dict[str, Any]]] = [
        [{"number": 1}, {"number": 2}],
        [{"number": 2, "user": "ada"}, {"number": 3, "response_id": RESPONSE}],
        [
            {"number": 4, "response_id": RESPONSE},
            {"number": 5, "application_id": 7, "prompt": "asked", "answer": "said"},
        ],
    ]
    batches = [
        batch_of([row(**one, key_id=key_id) for one in rows], installation)
        for rows, key_id in zip(given, keys, strict=True)
    ]
    commit(conn, batches)
    cost = Decimal("0.00342")
    assert [batch.added for batch in batches] == [Added(1, 700, cost)] * 3
    used = KeyUse.objects.order_by("key_id").values_list("key_id", "requests", "tokens", "cost")
    assert list(used) == [(key_id, 1, 700, cost) for key_id in keys]
    assert conn.execute("SELECT count(*), count(user_hash) FROM traffic_request").fetchone() == (4, 1)
    assert conn.execute("SELECT prompt, answer FROM traffic_request_body").fetchall() == [("asked", "said")]
    assert_rollups_exact(conn)


def test_what_is_put_together_is_counted_for_no_key(conn: psycopg.Connection, price: TokenPrice) -> None:
    """Tokens of a stored row that turns out to be another stored one were counted when they came."""
    installation = PricingContext.load(conn)
    ingest(conn, [row(1, response_id=RESPONSE, tokens=None), row(2)], installation)
    told = batch_of([row(2, response_id=RESPONSE, tokens=None)], installation)
    other = batch_of([row(3)], installation)
    commit(conn, [told, other])
    assert [told.added, other.added] == [Added(0, 0, Decimal(0)), Added(1, 700, Decimal("0.00342"))]
    assert conn.execute("SELECT count(*), sum(output) FROM traffic_request").fetchone() == (2, 400)
    assert_rollups_exact(conn)


def test_a_call_told_of_twice_is_not_another_because_its_second_telling_is(
    conn: psycopg.Connection, price: TokenPrice
) -> None:
    """The second has a response id that is stored under another id: the first is that row too, as if it came before."""
    installation = PricingContext.load(conn)
    ingest(conn, [row(1, response_id=RESPONSE, tokens=None)], installation)
    first, second = (batch_of([row(2, response_id=told)], installation) for told in (None, RESPONSE))
    commit(conn, [first, second])
    assert conn.execute("SELECT external_id, output FROM traffic_request").fetchall() == [("r1", 200)]
    assert (first.added.rows, second.added.rows) == (0, 0)
    assert_rollups_exact(conn)


def test_prompt_and_answer_of_a_call_may_come_in_two_batches(conn: psycopg.Connection, price: TokenPrice) -> None:
    installation = PricingContext.load(conn)
    halves = [row(1, application_id=7, prompt="asked"), row(1, application_id=7, answer="said")]
    commit(conn, [batch_of([half], installation) for half in halves])
    assert conn.execute("SELECT prompt, answer FROM traffic_request_body").fetchall() == [("asked", "said")]


def test_a_body_goes_where_its_call_is_found(conn: psycopg.Connection, price: TokenPrice) -> None:
    """Left under the id of a row that is no more, nobody would see it, and nobody delete it on request."""
    told: list[dict[str, Any]] = [
        {"number": 1, "response_id": RESPONSE}, {"number": 2, "answer": "said"}, {"number": 2, "response_id": RESPONSE},
    ]  # fmt: skip
    installation = PricingContext.load(conn)
    commit(conn, [batch_of([row(**one, application_id=7)], installation) for one in told])
    found = conn.execute(
        "SELECT external_id, answer FROM traffic_request_body LEFT JOIN traffic_request AS r ON r.id = request_id"
    ).fetchall()
    assert found == [("r1", "said")]


def test_the_body_of_a_row_that_becomes_another_fills_its_body(conn: psycopg.Connection, price: TokenPrice) -> None:
    installation = PricingContext.load(conn)
    told: list[dict[str, Any]] = [{"number": 1, "response_id": RESPONSE, "prompt": "asked"}]
    told += [{"number": 2, "prompt": "asked", "answer": "said"}]
    ingest(conn, [row(**one, application_id=7) for one in told], installation)
    ingest(conn, [row(2, application_id=7, response_id=RESPONSE)], installation)
    assert conn.execute("SELECT prompt, answer FROM traffic_request_body").fetchall() == [("asked", "said")]


def test_batches_of_ten_threads_are_all_there_once(conn: psycopg.Connection, price: TokenPrice) -> None:
    """Each batch has rows of its neighbour, as an exporter has that sends again; the sums are those of the rows."""
    installation, threads, size = PricingContext.load(conn), 10, 40

    def send(thread: int) -> int:
        with psycopg.connect(conn.info.dsn, password=conn.info.password, autocommit=True) as own:
            rows = [row(n, response_id=f"msg_{n:030d}") for n in range(thread * size, thread * size + 2 * size)]
            return ingest(own, rows, installation).accepted

    with ThreadPoolExecutor(threads) as pool:
        accepted = sum(pool.map(send, range(threads)))
    assert accepted == (threads + 1) * size
    assert_rollups_exact(conn)
    assert conn.execute("SELECT count(*) FROM traffic_request").fetchone() == (accepted,)


def test_a_day_without_statistics_is_looked_up_by_response_id(conn: psycopg.Connection, price: TokenPrice) -> None:
    """By its primary key it would be read as a whole for each row of a batch, which is seconds."""
    rows = [row(n, response_id=f"msg_{n:030d}") for n in range(500)]
    ingest(conn, rows, PricingContext.load(conn))
    day = rows[0].started_at.date()
    with conn.transaction():
        conn.execute("SET LOCAL enable_seqscan = off")
        plan = "\n".join(line for (line,) in conn.execute(f"EXPLAIN {FIND_STORED}", {"day": day}).fetchall())
    assert "response_hash_idx on traffic_request" in plan
    assert "Index Cond: ((day = " in plan
    assert "AND (response_hash = mine.response_hash))" in plan
