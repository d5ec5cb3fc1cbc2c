"""Streams of the three protocols: readers make neutral events of whole server-sent events, writers make bytes of them.

Both keep only what later events need. They see an event at a time, so that it does not matter how a stream is cut.
"""

from __future__ import annotations

from typing import Any

from traffic.gateway.answers import bounded_counts
from traffic.gateway.translation import chat, messages
from traffic.gateway.translation.neutral import Begin, Delta, Done, Event, Failed, Stop
from traffic.gateway.translation.responses import HIDDEN, SIGNED
from traffic.gateway.translation.responses_replies import stop_of
from traffic.gateway.translation.sse import event
from traffic.gateway.usage_tokens import UNKNOWN, Tokens, anthropic_tokens, openai_tokens, responses_tokens


def failure(data: dict[str, Any]) -> Failed:
    """An error inside a stream, in whichever shape it came."""
    error = data.get("error")
    inner: dict[str, Any] = error if isinstance(error, dict) else data
    message = inner.get("message") or (error if isinstance(error, str) else "")
    kind = inner.get("type") if inner is not data else inner.get("code")
    return Failed(str(kind or "api_error")[:100], str(message or "The engine ended its answer with an error.")[:2000])


class MessagesReader:
    """Reads a stream of Messages."""

    def __init__(self) -> None:
        self._usage: dict[str, Any] = {}
        self._stop: Stop = "end"
        self._sequence: str | None = None

    def read(self, data: dict[str, Any]) -> list[Event]:
        match data.get("type"):
            case "message_start":
                message = data.get("message") or {}
                self._usage = bounded_counts(message.get("usage") or {})
                begun = anthropic_tokens({**self._usage, "output_tokens": None})
                return [Begin(str(message.get("id") or ""), str(message.get("model") or ""), begun)]
            case "content_block_start":
                return self._block(data.get("index", 0), data.get("content_block") or {})
            case "content_block_delta":
                return self._delta(data.get("index", 0), data.get("delta") or {})
            case "message_delta":
                delta = data.get("delta") or {}
                self._stop = messages.STOPS.get(delta.get("stop_reason"), "end")
                self._sequence = delta.get("stop_sequence")
                counts = {name: value for name, value in (data.get("usage") or {}).items() if value is not None}
                self._usage = bounded_counts({**self._usage, **counts})
            case "message_stop":
                return [Done(self._stop, self._sequence, anthropic_tokens(self._usage))]
            case "error":
                return [failure(data)]
        return []

    def _block(self, key: int, block: dict[str, Any]) -> list[Event]:
        match block.get("type"):
            case "text":
                return [Delta("text", key, block["text"])] if block.get("text") else []
            case "tool_use":
                return [Delta("call", key, "", str(block.get("id") or ""), str(block.get("name") or ""))]
            case "thinking":
                return [Delta("thinking", key, block["thinking"])] if block.get("thinking") else []
            case "redacted_thinking":
                return [Delta("hidden", key, str(block.get("data") or ""))]
        return []

    def _delta(self, key: int, delta: dict[str, Any]) -> list[Event]:
        match delta.get("type"):
            case "text_delta":
                return [Delta("text", key, str(delta.get("text") or ""))]
            case "input_json_delta":
                return [Delta("call", key, str(delta.get("partial_json") or ""))]
            case "thinking_delta":
                return [Delta("thinking", key, str(delta.get("thinking") or ""))]
            case "signature_delta":
                return [Delta("signature", key, str(delta.get("signature") or ""))]
        return []

    def finish(self) -> list[Event]:
        return []


class ChatReader:
    """Reads a stream of Chat Completions, whose blocks have no beginnings and ends of their own."""

    def __init__(self) -> None:
        self._begun = self._done = False
        self._stop: Stop | None = None
        self._usage: Tokens = UNKNOWN
        self._kind = ""  # of the block under way
        self._key = -1
        self._call: Any = None  # the index of the call under way
        self._waiting = ""  # the arguments of a call whose name has not come yet

    def read(self, data: dict[str, Any]) -> list[Event]:
        if data.get("error"):
            return [failure(data)]
        events: list[Event] = []
        # Azure's first event is about the prompt and has neither.
        if not self._begun and (data.get("id") or data.get("choices")):
            self._begun = True
            events.append(Begin(str(data.get("id") or ""), str(data.get("model") or "")))
        if isinstance(data.get("usage"), dict):
            self._usage = openai_tokens(bounded_counts(data["usage"]))
        choices = data.get("choices") or [{}]
        choice = choices[0] if isinstance(choices[0], dict) else {}
        self._take(choice.get("delta") or {}, events)
        if choice.get("finish_reason"):
            self._stop = chat.FINISHES.get(choice["finish_reason"], "end")
        return events

    def _take(self, delta: dict[str, Any], events: list[Event]) -> None:
        thoughts = delta.get("reasoning_content") or delta.get("reasoning")
        for kind, piece in (("thinking", thoughts), ("text", delta.get("content")), ("declined", delta.get("refusal"))):
            if isinstance(piece, str) and piece:
                if self._kind != kind:
                    self._next(kind)
                events.append(Delta(kind, self._key, piece))  # type: ignore[arg-type]  # one of the kinds
        for call in delta.get("tool_calls") or []:
            self._calls(call, events)

    def _calls(self, call: dict[str, Any], events: list[Event]) -> None:
        function = call.get("function") or {}
        arguments, name = str(function.get("arguments") or ""), function.get("name")
        if self._kind != "call" or call.get("index", 0) != self._call:
            self._next("call")
            self._call, self._waiting, self._named = call.get("index", 0), "", False
        if self._named:
            events.append(Delta("call", self._key, arguments))
            return
        self._waiting += arguments
        if name:
            identifier = call.get("id") or f"call_{self._key}"
            events.append(Delta("call", self._key, "", str(identifier), str(name)))
            self._named = True
            if self._waiting:
                events.append(Delta("call", self._key, self._waiting))

    _named = False

    def _next(self, kind: str) -> None:
        self._kind = kind
        self._key += 1

    def end(self) -> list[Event]:
        """`[DONE]` has come."""
        if self._done or not self._begun:
            return []
        self._done = True
        return [Done(self._stop or "end", None, self._usage)]

    def finish(self) -> list[Event]:
        """The bytes are over. Some servers leave `[DONE]` out, and say all the same why the answer ended."""
        return self.end() if self._stop is not None else []


class ResponsesReader:
    """Reads a stream of Responses."""

    def __init__(self) -> None:
        self._calls = False
        self._keys: dict[tuple[Any, Any], int] = {}

    def read(self, data: dict[str, Any]) -> list[Event]:
        kind = str(data.get("type") or "")
        response = data.get("response") if isinstance(data.get("response"), dict) else {}
        assert response is not None
        match kind:
            case "response.created":
                return [Begin(str(response.get("id") or ""), str(response.get("model") or ""))]
            case "response.output_text.delta":
                return [Delta("text", self._key(data, "content_index"), str(data.get("delta") or ""))]
            case "response.refusal.delta":
                return [Delta("declined", self._key(data, "content_index"), str(data.get("delta") or ""))]
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                return [Delta("thinking", self._key(data), str(data.get("delta") or ""))]
            case "response.function_call_arguments.delta":
                return [Delta("call", self._key(data), str(data.get("delta") or ""))]
            case "response.output_item.added":
                return self._added(data, data.get("item") or {})
            case "response.output_item.done":
                return self._item_done(data, data.get("item") or {})
            case "response.completed" | "response.incomplete":
                usage = responses_tokens(bounded_counts(response.get("usage") or {}))
                return [Done(stop_of(response, calls=self._calls), None, usage)]
            case "response.failed" | "error":
                return [failure({"error": response["error"]} if response.get("error") else data)]
        return []

    def _key(self, data: dict[str, Any], inner: str = "") -> int:
        place = (data.get("output_index", 0), data.get(inner, 0) if inner else None)
        return self._keys.setdefault(place, len(self._keys))

    def _added(self, data: dict[str, Any], item: dict[str, Any]) -> list[Event]:
        if item.get("type") != "function_call":
            return []
        self._calls = True
        identifier = str(item.get("call_id") or item.get("id") or "")
        return [Delta("call", self._key(data), "", identifier, str(item.get("name") or ""))]

    def _item_done(self, data: dict[str, Any], item: dict[str, Any]) -> list[Event]:
        cipher = item.get("encrypted_content")
        if item.get("type") != "reasoning" or not isinstance(cipher, str):
            return []
        for prefix, kind in ((SIGNED, "signature"), (HIDDEN, "hidden")):
            if cipher.startswith(prefix):
                return [Delta(kind, self._key(data), cipher.removeprefix(prefix))]  # type: ignore[arg-type]
        return []

    def finish(self) -> list[Event]:
        return []


class MessagesWriter:
    """Writes a stream of Messages: one block after the other, the last event but one with what is known at the end."""

    def __init__(self) -> None:
        self._index = -1
        self._key: int | None = None

    def write(self, item: Event) -> bytes:
        match item:
            case Begin():
                usage = {**messages.write_usage(item.usage), "output_tokens": 0}  # placeholders until the end
                usage["input_tokens"] = usage["input_tokens"] or 0
                message: dict[str, Any] = {"id": item.id, "type": "message", "role": "assistant", "model": item.model}
                message |= {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
                return event({"type": "message_start", "message": message}, named=True)
            case Delta():
                return self._delta(item)
            case Done():
                delta = {"stop_reason": messages.STOP_REASONS[item.stop], "stop_sequence": item.sequence}
                usage = messages.write_usage(item.usage)
                last = {"type": "message_delta", "delta": delta, "usage": usage}
                end = event({"type": "message_stop"}, named=True)
                return self._end_block() + event(last, named=True) + end
            case Failed():
                return event({"type": "error", "error": {"type": item.kind, "message": item.message}}, named=True)

    def _delta(self, item: Delta) -> bytes:
        begun = b""
        if item.key != self._key:
            begun = self._end_block()
            self._index += 1
            self._key = item.key
            start = {"type": "content_block_start", "index": self._index, "content_block": _block(item)}
            begun += event(start, named=True)
        if not item.text or item.kind == "hidden":
            return begun
        field, kind = _DELTAS[item.kind]
        delta = {"type": kind, field: item.text}
        return begun + event({"type": "content_block_delta", "index": self._index, "delta": delta}, named=True)

    def _end_block(self) -> bytes:
        if self._key is None:
            return b""
        self._key = None
        return event({"type": "content_block_stop", "index": self._index}, named=True)


_DELTAS = {
    "text": ("text", "text_delta"),
    "declined": ("text", "text_delta"),
    "thinking": ("thinking", "thinking_delta"),
    "signature": ("signature", "signature_delta"),
    "call": ("partial_json", "input_json_delta"),
}


def _block(item: Delta) -> dict[str, Any]:
    match item.kind:
        case "call":
            return {"type": "tool_use", "id": messages.written_id(item.id), "name": item.name, "input": {}}
        case "thinking" | "signature":
            return {"type": "thinking", "thinking": "", "signature": ""}
        case "hidden":
            return {"type": "redacted_thinking", "data": item.text}
        case _:
            return {"type": "text", "text": ""}


class ChatWriter:
    """Writes a stream of Chat Completions. `with_usage`: the caller asks for the event that tells it."""

    def __init__(self, created: int, *, with_usage: bool) -> None:
        self._created = created
        self._with_usage = with_usage
        self._id = self._model = ""
        self._call = -1
        self._key: int | None = None

    def write(self, item: Event) -> bytes:
        match item:
            case Begin():
                self._id, self._model = item.id, item.model
                return self._chunk({"role": "assistant", "content": ""})
            case Delta():
                delta = self._delta(item)
                return self._chunk(delta) if delta else b""
            case Done():
                last = self._chunk({}, chat.FINISH_REASONS[item.stop])
                if self._with_usage and (usage := chat.write_usage(item.usage)):
                    last += event({**self._head(), "choices": [], "usage": usage}, named=False)
                return last + b"data: [DONE]\n\n"
            case Failed():
                error = {"message": item.message, "type": item.kind, "param": None, "code": item.kind}
                return event({"error": error}, named=False)

    def _delta(self, item: Delta) -> dict[str, Any] | None:
        match item.kind:
            case "call":
                if item.key != self._key:
                    self._key = item.key
                    self._call += 1
                    function = {"name": item.name, "arguments": item.text}
                    call = {"index": self._call, "id": item.id, "type": "function", "function": function}
                else:
                    call = {"index": self._call, "function": {"arguments": item.text}}
                return {"tool_calls": [call]}
            case "text":
                return {"content": item.text}
            case "thinking":
                return {"reasoning_content": item.text}
            case "declined":
                return {"refusal": item.text}
        return None  # what proves thoughts has no place here

    def _head(self) -> dict[str, Any]:
        return {"id": self._id, "object": "chat.completion.chunk", "created": self._created, "model": self._model}

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return event({**self._head(), "choices": [choice]}, named=False)
