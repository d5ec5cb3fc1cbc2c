"""Why an answer ended is read in every protocol, whole and streamed, where its text is kept and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from traffic.gateway.answers import StreamTap, read_answer
from traffic.gateway.protocols import ANTHROPIC, CONVERSE, OPENAI, RESPONSES

CHAT = {"choices": [{"index": 0, "message": {"content": "Yes, but"}, "finish_reason": "length"}]}
MESSAGE = {"type": "message", "content": [{"type": "text", "text": "Yes, but"}], "stop_reason": "max_tokens"}
INCOMPLETE = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []}
WHOLE = [
    (OPENAI, CHAT, "length"),
    (ANTHROPIC, MESSAGE, "max_tokens"),
    (RESPONSES, INCOMPLETE, "max_output_tokens"),
    (CONVERSE, {"output": {"message": {"content": [{"text": "Yes, but"}]}}, "stopReason": "max_tokens"}, "max_tokens"),
    (OPENAI, {"choices": [{"message": {"content": "a"}, "finish_reason": "x" * 101}]}, None),
    (OPENAI, {"choices": [{"message": {"content": "a"}, "finish_reason": {"not": "a word"}}]}, None),
    (RESPONSES, {"incomplete_details": "why", "output": []}, None),
]
STREAMS: list[tuple[Any, list[dict[str, Any]], str]] = [
    (OPENAI, [{"choices": [{"delta": {"content": "a"}, "finish_reason": None}]},
              {"choices": [{"delta": {}, "finish_reason": "length"}]}, {"choices": [], "usage": {}}], "length"),
    (ANTHROPIC, [{"type": "content_block_delta", "delta": {"text": "a"}},
                 {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 1}}],
     "max_tokens"),
    (RESPONSES, [{"type": "response.output_text.delta", "delta": "a"},
                 {"type": "response.incomplete", "response": INCOMPLETE}], "max_output_tokens"),
    (CONVERSE, [{"type": "contentBlockDelta", "delta": {"text": "a"}},
                {"type": "messageStop", "stopReason": "max_tokens"}, {"type": "metadata", "usage": {}}], "max_tokens"),
]  # fmt: skip


@pytest.mark.parametrize(("protocol", "body", "reason"), WHOLE)
def test_of_a_whole_answer(protocol: Any, body: dict[str, Any], reason: str | None) -> None:
    written = json.dumps(body).encode()
    assert read_answer(protocol, written, with_text=True).finish_reason == reason
    assert read_answer(protocol, written).finish_reason is None


@pytest.mark.parametrize(("protocol", "events", "reason"), STREAMS)
def test_of_a_stream(protocol: Any, events: list[dict[str, Any]], reason: str) -> None:
    for with_text in (True, False):
        tap = StreamTap(protocol, with_text=with_text)
        for event in events:
            tap.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
        assert tap.finish().finish_reason == (reason if with_text else None)
