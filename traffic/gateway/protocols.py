"""The two wire protocols of the callers, Anthropic's and OpenAI's: their requests, and errors in their shapes.

Nothing here does I/O. What the gateway needs of a request is read from the raw bytes of its outer fields, so that a
request leaves with every byte of its values as it came, save the model's name.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import msgspec

Protocol = Literal["anthropic", "openai"]
ANTHROPIC: Protocol = "anthropic"
OPENAI: Protocol = "openai"

BYTES_PER_TOKEN = 4  # the routes' estimate of a prompt's length

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])
_anything = msgspec.json.Decoder()

# A quote inside a JSON string is always escaped, so this cannot match inside a text, only a real content part.
_MEDIA_PART = re.compile(
    rb'(?<!\\)"type"\s*:\s*"(?:image|document|image_url|input_audio|audio_url|video_url|file|input_image|input_file)"'
)


class BadRequest(Exception):
    """The body is no request of the protocol; the message says why, for the caller."""


@dataclass(frozen=True)
class Asked:
    """What a caller asks for. `fields` are the outer fields of the body, each as the bytes that came."""

    protocol: Protocol
    body: bytes
    fields: dict[str, msgspec.Raw]
    model: str
    streamed: bool

    @property
    def prompt_tokens(self) -> int:
        """Estimated prompt length in tokens."""
        return len(self.body) // BYTES_PER_TOKEN

    @cached_property
    def media(self) -> bool:
        """Whether a message carries an image, a document, sound or video."""
        messages = bytes(self.fields.get("messages", b""))
        return b'"type"' in messages and _MEDIA_PART.search(messages) is not None

    @cached_property
    def conversation(self) -> bytes:
        """A digest that stays the same while a conversation grows: of the text of its first user message.

        Only text counts: clients move cache markers from call to call.
        """
        return hashlib.blake2b(_first_user_text(self.fields), digest_size=8).digest()

    @cached_property
    def user(self) -> str | None:
        """The end user as the caller names them, in either protocol's field."""
        if self.protocol == ANTHROPIC:
            value = _value(self.fields.get("metadata"))
            value = value.get("user_id") if isinstance(value, dict) else None
        else:
            value = _value(self.fields.get("safety_identifier")) or _value(self.fields.get("user"))
        return value if isinstance(value, str) and value else None

    def with_model(self, model: str) -> bytes:
        """The body with another model's name; the values of all other fields keep their bytes."""
        if model == self.model:
            return self.body
        return msgspec.json.encode({**self.fields, "model": model})

    def prompt(self) -> str:
        """The messages as they came, a JSON array, for applications that keep bodies; a system prompt leads them."""
        messages = self.fields.get("messages", msgspec.Raw(b"[]"))
        if "system" not in self.fields:
            return bytes(messages).decode("utf-8", "replace")
        try:
            first = {"role": "system", "content": self.fields["system"]}
            return msgspec.json.encode([first, *_raw_list.decode(messages)]).decode("utf-8", "replace")
        except msgspec.DecodeError:
            return bytes(messages).decode("utf-8", "replace")


def read_request(protocol: Protocol, body: bytes) -> Asked:
    """Read a request's outer fields. Raises BadRequest with a sentence."""
    try:
        fields = _fields.decode(body)
        model = _value(fields.get("model"))
        streamed = _value(fields.get("stream"))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest("The body must be a JSON object.") from None
    if not isinstance(model, str) or not model:
        raise BadRequest("model: a model's name is required.")
    return Asked(protocol, body, fields, model, streamed is True)


def _value(raw: msgspec.Raw | None) -> Any:
    return None if raw is None else _anything.decode(raw)


def _first_user_text(fields: dict[str, msgspec.Raw]) -> bytes:
    try:
        for raw in _raw_list.decode(fields.get("messages", b"[]")):
            message = _anything.decode(raw)
            if isinstance(message, dict) and message.get("role") == "user":
                return text_of(message.get("content")).encode("utf-8", "surrogatepass")
    except msgspec.DecodeError:
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
