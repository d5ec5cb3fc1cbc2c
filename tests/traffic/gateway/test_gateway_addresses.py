"""A deployment that is not marked as local is not reached inside our own network, wherever its name leads by now."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.providers.answers import Answers
from traffic.gateway.concurrency import CallQueues
from traffic.gateway.exchange import Exchange
from traffic.gateway.hang_up import HangUp
from traffic.gateway.intake import Load
from traffic.gateway.protocols import OPENAI, read_request
from traffic.gateway.recorder import Recorder
from traffic.gateway.relay import Relay
from traffic.gateway.routes import Decision, Target
from traffic.gateway.snapshot import Application
from traffic.gateway.spool import Spool

PATH = "/v1/chat/completions"
BODY = json.dumps({"model": "m", "messages": []}).encode()


@pytest.fixture
def engine() -> Iterator[Answers]:
    with Answers() as answers:
        answers.say(PATH, {"id": "chatcmpl-1", "choices": []})
        yield answers


def target(url: str, **changes: Any) -> Target:
    return Target(1, "own", "self", "vllm", url, "m", **changes)


def answered(tmp_path: Path, *targets: Target) -> tuple[int, bytes, Exchange]:
    """Status, body and exchange of one call that is sent to these targets in turn."""
    exchange = Exchange(
        Application(None, "shop", False, ""), 1, read_request(OPENAI, BODY), "chat", PATH, [],
        Decision("rule", targets), uuid4(), b"salt", "gw-1", datetime.now(UTC), time.perf_counter(),
        keep_bodies=False, private=False, recorded=False,
    )  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def call() -> None:
        relay = Relay(Recorder(Spool(tmp_path)), CallQueues(0), idle_timeout_s=5, connect_timeout_s=2)
        hang_up = HangUp(receive)
        try:
            await relay.run(exchange, send, hang_up, Load().enter(1))
        finally:
            hang_up.stop()
            await relay.close()

    asyncio.run(call())
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent), exchange


def test_an_address_of_ours_is_refused_unless_the_deployment_is_local(engine: Answers, tmp_path: Path) -> None:
    status, body, exchange = answered(tmp_path, target(engine.url))
    assert status == 502
    assert b"own: only a deployment that is marked as local may be at a private address." in body
    assert exchange.tries == [{"deployment": "own", "error": "address_refused"}]
    assert engine.asked == []
    assert answered(tmp_path, target(engine.url, local=True))[0] == 200


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::ffff:10.0.0.7"])
def test_a_name_is_judged_by_where_it_leads_when_we_connect(
    engine: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    """As it is with DNS rebinding: the name was judged good when it was entered, and has moved since."""
    family = socket.AF_INET6 if ":" in inside else socket.AF_INET
    where: Any = (inside, 80, 0, 0) if ":" in inside else (inside, 80)

    def lookup(*_args: Any, **_options: Any) -> list[Any]:
        return [(family, socket.SOCK_STREAM, 6, "", where)]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    status, _body, exchange = answered(tmp_path, target("http://rebound.example"))
    assert (status, exchange.tries[0]["error"]) == (502, "address_refused")
    assert engine.asked == []


def test_link_local_is_refused_even_where_local_is_said(tmp_path: Path) -> None:
    assert answered(tmp_path, target("http://169.254.169.254", local=True))[0] == 502


def test_a_fall_back_answers_in_place_of_a_target_that_is_refused(engine: Answers, tmp_path: Path) -> None:
    first = target("http://10.0.0.7")
    status, _body, exchange = answered(tmp_path, first, target(engine.url, local=True))
    assert (status, exchange.tries) == (200, [{"deployment": "own", "error": "address_refused"}])
