"""Translates calls and answers between Anthropic's Messages and OpenAI's Chat Completions and Responses. Pure.

A call is translated where the chosen deployment does not speak the protocol of its caller. Every protocol has a reader
into one neutral form and a writer out of it (`neutral`); nothing that a caller asks for is left out silently. Bedrock's
Converse is no caller's protocol.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import msgspec

from traffic.gateway.bounds import MOST_EVENT, TooMuch
from traffic.gateway.inflate import inflater
from traffic.gateway.protocols import ANTHROPIC, CHATS, CONVERSE, OPENAI, RESPONSES, Protocol, error_body
from traffic.gateway.translation import chat, converse, messages, neutral, responses, responses_replies, streams
from traffic.gateway.translation.neutral import MOST_PARTS, Event, Failed, Reply, Untranslatable
from traffic.gateway.translation.responses_writer import ResponsesWriter
from traffic.gateway.translation.sse import EventReader

__all__ = ["StreamTranslator", "Translation", "Unreadable", "Untranslatable", "translates"]

NAMES: dict[Protocol, str] = {ANTHROPIC: "messages", OPENAI: "chat", RESPONSES: "responses", CONVERSE: "converse"}
PATHS: dict[Protocol, str] = {
    ANTHROPIC: "/v1/messages",
    OPENAI: "/v1/chat/completions",
    RESPONSES: "/v1/responses",
    CONVERSE: "",  # made by the one engine that speaks it
}
_MODULES = {ANTHROPIC: messages, OPENAI: chat, RESPONSES: responses}
_WRITERS = {
    **{protocol: module.write_request for protocol, module in _MODULES.items()},
    CONVERSE: converse.write_request,
}
LABELS = {**{protocol: module.LABEL for protocol, module in _MODULES.items()}, CONVERSE: converse.LABEL}
_READERS: dict[Protocol, Callable[[], Any]] = {
    ANTHROPIC: streams.MessagesReader,
    OPENAI: streams.ChatReader,
    RESPONSES: streams.ResponsesReader,
}
REPLY_READERS: dict[Protocol, Callable[[dict[str, Any]], Reply]] = {
    ANTHROPIC: messages.read_reply,
    OPENAI: chat.read_reply,
    RESPONSES: responses_replies.read_reply,
    CONVERSE: converse.read_reply,
}
# What walking through objects of unexpected shapes raises.
ODD = (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError, Untranslatable)


class Unreadable(TooMuch):
    """An engine's answer is none of its protocol, so that it cannot be translated or passed on."""


def translates(caller: Protocol, spoken: frozenset[Protocol]) -> Protocol | None:
    """The protocol into which a caller's is translated for a server that speaks these; None where there is none."""
    if caller not in CHATS or caller in spoken:
        return None
    return next((protocol for protocol in (OPENAI, ANTHROPIC, RESPONSES, CONVERSE) if protocol in spoken), None)


class Translation:
    """One call between two protocols: `caller` is that of its request, `spoken` the deployment's."""

    def __init__(self, caller: Protocol, spoken: Protocol, body: bytes) -> None:
        self.caller = caller
        self.spoken = spoken
        self.path = PATHS[spoken]
        self.body = b""  # for the deployment, once it is made
        self._body = body
        self._model = ""
        self._created = int(time.time())

    @property
    def name(self) -> str:
        """What the answer's header and the request's row say, such as messages-to-chat."""
        return f"{NAMES[self.caller]}-to-{NAMES[self.spoken]}"

    @cached_property
    def _asked(self) -> dict[str, Any]:
        # Counted by bytes before anything is made of them: in a text the quotes are escaped.
        if self._body.count(b'"type"') + self._body.count(b'"role"') > MOST_PARTS:
            raise Untranslatable(f"A call that is translated may have {MOST_PARTS:,} messages, parts and tools.")
        try:
            return neutral.object_at(neutral.decode(self._body), "The body")
        except ValueError:
            raise Untranslatable("The body cannot be read as JSON.") from None

    def prepare(self, model: str) -> None:
        """Make the body for the deployment. Raises Untranslatable."""
        self._model = model
        self.body = self.request(model)

    def request(self, model: str) -> bytes:
        """The caller's request in the deployment's protocol. Raises Untranslatable with a sentence for the caller."""
        try:
            request = _MODULES[self.caller].read_request(self._asked)
            return msgspec.json.encode(_WRITERS[self.spoken](request, model))
        except (AttributeError, TypeError, ValueError, RecursionError):
            raise Untranslatable(f"The body is no request of {_MODULES[self.caller].LABEL}.") from None

    def answer(self, status: int, body: bytes) -> bytes:
        """A whole answer in the caller's protocol, an error too. Raises Unreadable."""
        if status >= 400:
            return self._error(status, body)
        try:
            reply = REPLY_READERS[self.spoken](neutral.object_at(neutral.decode(body), "The answer"))
            reply.model = reply.model or self._model
            return msgspec.json.encode(self.written(reply))
        except ODD as error:
            raise Unreadable(f"an answer that is none of {LABELS[self.spoken]}") from error

    def written(self, reply: Reply) -> dict[str, Any]:
        if self.caller == ANTHROPIC:
            return messages.write_reply(reply)
        if self.caller == OPENAI:
            return chat.write_reply(reply, self._created)
        return responses_replies.write_reply(reply, self._created, self._asked)

    def _error(self, status: int, body: bytes) -> bytes:
        try:
            parsed = neutral.decode(body)
            only = parsed[0] if isinstance(parsed, list) and len(parsed) == 1 else parsed  # as Gemini writes errors
            failed = streams.failure(neutral.object_at(only, "The answer"))
        except ODD:
            return error_body(self.caller, status, "api_error", f"The deployment answered with HTTP {status}.")
        return error_body(self.caller, status, failed.kind, failed.message)

    def stream(self, encoding: str | None = None) -> StreamTranslator:
        """What translates the answer's stream. `encoding`: how the engine compresses it."""
        reader = converse.ConverseReader(self._model) if self.spoken == CONVERSE else _READERS[self.spoken]()
        return StreamTranslator(reader, self.writer(), encoding)

    def writer(self) -> Any:
        if self.caller == ANTHROPIC:
            return streams.MessagesWriter()
        if self.caller == OPENAI:
            options = self._asked.get("stream_options")
            asks = isinstance(options, dict) and options.get("include_usage") is True
            return streams.ChatWriter(self._created, with_usage=asks)
        return ResponsesWriter(self._created, self._asked)


class StreamTranslator:
    """Translates a stream as its bytes come in, cut anywhere."""

    def __init__(self, reader: Any, writer: Any, encoding: str | None = None) -> None:
        self._events = EventReader()
        self._reader = reader
        self._writer = writer
        self._inflate = inflater(encoding, MOST_EVENT) if encoding and encoding != "identity" else None
        self._failed = False

    def feed(self, chunk: bytes) -> bytes:
        """What of the caller's stream is known now. Raises TooMuch, and Unreadable where an event is none."""
        return self._translated(self._events.feed(chunk if self._inflate is None else self._inflate(chunk)))

    def finish(self) -> bytes:
        """What is left when the engine's bytes are over."""
        return self._translated(self._events.finish()) + self._guarded(self._reader.finish)

    def _translated(self, events: list[bytes]) -> bytes:
        return b"".join(self._guarded(lambda data=data: self._read(data)) for data in events)  # type: ignore[misc]

    def _read(self, data: bytes) -> list[Event]:
        if data == b"[DONE]":
            end: list[Event] = self._reader.end() if hasattr(self._reader, "end") else []
            return end
        events: list[Event] = self._reader.read(neutral.object_at(neutral.decode(data), "An event"))
        return events

    def _guarded(self, read: Callable[[], list[Event]]) -> bytes:
        try:
            return b"".join([self._writer.write(event) for event in read() if self._goes_on(event)])
        except ODD as error:
            raise Unreadable("an event that is none of its protocol") from error

    def _goes_on(self, event: Event) -> bool:
        """Whether no error came before: some engines end with [DONE] all the same, which is then no success."""
        before, self._failed = self._failed, self._failed or isinstance(event, Failed)
        return not before
