"""Calls to Amazon Bedrock, signed, with the model in the path: Messages to Claude, Converse to every other model.

A stream in Amazon's own frames is given to the rest of the gateway as server-sent events: those that the Claude API
would send, or those of Converse, each with its type.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator
from typing import Any, cast

import aiohttp
import msgspec
from yarl import URL

from providers.aws_signature import model_path, region_of, root_of, signed
from traffic.gateway.bounds import MOST_EVENT, TooMuch
from traffic.gateway.refusals import Headers
from traffic.gateway.routes import BEDROCK, Target

VERSION = "bedrock-2023-05-31"  # of the Messages that Bedrock takes
FRAMES = "application/vnd.amazon.eventstream"
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
# What Bedrock calls its errors, as the Claude API does.
ERRORS = {
    "throttlingException": "rate_limit_error",
    "validationException": "invalid_request_error",
    "modelTimeoutException": "timeout_error",
    "serviceUnavailableException": "overloaded_error",
}


async def prepared(
    target: Target, body: bytes, callers: Headers, *, converse: bool = False
) -> tuple[URL, list[tuple[str, str]], bytes]:
    """Address, headers and body of a call. `body` is one of Messages, or of Converse with its model beside it.

    Raises ValueError where it cannot be read.
    """
    return await asyncio.to_thread(_prepared, target, body, callers, converse)  # hashing takes 2 ms for each MB


def _prepared(
    target: Target, body: bytes, callers: Headers, converse: bool
) -> tuple[URL, list[tuple[str, str]], bytes]:
    fields: dict[str, Any] = _fields.decode(body)
    del fields["model"]
    streamed = bytes(fields.pop("stream", b"false")).strip() == b"true"
    if streamed:
        import botocore.eventstream  # noqa: F401  # here, in a thread, rather than on the loop where its frames are read
    if converse:
        act = "converse-stream" if streamed else "converse"
    else:
        act = "invoke-with-response-stream" if streamed else "invoke"
        fields["anthropic_version"] = VERSION
        betas = [value.decode("latin-1") for name, value in callers if name == b"anthropic-beta"]
        if betas:
            fields["anthropic_beta"] = [beta.strip() for text in betas for beta in text.split(",")]
    text = msgspec.json.encode(fields)
    url = f"{root_of(target.url)}/model/{model_path(target.model)}/{act}"
    headers = {"content-type": "application/json", "accept": FRAMES if streamed else "application/json"}
    headers = signed("POST", url, text, headers, key=target.api_key, region=region_of(target.url))
    return URL(url, encoded=True), list(headers.items()), text


def read_frames(target: Target, upstream: aiohttp.ClientResponse, *, converse: bool) -> aiohttp.ClientResponse:
    """An answer in frames as server-sent events; that of any other engine as it is."""
    if target.engine != BEDROCK or upstream.content_type != FRAMES:
        return upstream
    return cast(aiohttp.ClientResponse, BedrockStream(upstream, converse=converse))


class BedrockStream:
    """A stream of Bedrock with the attributes that the relay reads of an answer."""

    content_type = "text/event-stream"

    def __init__(self, upstream: aiohttp.ClientResponse, *, converse: bool = False) -> None:
        self._upstream = upstream
        self._read = _event_of_converse if converse else _event
        self.content = self
        own = (b"content-type", b"content-length", b"content-encoding")
        headers = [header for header in upstream.raw_headers if header[0].lower() not in own]
        self.raw_headers = (*headers, (b"content-type", b"text/event-stream"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._upstream, name)

    def set_exception(self, error: BaseException) -> None:
        self._upstream.content.set_exception(error)

    async def iter_any(self) -> AsyncIterator[bytes]:
        """Whole server-sent events. Raises TooMuch where a frame has no end or is none."""
        from botocore.eventstream import EventStreamBuffer, ParserError

        frames, waiting = EventStreamBuffer(), 0
        async for chunk in self._upstream.content.iter_any():
            waiting += len(chunk)
            frames.add_data(chunk)
            try:
                events = [self._read(frame.headers, frame.payload) for frame in frames]
            except ParserError as error:
                raise TooMuch(f"a frame that is none: {type(error).__name__}") from None
            if events:
                waiting = 0
                yield b"".join(events)
            elif waiting > 2 * MOST_EVENT:  # its content is written in base64
                raise TooMuch(f"a frame of more than {2 * MOST_EVENT:,} bytes")


class _Chunk(msgspec.Struct):
    bytes: str = ""
    message: str = ""


_chunk = msgspec.json.Decoder(_Chunk)


def _event_of_converse(headers: dict[str, Any], payload: bytes) -> bytes:
    """A frame as an event that has its type in it; an exception as the event of an error."""
    if headers.get(":message-type") != "event":
        return _event(headers, payload)
    try:
        event = _fields.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _event({}, b"")
    event.pop("p", None)  # what hides the length
    return b"data: %b\n\n" % msgspec.json.encode({"type": headers.get(":event-type"), **event})


def _event(headers: dict[str, Any], payload: bytes) -> bytes:
    """A frame as an event of Messages; an exception as the event of an error."""
    try:
        chunk = _chunk.decode(payload)
        if headers.get(":message-type") == "event":
            data = base64.b64decode(chunk.bytes)
            kind = msgspec.json.decode(data).get("type")
            return b"event: %b\ndata: %b\n\n" % (str(kind).encode(), data)
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error, AttributeError, RecursionError):
        chunk = _Chunk(message="The stream holds an event that cannot be read.")
    kind = ERRORS.get(str(headers.get(":exception-type")), "api_error")
    message = chunk.message or str(headers.get(":error-message") or "Bedrock ended its answer with an error.")
    error = {"type": "error", "error": {"type": kind, "message": message[:2000]}}
    return b"event: error\ndata: %b\n\n" % msgspec.json.encode(error)
