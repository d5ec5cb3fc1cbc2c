"""What an engine answers to OpenAI's other calls than Chat Completions: responses, completions and embeddings."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from traffic.gateway.protocols import ANTHROPIC, Protocol
from traffic.gateway.translation import chat, messages, streams
from traffic.gateway.translation.neutral import Begin, Call, Delta, Done, Event, Reply, Text
from traffic.gateway.usage_tokens import Tokens

USAGE = {
    "input_tokens": 120,
    "input_tokens_details": {"cached_tokens": 90, "cache_write_tokens": 10},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 129,
}


def beside(path: str, asked: dict[str, Any], next_id: Callable[[str], str]) -> dict[str, Any] | list[bytes] | None:
    """An answer, or the events of a stream; None for every other path."""
    match path.removeprefix("/v1/"):
        case "responses":
            whole = response(next_id("resp_0123456789abcdefghijkl"))
            return response_events(whole) if asked.get("stream") else whole
        case "completions":
            identifier = next_id("cmpl-0123456789abcdefghijkl")
            return completion_events(identifier, asked) if asked.get("stream") else completion(identifier)
        case "embeddings":
            vectors = [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}]
            usage = {"prompt_tokens": 6, "total_tokens": 6}
            return {"object": "list", "model": "whatever", "data": vectors, "usage": usage}
        case "audio/transcriptions" if asked.get("stream"):
            done = {"type": "transcript.text.done", "text": "Hello.", "usage": AUDIO_USAGE}
            pieces = [{"type": "transcript.text.delta", "delta": piece} for piece in ("Hel", "lo.")]
            return [f"data: {json.dumps(event)}\n\n".encode() for event in (*pieces, done)]
        case "audio/transcriptions":
            return {"text": "Hello.", "usage": AUDIO_USAGE}
        case "images/generations":
            usage = {"input_tokens": 12, "output_tokens": 100, "total_tokens": 112}
            return {"created": 1, "data": [{"b64_json": "aGk="}], "usage": usage}
    return None


def response(identifier: str) -> dict[str, Any]:
    text = {"type": "output_text", "text": "Hello.", "annotations": []}
    item = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [text]}
    return {
        "id": identifier, "object": "response", "created_at": 1, "status": "completed", "model": "whatever",
        "output": [item], "error": None, "incomplete_details": None, "instructions": None, "metadata": {},
        "parallel_tool_calls": True, "temperature": 1, "tool_choice": "auto", "tools": [], "top_p": 1, "usage": USAGE,
    }  # fmt: skip


def response_events(whole: dict[str, Any]) -> list[bytes]:
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    item = {**whole["output"][0], "content": [], "status": "in_progress"}
    part = {"type": "output_text", "text": "", "annotations": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        {"type": "response.output_text.delta", **place, "delta": "Hel", "logprobs": []},
        {"type": "response.output_text.delta", **place, "delta": "lo.", "logprobs": []},
        {"type": "response.output_text.done", **place, "text": "Hello.", "logprobs": []},
        {"type": "response.content_part.done", **place, "part": {**part, "text": "Hello."}},
        {"type": "response.output_item.done", "output_index": 0, "item": whole["output"][0]},
        {"type": "response.completed", "response": whole},
    ]
    numbered = ({**event, "sequence_number": number} for number, event in enumerate(events))
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in numbered]


def completion(identifier: str) -> dict[str, Any]:
    choice = {"index": 0, "text": "Hello.", "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": 38, "completion_tokens": 12, "total_tokens": 50}
    return {
        "id": identifier, "object": "text_completion", "created": 1, "model": "whatever", "choices": [choice],
        "usage": usage,
    }  # fmt: skip


def completion_events(identifier: str, asked: dict[str, Any]) -> list[bytes]:
    whole = completion(identifier)
    pieces = [{**whole, "usage": None, "choices": [{**whole["choices"][0], "text": text}]} for text in ("Hel", "lo.")]
    if (asked.get("stream_options") or {}).get("include_usage"):
        pieces.append({**whole, "choices": []})
    return [*(f"data: {json.dumps(piece)}\n\n".encode() for piece in pieces), b"data: [DONE]\n\n"]


AUDIO_USAGE = {"type": "tokens", "input_tokens": 14, "input_token_details": {"audio_tokens": 14}, "output_tokens": 3,
               "total_tokens": 17}  # fmt: skip
CALLS = (("call_a", "weather", '{"city":"Oslo"}'), ("call_b", "time", "{}"))


def calling(protocol: Protocol, identifier: str, *, streamed: bool) -> dict[str, Any] | list[bytes]:
    """A text and two calls of tools, whole or as the events of a stream."""
    usage = Tokens(20, 300, 40, 0, 7)
    if not streamed:
        reply = Reply(
            identifier, "whatever", [Text("Let me see."), *(Call(*call) for call in CALLS)], "calls", None, usage
        )
        return messages.write_reply(reply) if protocol == ANTHROPIC else chat.write_reply(reply, 1)
    events: list[Event] = [Begin(identifier, "whatever"), Delta("text", 0, "Let me "), Delta("text", 0, "see.")]
    for key, (call_id, name, arguments) in enumerate(CALLS, 1):
        events.append(Delta("call", key, "", call_id, name))
        events += [Delta("call", key, arguments[:1]), Delta("call", key, arguments[1:])]
    events.append(Done("calls", None, usage))
    writer = streams.MessagesWriter() if protocol == ANTHROPIC else streams.ChatWriter(1, with_usage=True)
    return [writer.write(event) for event in events]
