"""Calls of a trial that fail: how often they are sent, and what counts toward the cap."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.factories import DeploymentFactory, TokenPriceFactory
from traffic.gateway.answers import StreamTap
from traffic.ingest.context import clear_cache
from traffic.models import TrialCall
from traffic.trials import run, sender, services
from traffic.trials.prompts import Prompt
from traffic.trials.services import Plan

pytestmark = pytest.mark.django_db(transaction=True)

BEGUN = (
    b'data: {"id": "1", "choices": [{"index": 0, "delta": {"content": "Me"}}]}\n\n'
    b'data: {"id": "1", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}\n\n'
)


class Server(ThreadingHTTPServer):
    """Fails in one way: a status, `closes` without an answer, or `breaks` in the middle of one; or `drips` slowly."""

    behaviour: int | str = 500
    calls = 0

    def __init__(self, *place: Any) -> None:
        super().__init__(*place)
        self.bodies: list[dict[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.calls += 1
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.close_connection = True
        if isinstance(self.server.behaviour, int):
            self.send_response(self.server.behaviour)
            self.send_header("content-length", "0")
            self.end_headers()
        elif self.server.behaviour == "drips":
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for piece in [BEGUN[: BEGUN.index(b"\n\n") + 2]] * 30 + [b"data: [DONE]\n\n"]:
                self.wfile.write(piece)
                time.sleep(0.005)
        elif self.server.behaviour in ("breaks", "answers"):
            text = BEGUN + (b"data: [DONE]\n\n" if self.server.behaviour == "answers" else b"")
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("content-length", str(len(text)) if self.server.behaviour == "answers" else "9999")
            self.end_headers()
            self.wfile.write(text)

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def one_call(url: str) -> TrialCall:
    """The call of a trial's first step, to a vendor whose tokens cost money."""
    clear_cache()
    TokenPriceFactory.create(provider="acme", model="tiny", uncached_input=Decimal(2), cache_read=Decimal(1),
                              output=Decimal(10))  # fmt: skip
    vendor = DeploymentFactory.create(provider="acme", engine="llamacpp", url=url, model="tiny", local=True)
    plan = Plan("Proof", vendor, None, [1], 1, Decimal(1), prompts=[Prompt("Who?", "qa")])
    trial = services.create(plan)
    assert not run.work(trial.pk)  # its only call fails, which ends the trial
    call = TrialCall.objects.get(step__trial=trial)
    assert call.state == "error"
    trial.refresh_from_db()
    assert trial.spent == call.charged
    return call


@pytest.mark.parametrize("behaviour", [500, 503, "closes", "breaks"])
def test_a_call_that_may_be_paid_for_is_sent_once_and_counts_at_its_worst_case(
    server: Server, behaviour: int | str
) -> None:
    server.behaviour = behaviour
    assert one_call(f"http://127.0.0.1:{server.server_port}").charged > Decimal("0.002")
    assert server.calls == 1


def test_a_call_that_was_refused_counts_nothing(server: Server) -> None:
    server.behaviour = 429
    assert one_call(f"http://127.0.0.1:{server.server_port}").charged == 0
    assert server.calls == 1


def test_a_call_that_was_not_sent_counts_nothing() -> None:
    assert one_call("http://127.0.0.1:9").charged == 0


@pytest.mark.parametrize(("engine", "field"), [("vllm", "cache_salt"), ("llamacpp", "cache_prompt"), ("tgi", None)])
def test_a_prompt_that_is_sent_again_is_not_read_from_the_cache_of_the_engine(
    server: Server, engine: str, field: str | None
) -> None:
    clear_cache()
    server.behaviour = "answers"
    own = DeploymentFactory.create(engine=engine, url=f"http://127.0.0.1:{server.server_port}", model="m", local=True)
    trial = services.create(Plan("Proof", own, None, [1], 1, Decimal(1), prompts=[Prompt("Who?", "qa")]))
    while run.work(trial.pk):
        pass
    assert len(server.bodies) >= 2 and all(body["messages"] == server.bodies[0]["messages"] for body in server.bodies)
    assert {key for body in server.bodies for key in body if key.startswith("cache")} == ({field} if field else set())
    if engine == "vllm":
        assert len({body["cache_salt"] for body in server.bodies}) == len(server.bodies), "each call has its own"


def test_a_stream_is_read_twice_its_first_token_and_its_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial that reads each token takes a share of the processor from the engine that it measures."""
    clear_cache()
    server.behaviour, reads, feed = "drips", [], StreamTap.feed

    def count(tap: StreamTap, chunk: bytes) -> None:
        reads.append(chunk)
        feed(tap, chunk)

    monkeypatch.setattr(StreamTap, "feed", count)
    monkeypatch.setattr(sender, "GATHER_S", 3_600.0)  # the end of a stream is not waited for
    own = DeploymentFactory.create(engine="vllm", url=f"http://127.0.0.1:{server.server_port}", model="m", local=True)
    trial = services.create(Plan("Proof", own, None, [1], 1, Decimal(1), prompts=[Prompt("Who?", "qa")]))
    assert run.work(trial.pk)
    call = TrialCall.objects.get(step__trial=trial)
    assert call.state == "ok" and call.ttft_ms is not None and call.latency_ms is not None
    assert call.ttft_ms < call.latency_ms < 3_600_000
    assert len([chunk for chunk in reads if b"Me" in chunk]) <= 2
    assert sum(chunk.count(b"Me") for chunk in reads) == 30
