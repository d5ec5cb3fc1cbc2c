"""The wire protocols of the callers, Anthropic's and OpenAI's: their requests, and errors in their shapes.

Nothing here does I/O. What the gateway needs of a request is read from the raw bytes of its outer fields, so that a
request leaves with every byte of its values as it came, save the model's name.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import msgspec

from traffic.gateway.bounds import MOST_MODEL

Protocol = Literal["anthropic", "openai", "responses", "completions", "embeddings", "media", "converse"]
ANTHROPIC: Protocol = "anthropic"  # Messages
OPENAI: Protocol = "openai"  # Chat Completions
RESPONSES: Protocol = "responses"
COMPLETIONS: Protocol = "completions"  # with a bare prompt, OpenAI's legacy
EMBEDDINGS: Protocol = "embeddings"
MEDIA: Protocol = "media"  # audio and images, as JSON or as a form with files
CONVERSE: Protocol = "converse"  # of Amazon Bedrock, which deployments speak and no caller
CONVERSING = frozenset({CONVERSE})
CHATS = frozenset({ANTHROPIC, OPENAI, RESPONSES})  # conversations, each of which can be translated into the others
SAME_MODEL = frozenset({EMBEDDINGS, MEDIA})  # answered by the model asked for, and by no other
PROMPTS: dict[Protocol, str] = {RESPONSES: "input", COMPLETIONS: "prompt", EMBEDDINGS: "input", MEDIA: "prompt"}
MOST_OUTPUT: dict[Protocol, tuple[str, ...]] = {ANTHROPIC: ("max_tokens",), RESPONSES: ("max_output_tokens",)}
_NULL = msgspec.Raw(b"null")

BYTES_PER_TOKEN = 4  # the routes' estimate of a prompt's length

# Read on the event loop, so that nothing may cost more than some milliseconds, whatever a caller sends.
MOST_VALUE = 64 << 10  # bytes of a field that is read whole: a name, a number, a few options
MOST_READ = 1 << 20  # bytes that are taken apart into objects: of messages, and of fields that no protocol has

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])
_anything = msgspec.json.Decoder()

BESIDE_THE_LOOP = 256 << 10  # bytes of a body; one that is larger is read and searched in a thread
PIECE = 256 << 10  # bytes that are searched at a time: a thread that searches lets the others work in between

# A quote inside a JSON string is always escaped, so this cannot match inside a text, only a real content part. The
# backslash that must not stand before it is looked for behind its first word: a pattern that begins with a word is
# found 20 times faster.
_MEDIA_PART = re.compile(
    rb'"type"(?<!\\"type")\s*:\s*"'
    rb'(?:image|document|image_url|input_audio|audio_url|video_url|file|input_image|input_file)"'
)
_IN_NO_MEDIA_PART = re.compile(rb'[^\s":_acdefgilmnoprtuvy]')  # a byte at which a text may be cut


class Large(msgspec.Struct):
    """The fields that may be large in either protocol; the others are passed over without being made."""

    messages: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()
    prompt: msgspec.Raw = msgspec.Raw()
    system: msgspec.Raw = msgspec.Raw()
    instructions: msgspec.Raw = msgspec.Raw()
    tools: msgspec.Raw = msgspec.Raw()
    functions: msgspec.Raw = msgspec.Raw()
    response_format: msgspec.Raw = msgspec.Raw()
    text: msgspec.Raw = msgspec.Raw()
    prediction: msgspec.Raw = msgspec.Raw()


_large = msgspec.json.Decoder(Large)


class BadRequest(Exception):
    """The body is no request of the protocol; the message says why, for the caller."""


@dataclass(frozen=True)
class GatewayRequest:
    """What a caller asks for. `fields` are the outer fields of the body, each as the bytes that came."""

    protocol: Protocol
    body: bytes
    fields: dict[str, msgspec.Raw]
    model: str  # asked for, or the one behind an alias
    streamed: bool
    written: str = ""  # the alias that the body has in its place
    span: tuple[int, int] | None = None  # where the model's name stands in a form

    @property
    def wants_whole(self) -> bool:
        """Whether it asks for no stream; an engine may read 1 or "true" as asking for one."""
        return self.protocol != MEDIA and bytes(self.fields.get("stream", b"")) in (b"", b"false", b"null")

    @property
    def prompt_tokens(self) -> int:
        """Estimated prompt length in tokens; the files of a form are none."""
        return 0 if self.span is not None else len(self.body) // BYTES_PER_TOKEN

    @cached_property
    def media(self) -> bool:
        """Whether a message carries an image, a document, sound or video."""
        messages = bytes(self.raw_prompt(b""))
        start = 0
        while start < len(messages):
            end = _cut(messages, start)
            if _MEDIA_PART.search(messages, start, end):
                return True
            start = end
        return False

    def search(self) -> None:
        """Look for what rules ask of the messages, and remember it: for a thread."""
        assert self.media is not None and self.conversation

    @cached_property
    def conversation(self) -> bytes:
        """A digest that stays the same while a conversation grows: of the text of its first user message.

        Only text counts: clients move cache markers from call to call.
        """
        prompt = self.raw_prompt(b"[]")
        bare = self.protocol in PROMPTS and bytes(memoryview(prompt)[:1]) == b'"'
        text = bytes(memoryview(prompt)[:4096]) if bare else _first_user_text(prompt)
        return hashlib.blake2b(text, digest_size=8).digest()

    def raw_prompt(self, default: bytes) -> msgspec.Raw:
        """The field that holds the conversation, the prompt or what is embedded."""
        return self.fields.get(PROMPTS.get(self.protocol, "messages"), msgspec.Raw(default))

    @cached_property
    def user(self) -> str | None:
        """The end user as the caller names them, in either protocol's field."""
        if self.protocol == ANTHROPIC:
            value = _value(self.fields.get("metadata"))
            value = value.get("user_id") if isinstance(value, dict) else None
        else:
            value = _value(self.fields.get("safety_identifier")) or _value(self.fields.get("user"))
        return value if isinstance(value, str) and value else None

    @cached_property
    def asks_for_usage(self) -> bool:
        """Whether its answer tells its usage: all do but the streams of two of OpenAI's, which do when asked."""
        if self.protocol not in (OPENAI, COMPLETIONS) or not self.streamed:
            return True
        options = _value(self.fields.get("stream_options"))
        return isinstance(options, dict) and options.get("include_usage") is True

    @cached_property
    def most_output(self) -> int | None:
        """The most tokens that the answer may have; None where the caller sets no bound that every engine reads.

        Of several the largest, for engines differ in which they take; llama.cpp takes `n_predict` too.
        """
        own = MOST_OUTPUT.get(self.protocol, ("max_tokens", "max_completion_tokens"))
        fields = {name: raw for name in (*own, "n_predict") if (raw := self.fields.get(name, _NULL)) != _NULL}
        values = [_value(raw) for raw in fields.values()]
        if fields.keys() <= {"n_predict"} or not all(type(value) is int and value > 0 for value in values):
            return None
        return max(map(int, values))

    def with_model(self, model: str, *, ask_usage: bool = False) -> bytes:
        """The body with another model's name; the values of all other fields keep their bytes.

        `ask_usage`: the stream is to tell its usage at its end, beside the options that the caller sets.
        """
        if self.span is not None:
            start, end = self.span
            body = memoryview(self.body)
            return in_pieces((body[:start], model.encode(), body[end:]))
        if not ask_usage:
            as_it_came = model == (self.written or self.model)
            return self.body if as_it_came else written({**self.fields, "model": model})
        raw = self.fields.get("stream_options")
        options = _value(raw)
        if (options is not None and not isinstance(options, dict)) or (raw and len(raw) > MOST_VALUE):
            return self.with_model(model)  # the engine says what is wrong with them
        return written({**self.fields, "model": model, "stream_options": {**(options or {}), "include_usage": True}})

    def prompt(self) -> str:
        """The messages as they came, a JSON array, for applications that keep bodies; a system prompt leads them."""
        messages = bytes(self.raw_prompt(b"[]")).strip()
        if self.protocol in PROMPTS and not (self.protocol == RESPONSES and messages.startswith(b"[")):
            messages = msgspec.json.encode([{"role": "user", "content": msgspec.Raw(messages)}])
        system = self.fields.get("system", self.fields.get("instructions"))
        if system is not None and messages.startswith(b"["):
            # Written by its bytes: taken apart, 30 MB of empty messages would be a gigabyte of objects.
            first = msgspec.json.encode({"role": "system", "content": system})
            rest = messages[1:].lstrip()
            messages = b"[" + first + (rest if rest.startswith(b"]") else b"," + rest)
        return messages.decode("utf-8", "replace")


def can_be_translated(protocol: Protocol, spoken: frozenset[Protocol]) -> bool:
    """Whether calls in a protocol can be put into one of these."""
    return protocol in CHATS and not spoken.isdisjoint(CHATS | CONVERSING)


def read_request(protocol: Protocol, body: bytes) -> GatewayRequest:
    """Read a request's outer fields. Raises BadRequest with a sentence."""
    try:
        if len(body) > MOST_READ:
            _refuse_many_fields(body)
        fields = _fields.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest("The body must be a JSON object.") from None
    except RecursionError:
        raise BadRequest("The body is nested too deeply to be read.") from None
    model, streamed = _value(fields.get("model")), _value(fields.get("stream"))
    if not isinstance(model, str) or not model:
        raise BadRequest("model: a model's name is required.")
    if len(model) > MOST_MODEL:
        raise BadRequest(f"model: a name has {MOST_MODEL} characters at most.")
    return GatewayRequest(protocol, body, fields, model, streamed is True)


def written(fields: Mapping[str, Any]) -> bytes:
    """The JSON object of these fields, with large ones copied in pieces."""
    if sum(len(value) for value in fields.values() if isinstance(value, msgspec.Raw)) <= BESIDE_THE_LOOP:
        return msgspec.json.encode(fields)
    parts = [part for name, value in fields.items() for part in (b",", _json(name), b":", _json(value))]
    return in_pieces((b"{", *parts[1:], b"}"))


def _json(value: Any) -> bytes | memoryview:
    return memoryview(value) if isinstance(value, msgspec.Raw) else msgspec.json.encode(value)


def in_pieces(parts: Iterable[bytes | memoryview]) -> bytes:
    """These parts as one, copied a piece at a time: 30 MB at once would stop every other call for 20 ms."""
    file = io.BytesIO()
    for part in parts:
        view = memoryview(part)
        for at in range(0, len(view), PIECE):
            file.write(view[at : at + PIECE])
    return file.getvalue()


def holds(text: bytes, *words: bytes) -> bool:
    """Whether a text holds any of these words. In pieces: one search of 30 MB would stop every other call for 10 ms."""
    if len(text) <= PIECE:
        return any(word in text for word in words)
    return any(find(text, word) >= 0 for word in words)


def find(text: bytes, word: bytes, start: int = 0) -> int:
    """Where a word begins in a text from `start` on, and -1 where it does not; in pieces."""
    for at in range(start, len(text), PIECE):
        if (place := text.find(word, at, at + PIECE + len(word) - 1)) >= 0:
            return place
    return -1


def count(text: bytes, word: bytes) -> int:
    """How often a text holds a word that does not overlap itself; in pieces."""
    return sum(text.count(word, at, at + PIECE + len(word) - 1) for at in range(0, len(text), PIECE))


def has_escaped_letters(text: bytes) -> bool:
    """Whether letters are written as escapes, as no encoder does: a name may be hidden behind them (`f` as \\u0066)."""
    return holds(text, rb"\u00") and holds(text, rb"\u004", rb"\u005", rb"\u006", rb"\u007")


def _cut(text: bytes, start: int) -> int:
    """Where a piece of a text ends that begins at `start`, so that no media part is cut."""
    for at in range(start + PIECE, len(text), PIECE):
        if apart := _IN_NO_MEDIA_PART.search(text, at, at + PIECE):
            return apart.start()
    return len(text)


def _refuse_many_fields(body: bytes) -> None:
    """Raises BadRequest where much of a large body is in fields of no protocol: each would become an object."""
    large = _large.decode(body)
    if len(body) - sum(map(len, msgspec.structs.astuple(large))) > MOST_READ:
        raise BadRequest("The body is too large outside of its messages and tools.")


def _value(raw: msgspec.Raw | None) -> Any:
    """What a field says; None where it cannot be read: nested too deeply, no UTF-8, or larger than any such field."""
    if raw is None or len(raw) > MOST_VALUE:
        return None
    try:
        return _anything.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _first_user_text(messages: msgspec.Raw) -> bytes:
    if len(messages) > MOST_READ:  # how it begins stays the same too, but where a cache marker moves
        return bytes(memoryview(messages)[:4096])
    try:
        for raw in _raw_list.decode(messages):
            message = _anything.decode(raw)
            if isinstance(message, dict) and message.get("role") == "user":
                return text_of(message.get("content")).encode("utf-8", "surrogatepass")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # the engine says what is wrong with the messages; for us it is a conversation without a text
    return b""


def text_of(content: Any) -> str:
    """The text of a message's content, which is a string or a list of parts in both protocols."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))


_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def error_body(protocol: Protocol, status: int, code: str, message: str) -> bytes:
    """An error of our own in the caller's shape; `code` is the word that `x-breakeven-error` carries too."""
    if protocol == ANTHROPIC:
        kind = _ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
        return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": None, "code": code}})
