"""The parts of the door by themselves: pools, budgets, deadlines, answers that nobody reads."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.urls import URLPattern, URLResolver, get_resolver

from dashboard.front import answers, bodies
from dashboard.front.addresses import exact_kind, files, kind_of
from dashboard.front.answers import Answer, File, answer_of, deliver
from dashboard.front.app import Call, Front
from dashboard.front.bodies import Budget, InMemory, Uploads, read
from dashboard.front.downloads import Downloads
from dashboard.front.environ import environ_of
from dashboard.front.pools import Pool
from dashboard.front.pulse import Pulse
from dashboard.front.refusals import Gone
from lib.errors import ApiError
from lib.repeated_events import repeated
from tests.dashboard.front_parts import SCOPE, Messages, part, sender
from tests.factories import ApplicationFactory
from traffic.authentication.keys import callers, create_key


def read_all(messages: Messages, limit: int = 100, cut: bool = False, budget: Budget | None = None) -> InMemory:
    body = InMemory(budget or Budget(1000, 1000), "somebody")
    asyncio.run(read(sender(messages), body, limit, cut=cut))
    return body


def test_variables_are_those_of_pep_3333() -> None:
    environ = environ_of(SCOPE, None, 3)
    assert environ["PATH_INFO"] == "/a b/é".encode().decode("latin-1")
    assert (environ["QUERY_STRING"], environ["CONTENT_LENGTH"]) == ("x=%C3%A9", "3")
    assert (environ["HTTP_COOKIE"], environ["HTTP_X_TWO"]) == ("a=1; b=2", "1,2")
    assert environ["CONTENT_TYPE"] == "text/plain"
    assert not {"HTTP_X_API_KEY", "HTTP_PROXY", "HTTP_CONTENT_LENGTH"} & set(environ)


def test_a_body_is_put_together_from_its_parts() -> None:
    assert read_all([part(b"one "), part(b"two", more=False)]).stream.read() == b"one two"


@pytest.mark.parametrize("sent", [[], [part(b"a")], [part(b"a"), part(b"b")]])
def test_a_body_that_stops_coming_is_408(sent: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "FIRST_BYTE_S", 0.05)
    monkeypatch.setattr(bodies, "WINDOW_S", 0.05)
    with pytest.raises(ApiError) as refused:
        read_all(sent)
    assert refused.value.status == 408


def test_a_body_that_grows_past_its_limit_is_413_or_cut() -> None:
    with pytest.raises(ApiError) as refused:
        read_all([part(b"x" * 60), part(b"x" * 60)])
    assert refused.value.status == 413
    assert read_all([part(b"x" * 60), part(b"y" * 60)], cut=True).stream.read() == b"x" * 60 + b"y" * 40


def test_bodies_in_memory_have_a_sum_for_all_and_for_each_and_give_it_back() -> None:
    budget = Budget(100, 60)
    first = read_all([part(b"x" * 50, more=False)], budget=budget)
    with pytest.raises(ApiError) as refused:
        read_all([part(b"x" * 50, more=False)], budget=budget)
    assert (refused.value.status, refused.value.retry_after) == (503, 2)
    budget.take("another", 50)
    with pytest.raises(ApiError):
        budget.take("a third", 50)
    first.close()
    first.close()
    assert budget.used == 50


def test_files_come_in_few_at_a_time_and_leave_nothing(tmp_path: Path) -> None:
    uploads = Uploads(lambda: tmp_path, most=1)

    async def upload() -> bytes:
        body = uploads.begin(3)
        with pytest.raises(ApiError) as refused:
            uploads.begin(3)
        assert refused.value.status == 503
        await read(sender([part(b"abc", more=False)]), body, 10)
        content: bytes = body.stream.read()
        body.close()
        return content

    assert asyncio.run(upload()) == b"abc"
    assert not list(tmp_path.iterdir())
    with pytest.raises(ApiError) as refused:
        uploads.begin(1 << 60)
    assert (refused.value.status, uploads.open) == (413, 0)


def test_who_waits_too_long_for_a_thread_is_told_before_any_work() -> None:
    done = []

    async def crowd() -> list[Any]:
        pool, free = Pool("few", threads=1, longest=1, wait_s=0.05), threading.Event()
        first = asyncio.ensure_future(pool.run(free.wait))
        await asyncio.sleep(0)
        others = [asyncio.ensure_future(pool.run(lambda: done.append(1))) for _ in range(2)]
        await asyncio.wait(others)
        free.set()
        return [await first, *(other.exception() for other in others)]

    served, late, turned_away = asyncio.run(crowd())
    assert served is True and not done
    assert {late.status, turned_away.status} == {503}
    assert late.retry_after in (1, 2, 3)


def test_a_database_that_does_not_answer_is_told_to_all_who_wait_though_their_threads_go_on() -> None:
    finished = []

    async def scene() -> list[Any]:
        frozen = threading.Event()

        def ask() -> None:
            raise answers_not

        pool = Pool("frozen", threads=1, longest=5, wait_s=60)
        pulse = Pulse(ask, pool.tell)
        calls = [asyncio.ensure_future(pool.run(frozen.wait, lambda: finished.append(1))) for _ in range(3)]
        await asyncio.sleep(0)
        pulse.suspect()
        await asyncio.wait(calls)
        assert pulse.away and len(finished) == 2, "the body of what is being worked on is still needed"
        frozen.set()
        while pool.running:
            await asyncio.sleep(0.01)
        return [call.exception() for call in calls]

    answers_not = psycopg.OperationalError("no answer")
    errors = asyncio.run(scene())
    assert [error.status for error in errors] == [503] * 3
    assert len(finished) == 3


def test_a_stream_that_nobody_reads_is_given_up_and_its_thread_comes_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "PIECE_S", 0.05)
    closed = []

    def rows() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
        finally:
            closed.append(1)

    class Parts:
        def __init__(self) -> None:
            self.rows = rows()

        def __iter__(self) -> Iterator[bytes]:
            return self.rows

        def close(self) -> None:
            self.rows.close()  # type: ignore[attr-defined]  # a generator

    async def scene() -> None:
        downloads, sent = Pool("downloads", threads=1, longest=0, wait_s=0), 0

        async def send(message: dict[str, Any]) -> None:
            nonlocal sent
            sent += 1
            if sent == 4:
                await asyncio.Event().wait()

        await deliver(Answer(200, [], parts=Parts()), sender([]), send, downloads)
        assert not downloads.running

    asyncio.run(scene())
    assert closed == [1]


def test_parts_that_wait_are_stopped_when_their_client_has_gone() -> None:
    class Parts:
        def __init__(self) -> None:
            self.going_on, self.begun = threading.Event(), threading.Event()

        def __iter__(self) -> Iterator[bytes]:
            self.begun.set()
            assert self.going_on.wait(60), "nothing stopped it"
            return iter([b"x"])

        def stop(self) -> None:
            self.going_on.set()

        def close(self) -> None:
            pass

    async def scene() -> None:
        parts, downloads = Parts(), Pool("downloads", threads=1, longest=0, wait_s=0)

        async def receive() -> dict[str, Any]:
            await asyncio.to_thread(parts.begun.wait)
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            raise AssertionError("there is no client")

        with pytest.raises(Gone):
            await deliver(Answer(200, [], parts=parts), receive, send, downloads)
        assert not downloads.running

    asyncio.run(scene())


def test_a_download_ends_in_time_though_its_client_takes_every_piece(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(answers, "WHOLE_S", 0.3)

    class Parts:
        closed = False

        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b"x" * 1000

        def close(self) -> None:
            self.closed = True

    async def scene(answer: Answer) -> list[dict[str, Any]]:
        downloads, sent = Downloads(), []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)
            await asyncio.sleep(0.01)

        await deliver(answer, sender([]), send, downloads.pool)
        assert not downloads.pool.running
        return sent

    parts = Parts()
    with caplog.at_level("INFO", "dashboard.front"):
        sent = asyncio.run(scene(Answer(200, [], parts=parts)))
        assert asyncio.run(scene(Answer(200, [], b"x" * 10_000_000)))[-1]["more_body"]
    assert parts.closed and sent[-1]["more_body"], "its end is not told, so that nobody takes it for whole"
    assert "download_cut reason=client_too_slow bytes=" in caplog.text
    assert "answer_cut reason=client_too_slow bytes=10000000" in caplog.text


def test_a_caller_has_some_of_the_downloads_and_others_have_theirs() -> None:
    downloads = Downloads(threads=4, each=2)
    with downloads.place("person 1"), downloads.place("person 2"):
        with downloads.place("person 1"):
            with pytest.raises(ApiError) as refused, downloads.place("person 1"):
                pass
            with downloads.place("person 2"):
                pass
        with downloads.place("person 1"):
            pass
    assert (refused.value.status, refused.value.retry_after) == (429, 10)
    assert refused.value.detail == "You have 2 downloads running. Wait for one to end."


@pytest.mark.django_db
def test_all_keys_of_an_application_are_one_caller_of_downloads() -> None:
    shop = ApplicationFactory.create(slug="shop", name="Shop")
    secrets = [create_key(name=name, scopes=["read"], application=shop)[1] for name in "ab"]
    secrets += [create_key(name=name, scopes=["read"])[1] for name in "cd"]
    for secret in secrets:
        callers.find(secret)  # and so they are remembered, as after a view

    async def whose(path: str, **headers: str) -> str:
        lines = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {**SCOPE, "method": "GET", "path": path, "raw_path": path.encode(), "headers": lines}
        return await Front(WSGIHandler())._whose(Call(scope, sender([]), nobody))

    async def nobody(message: dict[str, Any]) -> None:
        raise AssertionError("nothing is sent")

    names = [asyncio.run(whose("/api/v1/requests", authorization=f"Bearer {secret}")) for secret in secrets]
    assert names[:2] == [f"application {shop.pk}"] * 2
    assert len(set(names)) == 3 and all(name.startswith("key ") for name in names[2:])
    # A page asks for a session; whatever else is sent with it makes nobody another caller.
    assert asyncio.run(whose("/requests/export.csv", authorization=f"Bearer {secrets[0]}")) == "address 127.0.0.1"


@pytest.mark.django_db
def test_bodies_are_counted_by_application_and_read_of_keys_with_the_scope() -> None:
    shop = ApplicationFactory.create(slug="shop", name="Shop")
    keys = {scope: create_key(name=scope, scopes=[scope], application=shop)[1] for scope in ("ingest", "rate")}
    keys["other"] = create_key(name="other", scopes=["ingest"], application=shop)[1]
    for secret in keys.values():
        callers.find(secret)

    async def nobody(message: dict[str, Any]) -> None:
        raise AssertionError("nothing is sent")

    async def caller(path: str, secret: str) -> object:
        lines = [(b"authorization", f"Bearer {secret}".encode())]
        scope = {**SCOPE, "method": "POST", "path": path, "raw_path": path.encode(), "headers": lines}
        return await Front(WSGIHandler())._caller(Call(scope, sender([]), nobody), kind_of("POST", path))

    assert asyncio.run(caller("/v1/traces", keys["ingest"])) == f"application {shop.pk}"
    assert asyncio.run(caller("/v1/traces", keys["other"])) == f"application {shop.pk}"
    assert asyncio.run(caller("/v1/traces", keys["rate"])) is None
    assert asyncio.run(caller("/api/v1/feedback", keys["rate"])) == f"application {shop.pk}"


@pytest.mark.django_db  # a thread that hands parts on lets its connection go
def test_a_plain_file_is_sent_by_the_server_itself(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    for at, path in ((0, str(tmp_path / "a")), (1, None)):
        with (tmp_path / "a").open("rb") as file:
            file.seek(at)

            def handler(environ: dict[str, Any], start: Any, file: Any = file) -> Any:
                start("200 OK", [("X-A", "b")])
                return environ["wsgi.file_wrapper"](file)

            answer = answer_of(handler, {})
            assert (answer.status, answer.headers, answer.path) == (200, [(b"x-a", b"b")], path)
            if path is None:
                assert b"".join(answer.parts) == b"bc"
    assert File(None).block_size


def views(patterns: Any = None, names: str = "") -> Iterator[tuple[str, Any]]:
    """Each view by the name of its address."""
    for pattern in patterns or get_resolver().url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{names}{pattern.namespace}:" if pattern.namespace else names
            yield from views(pattern.url_patterns, inner)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield names + pattern.name, inspect.unwrap(pattern.callback)


def test_every_view_that_asks_for_a_file_is_declared_and_no_other() -> None:
    # None of the admin site's forms has a file.
    functions = [(name, view) for name, view in views() if inspect.isfunction(view) and not name.startswith("admin:")]
    asking = {name for name, view in functions if "request.FILES" in inspect.getsource(view)}
    assert asking == set(files()) - {"traffic:imports"}, "its view gives the request to a function that asks"


@pytest.mark.parametrize(
    ("method", "path", "pool", "limit"),
    [
        ("POST", "/v1/traces", "intake", 64 << 20),
        ("POST", "/api/public/otel/v1/traces", "intake", 64 << 20),
        ("POST", "/api/v1/requests", "intake", 16 << 20),
        ("POST", "/api/v1/feedback", "intake", 1 << 20),
        ("GET", "/api/v1/spend", "pages", 5 << 19),
        ("POST", "/spend/charges/add/", "pages", 5 << 19),
        ("GET", "/static/css/page.css", "static", 0),
    ],
)
def test_an_address_has_its_threads_and_its_limit(method: str, path: str, pool: str, limit: int) -> None:
    kind = kind_of(method, path)
    assert (kind.pool, kind.limit) == (pool, limit)


def test_the_kind_of_an_unknown_address_and_of_one_that_takes_a_file() -> None:
    page = kind_of("POST", "/")
    assert exact_kind(page, "/nothing-here") is None
    imports = exact_kind(page, "/settings/imports/")
    assert imports is not None and imports.files and imports.limit > 10 << 30


def test_a_job_that_takes_long_makes_somebody_ask_for_the_database() -> None:
    suspected = []

    async def scene() -> None:
        pool = Pool("slow", threads=1, longest=1, wait_s=1, suspect=lambda: suspected.append(1))
        await pool.run(lambda: time.sleep(0.9))

    asyncio.run(scene())
    assert suspected == [1]


def test_refusals_of_one_address_are_a_line_and_then_their_number(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        front = Front(WSGIHandler())
        for number in range(500):
            call = Call({**SCOPE, "client": ("203.0.113.7", number)}, sender([]), lambda message: asyncio.sleep(0))
            front._refusal(call, ApiError(413, "Too large."))

    with caplog.at_level("INFO", "dashboard.front"):
        asyncio.run(scene())
        repeated.flush(everything=True)
    assert [record.getMessage() for record in caplog.records] == [
        'request_refused status=413 reason="Too large." address=203.0.113.7 method=POST bytes=9',
        'request_refused status=413 reason="Too large." address=203.0.113.7 count=499 s=0',
    ]
