"""The web process as it runs in earnest, under official exporters: killed, and with a Postgres that does not answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.traffic.gateway_peers import Door
from tests.traffic.gateway_stack import until
from tests.traffic.otlp_exports import USAGE, body, protobuf, span
from tests.traffic.request_rows import assert_rollups_exact
from tests.traffic.web_process import SECRET, Intake, WebProcess, running_intake
from traffic.ingest.statement_timeout import INTAKE_S

pytestmark = pytest.mark.django_db
EXPORTERS, CALLS = 10, 60
EXPORTER_S = 10  # for which an official exporter waits, unless it is told otherwise


@pytest.fixture(scope="module")
def intake(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[Intake]:
    with running_intake(django_db_blocker, tmp_path_factory.mktemp("web")) as running:
        yield running


def emit(web: WebProcess, name: int) -> None:
    """What an instrumented program does: calls over some seconds, batches in the background, a flush at the end."""
    exporter = OTLPSpanExporter(
        endpoint=f"http://127.0.0.1:{web.port}/v1/traces",
        headers={"authorization": f"Bearer {SECRET}"},
        compression=Compression.Gzip if name % 2 else Compression.NoCompression,
        timeout=120,
    )
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=200, max_export_batch_size=8))
    tracer = provider.get_tracer("shop")
    for call in range(CALLS):
        attributes: dict[str, Any] = {**USAGE, "gen_ai.response.id": f"msg_{name:02d}_{call:024d}"}
        with tracer.start_as_current_span("chat", attributes=attributes):
            time.sleep(0.04)
    provider.force_flush(240_000)  # shutdown waits for 30 s only
    provider.shutdown()


def test_ten_exporters_lose_and_double_nothing_while_the_process_is_killed_twice(intake: Intake) -> None:
    with ThreadPoolExecutor(EXPORTERS) as pool:
        sent = [pool.submit(emit, intake.web, name) for name in range(EXPORTERS)]
        for _ in range(2):
            until(partial(more_than, intake, rows_in(intake) + EXPORTERS))  # in the middle of the stream
            intake.web.kill()
            intake.web.start()
        for one in sent:
            one.result(300)
    assert rows_in(intake) == EXPORTERS * CALLS
    sums = intake.conn.execute("SELECT sum(requests), sum(output) FROM traffic_usage_day").fetchone()
    assert sums == (EXPORTERS * CALLS, EXPORTERS * CALLS * 50)
    assert_rollups_exact(intake.conn)


@contextmanager
def frozen(intake: Intake) -> Iterator[None]:
    """Before a Postgres that says nothing, until the block ends."""
    until(intake.web.answers)
    intake.door.freeze()
    try:
        yield
    finally:
        intake.door.thaw()


def test_a_frozen_postgres_is_a_503_before_it_thaws_and_the_same_batch_lands_after_it(intake: Intake) -> None:
    before, batch = rows_in(intake), protobuf(body(span(1), span(2)))
    with frozen(intake):
        status, headers, content = intake.web.post(batch)
    assert (status, headers["Retry-After"], headers["Content-Type"]) == (503, "2", "application/x-protobuf")
    assert "database is not available" in Status.FromString(content).message
    assert 2 * INTAKE_S < EXPORTER_S, "it is told before it gives up, though it waited for another one's end"
    assert until(lambda: intake.web.post(batch)[0] == 200)
    assert intake.web.post(batch)[0] == 200
    assert rows_in(intake) == before + 2


def waits(intake: Intake, batches: list[bytes]) -> float:
    """How long all of them wait together for their refusals, in seconds."""
    with frozen(intake), ThreadPoolExecutor(len(batches)) as pool:
        started = time.monotonic()
        statuses = [status for status, _headers, _content in pool.map(intake.web.post, batches)]
        seconds = time.monotonic() - started
    assert statuses == [503] * len(batches)
    return seconds


def test_ten_exporters_before_a_frozen_postgres_wait_no_longer_than_one(intake: Intake) -> None:
    """Written one after the other, the last would wait ten times as long. What is compared are two waits of the same
    machine, most of each being the server's own bound."""
    before, batches = rows_in(intake), [protobuf(body(span(100 + number))) for number in range(EXPORTERS)]
    assert waits(intake, batches) < 3 * max(waits(intake, batches[:1]), INTAKE_S)
    assert until(lambda: intake.web.post(batches[0])[0] == 200)
    assert [intake.web.post(batch)[0] for batch in batches] == [200] * EXPORTERS
    assert rows_in(intake) == before + EXPORTERS


def test_fifty_senders_and_readers_before_a_frozen_postgres_are_all_told_in_one_round(intake: Intake) -> None:
    """Not in rounds of as many as there are threads; and who comes later is told at once, by whoever asks for all."""
    alone = waits(intake, [protobuf(body(span(200)))])
    before, batches = rows_in(intake), [protobuf(body(span(200 + number))) for number in range(50)]
    pages = ["/login/"] * 20
    with frozen(intake):
        started = time.monotonic()
        with ThreadPoolExecutor(70) as pool:
            told = pool.map(intake.web.post, batches)
            read = pool.map(lambda page: intake.web.ask(page, headers={"Accept": "text/html"}), pages)
            assert {(status, headers["Retry-After"] in ("1", "2", "3")) for status, headers, _content in told} == {
                (503, True)
            }
            assert {status for status, _headers, _content in read} <= {200, 503}, "the login page asks nothing of it"
        assert time.monotonic() - started < 4 * max(alone, INTAKE_S)
        assert intake.web.ask("/healthz")[0] == 200
    assert until(lambda: intake.web.post(batches[0])[0] == 200)
    assert [intake.web.post(batch)[0] for batch in batches] == [200] * len(batches)
    assert rows_in(intake) == before + len(batches)


def test_who_is_refused_in_the_middle_of_a_large_export_reads_why(intake: Intake) -> None:
    until(intake.web.answers)
    status, _headers, content = intake.web.post(b"x" * (8 << 20), "bk_of_nobody")
    assert (status, "unknown, expired or revoked" in Status.FromString(content).message) == (401, True)


def test_a_door_tells_the_server_of_a_client_that_died_with_an_answer_unread(intake: Intake) -> None:
    """A kernel resets such a connection; behind a door that kept its own, the transaction would keep its locks."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        door = Door(intake.door.loop, "127.0.0.1", server.getsockname()[1])
        client = socket.create_connection(("127.0.0.1", door.port))
        there, _address = server.accept()
        there.sendall(b"answer")
        client.recv(1, socket.MSG_PEEK)  # it has arrived
        client.close()
        there.settimeout(60)
        assert there.recv(1) == b""
        there.close()
        door.close()


def more_than(intake: Intake, count: int) -> bool:
    return rows_in(intake) > count


def rows_in(intake: Intake) -> int:
    found = intake.conn.execute("SELECT count(*) FROM traffic_request").fetchone()
    return int(found[0]) if found else 0
