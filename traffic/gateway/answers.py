"""What an answer says about itself, whole or streamed, in every protocol: usage, errors, its id, its text if wanted.

Nothing here does I/O, and nothing that passes through here is changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from traffic.gateway.bounds import MOST_EVENT, MOST_READ, MOST_TEXT, MOST_USAGE, TooMuch
from traffic.gateway.protocols import ANTHROPIC, CONVERSE, MEDIA, OPENAI, RESPONSES, Protocol, text_of
from traffic.gateway.usage_tokens import UNKNOWN, Tokens, timings_tokens, tokens_of

MOST_ID = 200  # characters of a response id; a longer one is none
MOST_REASON = 100  # characters of a finish reason; a longer one is none
MOST_NAMES = 100  # in a usage object that grows from event to event

_anything = msgspec.json.Decoder()


@dataclass(slots=True)
class Answer:
    """What is known of an answer so far; filled by `read_answer` or by a StreamTap."""

    response_id: str | None = None
    sound: str | None = None  # the id of sound in the answer, by which a later call may name it
    usage: dict[str, Any] | None = None  # the vendor's own object, kept as raw
    timings: dict[str, Any] | None = None
    error_type: str | None = None
    text: list[str] = field(default_factory=list)  # only where bodies are kept
    text_cut: bool = False  # it went on
    finish_reason: str | None = None  # why it ended, in the vendor's word; only where the text is kept
    unread: bool = False  # a part could not be read, in which usage may have stood
    deltas: int = 0  # of a stream whose tokens may have to be estimated: its pieces of content,
    characters: int = 0  # and what is in them

    def tokens(self, protocol: Protocol) -> Tokens:
        if self.usage:
            return tokens_of(protocol, self.usage)
        return timings_tokens(self.timings) if self.timings else UNKNOWN


class _Body(msgspec.Struct):
    """The outer fields of a whole answer that matter here; an answer's text is not even decoded."""

    id: Any = None
    usage: Any = None
    timings: Any = None
    error: Any = None
    detail: Any = None
    message: Any = None
    content: msgspec.Raw = msgspec.Raw(b"null")
    choices: msgspec.Raw = msgspec.Raw(b"null")
    output: msgspec.Raw = msgspec.Raw(b"null")  # of Responses
    stop_reason: Any = None  # of Messages
    stop_reason_of_converse: Any = msgspec.field(default=None, name="stopReason")
    incomplete_details: Any = None  # of Responses


_body = msgspec.json.Decoder(_Body)


def read_answer(protocol: Protocol, body: bytes, *, with_text: bool = False) -> Answer:
    """Read a whole, unstreamed answer; one that is no JSON object tells nothing."""
    answer = Answer()
    try:
        parsed = _body.decode(_only_one(body))
        _take(answer, parsed)
        if protocol == OPENAI and b'"audio"' in body:
            answer.sound = _sound(_first(_anything.decode(parsed.choices)).get("message"))
        if with_text:
            answer.text.append(_whole_text(protocol, parsed))
            answer.finish_reason = _whole_reason(parsed)
            answer.characters = len(answer.text[0])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return answer
    except RecursionError:
        answer.unread = True
    return answer


def _only_one(body: bytes) -> bytes:
    """Gemini's errors are lists of one object."""
    text = body.strip() if body[:1] == b"[" and len(body) <= MOST_USAGE else body
    return text[1:-1] if text[:1] == b"[" and text[-1:] == b"]" else body


def _whole_text(protocol: Protocol, parsed: _Body) -> str:
    if protocol == ANTHROPIC:
        return text_of(_anything.decode(parsed.content))
    if protocol == RESPONSES:
        items = _anything.decode(parsed.output)
        return "".join(text_of(item.get("content")) for item in _dicts(items) if item.get("type") == "message")
    if protocol == CONVERSE:
        return "".join(text for block in _blocks(_anything.decode(parsed.output)) if (text := block.get("text")))
    first = _first(_anything.decode(parsed.choices))
    message = first.get("message")
    return text_of(message.get("content") if isinstance(message, dict) else first.get("text"))


def _whole_reason(parsed: _Body) -> str | None:
    """Why a whole answer ended, whichever protocol it is of."""
    cut = parsed.incomplete_details
    choice = _first(_anything.decode(parsed.choices))
    return _reason(
        parsed.stop_reason,
        parsed.stop_reason_of_converse,
        cut.get("reason") if isinstance(cut, dict) else None,
        choice.get("finish_reason"),
    )


def _reason(*values: Any) -> str | None:
    return next((value for value in values if isinstance(value, str) and 0 < len(value) <= MOST_REASON), None)


def _blocks(output: Any) -> list[dict[str, Any]]:
    """Of Converse's message."""
    message = output.get("message") if isinstance(output, dict) else None
    blocks = _dicts(message.get("content")) if isinstance(message, dict) else []
    return [block for block in blocks if isinstance(block.get("text", ""), str)]


def _dicts(items: Any) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _first(choices: Any) -> dict[str, Any]:
    """The first of OpenAI's choices; empty where there is none, as in a usage chunk."""
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _take(answer: Answer, parsed: _Body) -> None:
    if _is_id(parsed.id):
        answer.response_id = parsed.id
    if isinstance(parsed.usage, dict):
        answer.usage = bounded_counts(parsed.usage)
    if isinstance(parsed.timings, dict):
        answer.timings = bounded_counts(parsed.timings)
    if parsed.error is not None:
        answer.error_type = error_type(parsed.error)


def _sound(message: Any) -> str | None:
    """The id of the sound in a message, or in a piece of one."""
    audio = message.get("audio") if isinstance(message, dict) else None
    name = audio.get("id") if isinstance(audio, dict) else None
    return name if _is_id(name) else None


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MOST_ID


def bounded_counts(usage: dict[str, Any]) -> dict[str, Any]:
    """A vendor's object as it is kept: whole, or, from an engine that tells a book, its counts alone."""
    try:
        if len(usage) <= MOST_NAMES and len(msgspec.json.encode(usage)) <= MOST_USAGE:
            return usage
    except RecursionError:
        pass  # nested without end: no count of ours lies that deep
    return {name: value for name, value in usage.items() if name in _COUNTS and type(value) is int}


_COUNTS = frozenset(
    "input_tokens output_tokens cache_read_input_tokens cache_creation_input_tokens prompt_tokens completion_tokens"
    " prompt_n cache_n predicted_n inputTokens outputTokens cacheReadInputTokens cacheWriteInputTokens".split()
)


def error_type(error: Any) -> str:
    """The type of an engine's error, which is an object, or a bare string, depending on who speaks."""
    if isinstance(error, dict):
        for name in ("type", "error_type", "code"):
            if isinstance(error.get(name), str) and error[name]:
                return str(error[name])[:100]
    return "error"


class _Event(msgspec.Struct):
    """One event of either protocol's stream."""

    type: Any = None
    id: Any = None
    message: Any = None  # Anthropic's message_start
    delta: Any = None  # Anthropic's deltas
    usage: Any = None
    timings: Any = None
    error: Any = None
    choices: Any = None  # OpenAI's
    response: Any = None  # of Responses
    stop_reason_of_converse: Any = msgspec.field(default=None, name="stopReason")


_event = msgspec.json.Decoder(_Event)

# An event without one of these cannot change what is known once the first content has been seen.
_TELLING = (b'"usage"', b'"timings"', b'"error"', b'"message_start"', b'"message_delta"')
_RESPONSES_ENDS = ("response.completed", "response.incomplete", "response.failed")


class StreamTap:
    """Listens to a server-sent event stream that passes by and fills an Answer; the bytes are not its business.

    `with_text` keeps what the answer says, `counting` how much it says.
    """

    def __init__(self, protocol: Protocol, *, with_text: bool = False, counting: bool = False) -> None:
        self.protocol = protocol
        self.with_text = with_text
        self.counting = counting
        self.answer = Answer()
        self.content_seen = False
        self.ended = False  # the stream said so itself, by `[DONE]` or `message_stop`
        self._rest: list[bytes] = []  # of a line that is not whole yet
        self._data: list[bytes] = []
        self._size = 0  # of both

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes, cut anywhere. Raises TooMuch where a line or an event has no end."""
        lines = chunk.split(b"\n")
        if len(lines) > 1 and self._rest:
            lines[0] = b"".join((*self._rest, lines[0]))
            self._rest.clear()
        rest = lines.pop()
        for line in lines:
            line = line.rstrip(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].lstrip(b" "))
                self._grow(len(line))
            elif not line and self._data:
                self._dispatch(b"\n".join(self._data))
                self._data.clear()
                self._size = 0
        if rest:
            self._rest.append(rest)
            self._grow(len(rest))

    def _grow(self, more: int) -> None:
        self._size += more
        if self._size > MOST_EVENT:
            raise TooMuch(f"an event of more than {MOST_EVENT:,} bytes")

    def finish(self) -> Answer:
        """The stream is over: read a last event that lacks its empty line."""
        self._size = 0
        self.feed(b"\n\n")
        return self.answer

    def _dispatch(self, data: bytes) -> None:
        if data == b"[DONE]":
            self.ended = True
            return
        if b'"message_stop"' in data:
            self.ended = True
        every = self.with_text or self.counting or not self.content_seen
        if not every and not any(word in data for word in _TELLING):
            return
        if len(data) > MOST_READ:
            self.answer.unread = True
            return
        try:
            event = _event.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return  # not ours to judge: the caller gets the bytes as they are
        except RecursionError:
            self.answer.unread = True
            return
        if event.error is not None:
            self.answer.error_type = error_type(event.error)
        if self.protocol == ANTHROPIC:
            self._anthropic(event)
        elif self.protocol == RESPONSES:
            self._responses(event)
        elif self.protocol == MEDIA:
            self._media(event)
        elif self.protocol == CONVERSE:
            self._converse(event)
        else:
            self._openai(event)

    def _anthropic(self, event: _Event) -> None:
        if event.type == "message_start" and isinstance(event.message, dict):
            self._started(event.message)
        elif event.type == "content_block_delta":
            self.content_seen = True
            delta = event.delta if isinstance(event.delta, dict) else {}
            self._heard(delta.get("text"), delta.get("partial_json"), delta.get("thinking"))
        elif event.type == "message_delta" and isinstance(event.usage, dict):
            self._ends(event.delta.get("stop_reason") if isinstance(event.delta, dict) else None)
            # Cumulative, and newer servers repeat the input side here: what is said last is true.
            counts = {name: value for name, value in event.usage.items() if value is not None}
            self.answer.usage = bounded_counts({**(self.answer.usage or {}), **counts})

    def _started(self, message: dict[str, Any]) -> None:
        if _is_id(message.get("id")):
            self.answer.response_id = message["id"]
        usage = message.get("usage")
        if isinstance(usage, dict):
            # The output count at the start is a placeholder; until a message_delta comes it is unknown.
            self.answer.usage = bounded_counts(
                {name: value for name, value in usage.items() if name != "output_tokens"}
            )

    def _responses(self, event: _Event) -> None:
        kind = event.type if isinstance(event.type, str) else ""
        if isinstance(event.response, dict):
            if _is_id(event.response.get("id")):
                self.answer.response_id = event.response["id"]
            if isinstance(event.response.get("usage"), dict):
                self.answer.usage = bounded_counts(event.response["usage"])
            cut = event.response.get("incomplete_details")
            self._ends(cut.get("reason") if isinstance(cut, dict) else None)
            if event.response.get("error") is not None:
                self.answer.error_type = error_type(event.response["error"])
        if kind in _RESPONSES_ENDS:
            self.ended = True
        elif kind == "error":
            self.answer.error_type = self.answer.error_type or "error"
        elif kind.endswith(".delta"):
            self.content_seen = True
            text = event.delta if kind == "response.output_text.delta" else None
            self._heard(text, None if text else event.delta)

    def _media(self, event: _Event) -> None:
        """Of a transcript or an image that comes in pieces."""
        if isinstance(event.usage, dict):
            self.answer.usage = bounded_counts(event.usage)
        kind = event.type if isinstance(event.type, str) else ""
        if kind.endswith((".delta", ".partial_image")):
            self.content_seen = True
            self._heard(event.delta)
        elif kind.endswith((".done", ".completed")):
            self.ended = True

    def _converse(self, event: _Event) -> None:
        if event.type == "contentBlockDelta" and isinstance(event.delta, dict):
            self.content_seen = True
            beside = [part for part in event.delta.values() if isinstance(part, dict)]
            self._heard(event.delta.get("text"), *(text for part in beside for text in part.values()))
        elif event.type == "messageStop":
            self._ends(event.stop_reason_of_converse)
        elif event.type == "metadata" and isinstance(event.usage, dict):
            self.answer.usage = bounded_counts(event.usage)
            self.ended = True  # which comes last

    def _openai(self, event: _Event) -> None:
        if self.answer.response_id is None and _is_id(event.id):
            self.answer.response_id = event.id
        if isinstance(event.usage, dict):
            self.answer.usage = bounded_counts(event.usage)
        if isinstance(event.timings, dict):
            self.answer.timings = bounded_counts(event.timings)
        choice = _first(event.choices)
        self._ends(choice.get("finish_reason"))
        delta = choice.get("delta")
        self.answer.sound = self.answer.sound or _sound(delta)
        if isinstance(choice.get("text"), str) and choice["text"]:  # of completions
            self.content_seen = True
            self._heard(choice["text"])
        elif isinstance(delta, dict) and any(delta.get(name) for name in _OPENAI_CONTENT):
            self.content_seen = True
            self._heard(delta.get("content"), delta.get("reasoning_content"), delta.get("reasoning"))

    def _ends(self, reason: Any) -> None:
        if self.with_text and reason is not None:
            self.answer.finish_reason = _reason(reason)

    def _heard(self, text: Any, *beside: Any) -> None:
        """A piece of content: the text of the answer, and what else a model writes."""
        answer = self.answer
        answer.deltas += 1
        for piece in (text, *beside):
            if isinstance(piece, str):
                answer.characters += len(piece)
        if not self.with_text or not isinstance(text, str):
            return
        if answer.characters > MOST_TEXT:
            answer.text_cut = True
        else:
            answer.text.append(text)


_OPENAI_CONTENT = ("content", "reasoning_content", "reasoning", "tool_calls", "function_call", "refusal", "audio")
