"""From a call's end to its row: texts are looked through apart from the calls, and no failure there costs a row."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from traffic.gateway.answers import Answer
from traffic.gateway.exchange import UNCHECKED, Exchange
from traffic.gateway.protocols import OPENAI, read_request
from traffic.gateway.recorder import Recorder
from traffic.gateway.routes import Decision, Target
from traffic.gateway.snapshot import Application
from traffic.gateway.spool import Spool
from traffic.ingest.rows import RequestRow
from traffic.redaction.rules import EVERYTHING, Redaction

TARGET = Target(id=1, slug="own", provider="self", engine="vllm", url="http://x", model="m")


@dataclass(frozen=True)
class Failing(Redaction):
    """Looks through nothing without failing."""

    def text(self, value: str, *_: Any) -> str:
        raise RecursionError("too deep for us")


@dataclass(frozen=True)
class FailingAtTrees(Redaction):
    """Fails at what is no prompt and no answer."""

    def tree(self, value: Any, user: str | None = None) -> Any:
        raise MemoryError


def exchange(redaction: Redaction = EVERYTHING, *, keeps: bool = True, asked: str = "m", **fields: Any) -> Exchange:
    body = {"model": asked, "messages": [{"role": "user", "content": "write to a@b.co"}], **fields}
    return Exchange(
        application=Application(3, "shop", keeps, "unknown", redaction), key_id=1,
        request=read_request(OPENAI, json.dumps(body).encode()), task="chat", path="/", headers=[],
        decision=Decision("r", (TARGET,)), request_id=uuid.uuid4(), salt=b"salt", external_id="e", target=TARGET,
        started_at=datetime(2026, 11, 27, tzinfo=UTC), arrived=0.0, keep_bodies=keeps, private=False,
        recorded=True, status=200,
    )  # fmt: skip


def answer() -> Answer:
    told = Answer(usage={"prompt_tokens": 3, "completion_tokens": 2}, error_type="of a@b.co")
    told.text.append("as you wish, a@b.co")
    return told


def rows_in(folder: Path) -> list[RequestRow]:
    lines = [line for path in folder.glob("*.jsonl") for line in path.read_bytes().splitlines()]
    return [msgspec.json.decode(line, type=RequestRow) for line in lines if not line.startswith(b'{"line":')]


def recorded(folder: Path, *calls: Exchange) -> list[RequestRow]:
    recorder = Recorder(Spool(folder))
    recorder.start()
    for call in calls:
        recorder.record(call, answer(), "ok")
    recorder.stop()
    return rows_in(folder)


def test_texts_are_looked_through_before_they_lie_in_the_spool(tmp_path: Path) -> None:
    (row,) = recorded(tmp_path, exchange())
    assert (row.answer, row.error_type) == ("as you wish, [e-mail]", "of [e-mail]")
    assert row.prompt is not None and "[e-mail]" in row.prompt


@pytest.mark.parametrize("redaction", [Failing(), FailingAtTrees()])
def test_a_row_lands_without_its_texts_when_they_cannot_be_checked(
    tmp_path: Path, redaction: Redaction, caplog: pytest.LogCaptureFixture
) -> None:
    row, after = recorded(tmp_path, exchange(redaction), exchange())
    assert (row.prompt, row.answer, row.error_type) == (None, None, None)
    assert row.raw == {"doubts": [UNCHECKED]}
    assert row.tokens is not None and (row.tokens.uncached_input, row.tokens.output) == (3, 2)
    assert after.answer == "as you wish, [e-mail]"  # the thread goes on
    assert "texts_not_kept reason=redaction_failed error=" in caplog.text


def test_no_more_texts_wait_than_fit_and_no_row_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("traffic.gateway.recorder.MOST_WAITING", 150)
    recorder = Recorder(Spool(tmp_path))  # its thread does not run yet, as if it were at a long text
    for _ in range(3):
        recorder.record(exchange(), answer(), "ok")
    recorder.start()
    recorder.stop()
    rows = rows_in(tmp_path)
    assert [row.answer is not None for row in rows] == [True, False, False]
    assert rows[1].raw == {
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
        "private": False,
        "doubts": [UNCHECKED],
    }
    assert caplog.text.count("texts_not_kept reason=too_many_wait call=") == 1, "the second one is counted"


def test_a_row_without_anything_to_take_out_does_not_wait(tmp_path: Path) -> None:
    recorder = Recorder(Spool(tmp_path))  # its thread does not run at all
    plain = Answer(usage={"prompt_tokens": 3, "completion_tokens": 2})
    recorder.record(exchange(keeps=False, asked="another-model"), plain, "ok")
    recorder.record(exchange(keeps=False, asked="a@b.co"), plain, "ok")
    recorder.record(exchange(keeps=True), plain, "ok")
    assert [row.raw for row in rows_in(tmp_path)] == [{"usage": plain.usage, "asked_model": "another-model"}]


@pytest.mark.parametrize(("provider", "private", "mark"), [("self", True, True), ("self", False, False),
                                                           ("acme", False, None)])  # fmt: skip
def test_the_row_of_a_call_whose_texts_stay_says_whether_it_was_private(
    tmp_path: Path, provider: str, private: bool, mark: bool | None
) -> None:
    call = exchange()
    call.private, call.target = private, replace(TARGET, provider=provider)
    (row,) = recorded(tmp_path, call)
    assert (row.raw or {}).get("private") is mark
