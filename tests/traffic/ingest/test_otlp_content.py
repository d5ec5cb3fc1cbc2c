"""What telemetry tells of prompts and answers is kept where the application opted in, redacted, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.traffic.otlp_exports import TRACE, USAGE, body, key, ns, send, span, value
from tests.traffic.otlp_logs import DETAILS, RESPONSE, logs, post, record
from traffic.authentication.keys import callers
from traffic.ingest.otlp import rows as module
from traffic.ingest.otlp.content import content_of
from traffic.ingest.otlp.spans import Span
from traffic.models import Application

__all__ = ["key"]  # the fixture

ASKED = [{"role": "user", "parts": [{"type": "text", "content": "Who is ann@example.org?"}]}]
SAID = [{"role": "assistant", "parts": [{"type": "text", "content": "A person."}], "finish_reason": "stop"}]
CONTENT = {"gen_ai.input.messages": json.dumps(ASKED), "gen_ai.output.messages": json.dumps(SAID)}


def of(attributes: dict[str, Any], events: Any = ()) -> tuple[str | None, str | None]:
    return content_of(Span("t", "s", "", "chat", "", 1, 2, 0, attributes, {}, events=list(events)))


def bodies(conn: psycopg.Connection) -> list[Any]:
    return conn.execute("SELECT prompt, answer FROM traffic_request_body").fetchall()


@pytest.fixture
def opted_in(key: str) -> str:
    Application.objects.update(capture_bodies=True)
    callers.clear()
    return key


def test_an_application_that_opted_in_has_them_redacted(opted_in: str, conn: psycopg.Connection) -> None:
    send(opted_in, body(span(1, attributes={**USAGE, **CONTENT})))
    ((prompt, answer),) = bodies(conn)
    assert "ann@" not in prompt
    assert json.loads(prompt)[0]["content"].startswith("Who is")
    assert answer == "A person."
    assert conn.execute("SELECT count(*) FROM traffic_request WHERE raw::text LIKE '%person%'").fetchone() == (0,)


def test_without_opting_in_nothing_is_kept_or_looked_at(
    key: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(span: Span) -> Any:
        raise AssertionError("previewed")

    monkeypatch.setattr(module, "content_of", never)
    send(key, body(span(1, attributes={**USAGE, **CONTENT})))
    post(key, "/v1/logs", logs(record({**USAGE, **RESPONSE, **CONTENT}, eventName=DETAILS)))
    assert conn.execute("SELECT count(*) FROM traffic_request").fetchone() == (2,)
    assert bodies(conn) == []
    assert conn.execute("SELECT count(*) FROM traffic_request WHERE raw::text LIKE '%erson%'").fetchone() == (0,)


def test_a_record_brings_the_texts_of_a_span_that_has_none(opted_in: str, conn: psycopg.Connection) -> None:
    send(opted_in, body(span(1, attributes={**USAGE, **RESPONSE})))
    told = record({**USAGE, **RESPONSE, **CONTENT}, eventName=DETAILS, traceId=TRACE, spanId=f"{1:016x}")
    post(opted_in, "/v1/logs", logs(told))
    assert [answer for _prompt, answer in bodies(conn)] == ["A person."]


def test_events_of_a_span_are_read_over_http(opted_in: str, conn: psycopg.Connection) -> None:
    event = {"name": "gen_ai.content.completion", "timeUnixNano": str(ns(0.5)),
             "attributes": [{"key": "gen_ai.completion", "value": value("Yes.")}]}  # fmt: skip
    send(opted_in, body({**span(1, attributes=USAGE), "events": [event]}))
    assert bodies(conn) == [(None, "Yes.")]


@pytest.mark.parametrize(
    ("attributes", "events", "prompt", "answer"),
    [
        ({"gen_ai.prompt.1.content": "b", "gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": "a",
          "gen_ai.completion.0.content": "c"}, (), [("system", "a"), ("user", "b")], "c"),
        ({"llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "q",
          "llm.output_messages.0.message.content": "r", "output.value": "{}"}, (), [("user", "q")], "r"),
        ({"ai.prompt.messages": '[{"role":"user","content":[{"type":"text","text":"hi"}]}]', "ai.response.text": "ho"},
         (), [("user", "hi")], "ho"),
        ({"langfuse.observation.input": '{"messages":[{"role":"user","content":"x"}]}',
          "langfuse.observation.output": '{"role":"assistant","content":"y"}'}, (), [("user", "x")], "y"),
        ({"gen_ai.system_instructions": '[{"type":"text","content":"be brief"}]', **CONTENT}, (),
         [("system", "be brief"), ("user", "Who is ann@example.org?")], "A person."),
        ({}, [("gen_ai.user.message", 1, {"content": "u"}), ("gen_ai.choice", 2, {"message": '{"content":"w"}'})],
         [("user", "u")], "w"),
    ],
)  # fmt: skip
def test_each_emitters_shape_is_understood(attributes: Any, events: Any, prompt: Any, answer: str) -> None:
    asked, said = of(attributes, events)
    assert [(one["role"], one["content"]) for one in json.loads(asked or "[]")] == prompt
    assert said == answer


@pytest.mark.parametrize("odd", ["[", "[1]", "{}", "[[[]]]", '[{"role": 1, "content": null}]', "\x00", "\ud800", 7, []])
def test_odd_content_is_text_or_nothing_and_can_be_stored(odd: Any) -> None:
    for found in of({"gen_ai.input.messages": odd, "gen_ai.output.messages": odd}):
        assert found is None or (found.encode() and "\0" not in found)
