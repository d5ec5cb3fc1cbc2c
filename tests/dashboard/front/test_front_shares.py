"""What strangers and callers share of the web process: memory for bodies, threads, and work that weighs much."""

from __future__ import annotations

import asyncio
import gzip
import threading
from functools import partial
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler

from dashboard.front.addresses import kind_of
from dashboard.front.answers import Answer
from dashboard.front.app import Call, Front
from dashboard.front.bodies import Budget, InMemory, read
from dashboard.front.pools import Pool
from lib.errors import ApiError
from tests.dashboard.front_parts import SCOPE, part, sender
from tests.factories import ApplicationFactory
from traffic.authentication.keys import callers, create_key


def test_who_has_most_of_a_full_budget_gives_up_its_oldest_body_for_who_has_less() -> None:
    """Bodies that trickle would keep everybody else's out for as long as they come."""

    async def scene() -> tuple[list[Any], int]:
        budget = Budget(100, 60)
        slow = [
            asyncio.ensure_future(read(sender([part(b"x" * 30)]), InMemory(budget, caller), 100))
            for caller in ("hostile", "hostile", "slow")
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert budget.used == 90
        body = InMemory(budget, "newcomer")
        assert await read(sender([part(b"y" * 40, more=False)]), body, 100)
        assert body.stream.read() == b"y" * 40
        with pytest.raises(ApiError):
            budget.take("newcomer", 10)  # who would then have more than anybody
        done, coming = await asyncio.wait(slow, timeout=0.2)
        for task in coming:
            task.cancel()
        return [slow[0].exception(), len(done)], budget.used

    (told, ended), used = asyncio.run(scene())
    assert (told.status, told.retry_after, ended) == (503, 2, 1)
    assert used == 100


def test_a_body_that_was_given_up_takes_nothing_more() -> None:
    budget = Budget(100, 100)
    body = InMemory(budget, "somebody")

    async def grow() -> None:
        await body.write(b"x" * 80)
        budget.take("another", 30)
        with pytest.raises(ApiError):
            await body.write(b"x")
        with pytest.raises(ApiError):
            await body.finish()

    asyncio.run(grow())
    body.close()
    assert budget.used == 30


def test_callers_take_turns_and_a_full_queue_has_room_for_who_waits_with_less() -> None:
    """One key with a hundred connections keeps itself waiting, and nobody else."""

    async def crowd() -> tuple[list[str], list[BaseException]]:
        order: list[str] = []
        pool, free = Pool("few", threads=1, longest=4, wait_s=60), threading.Event()
        first = asyncio.ensure_future(pool.run(free.wait))
        await asyncio.sleep(0)
        calls = [
            asyncio.ensure_future(pool.run(partial(order.append, name), caller=name[0]))
            for name in ("a1", "a2", "a3", "a4", "b1", "b2", "c1")
        ]
        await asyncio.sleep(0)
        free.set()
        results = await asyncio.gather(*calls, return_exceptions=True)
        await first
        return order, [result for result in results if isinstance(result, BaseException)]

    order, refused = asyncio.run(crowd())
    assert order == ["a1", "b1", "c1", "b2"]
    assert [error.status for error in refused if isinstance(error, ApiError)] == [503] * 3


def test_a_caller_never_runs_all_threads_and_another_starts_at_once() -> None:
    """However long the jobs of one caller take: a batch of theirs may take a minute."""

    async def crowd() -> list[Any]:
        pool, free = Pool("some", threads=4, longest=8, wait_s=60, kept_free=1), threading.Event()
        hostile = [asyncio.ensure_future(pool.run(free.wait, caller="hostile")) for _number in range(6)]
        await asyncio.sleep(0)
        assert (len(pool.running), len(pool.queue)) == (3, 3)
        answers = [await asyncio.wait_for(pool.run(lambda: "served", caller="other"), 30) for _number in range(2)]
        assert (len(pool.running), len(pool.queue)) == (3, 3), "the free thread went to none of them"
        free.set()
        return [*answers, *await asyncio.gather(*hostile)]

    assert asyncio.run(crowd()) == ["served"] * 2 + [True] * 6
    front = Front(WSGIHandler())
    assert (front.intake.kept_free, front.pages.kept_free) == (2, 1)


def test_heavy_jobs_run_as_far_as_they_weigh_no_more_together_and_each_gets_its_turn() -> None:
    async def crowd() -> tuple[list[str], list[str]]:
        order: list[str] = []
        pool, free = Pool("some", threads=8, longest=9, wait_s=60, most_weight=64, heavy_wait_s=60), threading.Event()

        def work(name: str) -> None:
            order.append(name)
            free.wait()

        def send(name: str, weight: int) -> asyncio.Future[None]:
            return asyncio.ensure_future(pool.run(partial(work, name), caller=name[0], weight=weight))

        jobs = [send("a1", 40), send("a2", 40), send("b1", 64), send("c1", 20), send("a3", 0), send("d1", 900)]
        await asyncio.sleep(0)
        while len(order) < 2:
            await asyncio.sleep(0.01)
        first = sorted(order)
        free.set()
        await asyncio.gather(*jobs)
        assert pool.weight == 0
        return first, order[2:]

    # c1 would fit beside a1, but not before b1, which could wait for ever then. What weighs more than all runs alone.
    first, then = asyncio.run(crowd())
    assert first == ["a1", "a3"]
    assert then == ["a2", "b1", "c1", "d1"]


@pytest.mark.parametrize(
    ("headers", "content", "weight"),
    [
        ({b"content-type": b"application/x-protobuf"}, b"x" * 3_000_000, 3_000_000),
        ({b"content-type": b"application/json"}, b"x" * 3_000_000, 12_000_000),
        ({b"content-type": b"application/x-protobuf"}, b"x" * 900_000, 0),
        (
            {b"content-type": b"application/x-protobuf", b"content-encoding": b"gzip"},
            gzip.compress(b"x" * 3_000_000),
            3_000_000,
        ),
        ({b"content-type": b"application/x-protobuf", b"content-encoding": b"deflate"}, b"x" * 100_000, 25_000_000),
    ],
)
def test_a_body_weighs_what_reading_it_will_take(
    headers: dict[bytes, bytes], content: bytes, weight: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = []

    async def run(self: Pool, work: Any, finished: Any, caller: object, weight: int) -> Answer:
        weights.append(weight)
        return Answer(200, [])

    async def body(self: Front, call: Call, kind: Any) -> InMemory:
        body = InMemory(Budget(1 << 30, 1 << 30), "somebody")
        await read(call.receive, body, 1 << 30)
        return body

    async def nobody(message: dict[str, Any]) -> None:
        raise AssertionError("nothing is sent")

    monkeypatch.setattr(Pool, "run", run)
    monkeypatch.setattr(Front, "_body", body)
    scope = {**SCOPE, "path": "/v1/traces", "raw_path": b"/v1/traces", "headers": list(headers.items())}
    call = Call(scope, sender([part(content, more=False)]), nobody)
    asyncio.run(Front(WSGIHandler())._answer(call))
    assert weights == [weight]


async def take_in(front: Front, secret: str, content: bytes, client: str) -> Any:
    """What `Front` holds of a small export, with what it was told of the caller."""
    lines = [(b"authorization", f"Bearer {secret}".encode()), (b"content-length", str(len(content)).encode())]
    scope = {**SCOPE, "path": "/v1/traces", "raw_path": b"/v1/traces", "headers": lines, "client": (client, "2")}

    async def nobody(message: dict[str, Any]) -> None:
        raise AssertionError("nothing is sent")

    call = Call(scope, sender([part(content, more=False)]), nobody)
    return await front._body(call, kind_of("POST", "/v1/traces"))


@pytest.mark.django_db
def test_strangers_who_fill_their_share_keep_out_nobody_with_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = create_key(name="live", scopes=["ingest"])[1]
    live = callers.find(secret)
    callers.clear()
    asked = []

    async def look(self: Front, call: Call, work: Any) -> Any:
        asked.append(call.address)
        return live if work.args[0] == secret else None

    monkeypatch.setattr(Front, "_check", look)

    async def scene() -> None:
        front = Front(WSGIHandler())
        shares, content = front.strangers["intake"], b"x" * 60_000
        held = [await take_in(front, "bk_made_up", content, f"10.0.0.{number % 9}") for number in range(100)]
        assert not asked, "small bodies cost no look into the database"
        with pytest.raises(ApiError) as refused:
            while True:
                held.append(await take_in(front, "bk_made_up", content, f"10.0.0.{len(held) % 9}"))
        assert refused.value.status == 503 and set(asked) <= {f"10.0.0.{number}" for number in range(9)}
        assert shares.most - shares.used < len(content) and not front.budgets["intake"].used
        held += [await take_in(front, secret, content, "10.0.0.1") for _number in range(3)]
        assert front.budgets["intake"].used == 3 * len(content)
        for body in held:
            body.close()
        assert not shares.used

    asyncio.run(scene())


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/metrics", "/api/v1/usage"])
def test_what_a_key_asks_for_takes_its_applications_turn_and_not_its_addresss(path: str) -> None:
    """A page that somebody behind the same address opens waits for none of it."""
    secret = create_key(name="live", scopes=["read"], application=ApplicationFactory.create())[1]
    live = callers.find(secret)
    lines = [(b"authorization", f"Bearer {secret}".encode())]

    async def scene() -> tuple[object, object]:
        front = Front(WSGIHandler())
        call = Call({**SCOPE, "path": path, "headers": lines}, sender([]), None)  # type: ignore[arg-type]
        page = Call({**SCOPE, "path": "/login/"}, sender([]), None)  # type: ignore[arg-type]
        return front._turn(call, kind_of("GET", path)), front._turn(page, kind_of("GET", "/login/"))

    ours, theirs = asyncio.run(scene())
    assert live is not None
    assert ours == f"application {live.application_id}" != theirs


def test_all_of_a_network_of_ipv6_is_one_stranger() -> None:
    async def scene() -> list[str]:
        return [
            Call({**SCOPE, "client": (client, "2")}, sender([]), None).address  # type: ignore[arg-type]
            for client in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")
        ]

    first, second, other = asyncio.run(scene())
    assert first == second != other
