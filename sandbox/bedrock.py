"""Simulated Amazon Bedrock under `/bedrock`: Claude by InvokeModel and another model by Converse, whole and in Amazon's
event-stream frames.

It checks the signature of each call (Version 4) by the published recipe, with nothing of Amazon's own code.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json as plain_json
import struct
import uuid
import zlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from aiohttp import web

from sandbox.vendor import json

ACCESS, SECRET, TOKEN, REGION = "AKIASANDBOX", "sandbox/secret+key", "sandbox-session", "eu-central-1"
KEY = f"{ACCESS}:{SECRET}:{TOKEN}"
MODEL = "eu.anthropic.claude-haiku-4-5-20251001-v1:0"
OTHER_MODEL = "mistral.mistral-large-2407-v1:0"
WORDS = ("Hello", " from", " the", " cloud.")
USAGE = {"input_tokens": 12, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 0, "output_tokens": 4}
# Of Converse: what is written to the cache is told by how long it stays there.
TOKEN_USAGE = {"inputTokens": 12, "outputTokens": 4, "totalTokens": 24, "cacheReadInputTokens": 3,
               "cacheWriteInputTokens": 5,
               "cacheDetails": [{"ttl": "5m", "inputTokens": 3}, {"ttl": "1h", "inputTokens": 2}]}  # fmt: skip
TOOL_USE = {"toolUseId": "tooluse_1", "name": "weather"}
ARGUMENTS = {"city": "Oslo"}
LATE_S = 300

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes() -> list[web.RouteDef]:
    return [
        web.get("/bedrock/foundation-models", _signed(_models)),
        web.get("/bedrock/inference-profiles", _signed(_profiles)),
        web.post("/bedrock/model/{model}/invoke", _signed(_invoke)),
        web.post("/bedrock/model/{model}/invoke-with-response-stream", _signed(_stream)),
        web.post("/bedrock/model/{model}/converse", _signed(_converse)),
        web.post("/bedrock/model/{model}/converse-stream", _signed(_converse_stream)),
    ]


def _error(status: int, kind: str, message: str) -> web.Response:
    answer = json({"message": message}, status)
    answer.headers["x-amzn-errortype"] = kind
    return answer


def _signed(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        if (wrong := fault_of(request, await request.read())) is not None:
            return _error(403, "InvalidSignatureException", wrong)
        return await handler(request)

    return handle


def fault_of(request: web.Request, body: bytes) -> str | None:
    """What is wrong with a call's signature; None where it is right."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    at = request.headers.get("x-amz-date", "")
    if scheme != "AWS4-HMAC-SHA256" or not at:
        return "Missing Authentication Token"
    if abs((datetime.now(UTC) - datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)).total_seconds()) > LATE_S:
        return "Signature expired"
    scope = f"{at[:8]}/{REGION}/bedrock/aws4_request"
    if parts.get("Credential") != f"{ACCESS}/{scope}" or request.headers.get("x-amz-security-token") != TOKEN:
        return "The security token included in the request is invalid."
    names = parts.get("SignedHeaders", "").split(";")
    if not {"host", "x-amz-date", "x-amz-security-token"} <= set(names):
        return "The host, the date and the token must be signed."
    lines = [f"{name}:{' '.join(request.headers[name].split())}" for name in names]
    path = quote(request.raw_path.partition("?")[0], safe="/-_.~")
    canonical = "\n".join(
        [request.method, path, request.query_string, *lines, "", ";".join(names), hashlib.sha256(body).hexdigest()]
    )
    text = "\n".join(["AWS4-HMAC-SHA256", at, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    right = hmac.new(key, text.encode(), "sha256").hexdigest()
    if hmac.compare_digest(right, parts.get("Signature", "")):
        return None
    return "The request signature we calculated does not match the signature you provided."


async def _models(request: web.Request) -> web.StreamResponse:
    return json({"modelSummaries": [{"modelId": OTHER_MODEL, "providerName": "Mistral AI"}]})


async def _profiles(request: web.Request) -> web.StreamResponse:
    arn = f"arn:aws:bedrock:{REGION}:123456789012:inference-profile/{MODEL}"
    return json({"inferenceProfileSummaries": [{"inferenceProfileId": MODEL, "inferenceProfileArn": arn}]})


async def _body_of(request: web.Request) -> dict[str, Any] | web.Response:
    body: dict[str, Any] = await request.json()
    if unquote(request.match_info["model"]) != MODEL:
        return _error(400, "ValidationException", "The provided model identifier is invalid.")
    if body.get("anthropic_version") != "bedrock-2023-05-31" or {"model", "stream"} & body.keys():
        return _error(400, "ValidationException", "Malformed input request, please reformat your input and try again.")
    if body["messages"][-1]["content"] == "Wait.":
        return _error(429, "ThrottlingException", "Too many requests, please wait before trying again.")
    return body


def _message(content: list[dict[str, Any]], usage: dict[str, int]) -> dict[str, Any]:
    return {"id": f"msg_bdrk_{uuid.uuid4().hex}", "type": "message", "role": "assistant", "model": "claude-haiku-4-5",
            "content": content, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}  # fmt: skip


async def _invoke(request: web.Request) -> web.StreamResponse:
    body = await _body_of(request)
    if isinstance(body, web.Response):
        return body
    return json(_message([{"type": "text", "text": "".join(WORDS)}], USAGE))


async def _stream(request: web.Request) -> web.StreamResponse:
    body = await _body_of(request)
    if isinstance(body, web.Response):
        return body
    start = _message([], {**USAGE, "output_tokens": 1})
    pieces = [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
              for word in WORDS]  # fmt: skip
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**start, "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *pieces,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 4}},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 12, "outputTokenCount": 4}},
    ]
    response = web.StreamResponse(headers={"content-type": "application/vnd.amazon.eventstream"})
    await response.prepare(request)
    breaks = body["messages"][-1]["content"] == "Break."
    for event in events[:4] if breaks else events:
        data = base64.b64encode(plain_json.dumps(event).encode()).decode()
        frame = frame_of({":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"},
                         {"bytes": data, "p": "abcdef"})  # fmt: skip
        await response.write(frame[:20])  # cut as networks do
        await response.write(frame[20:])
    if breaks:
        headers = {":exception-type": "throttlingException", ":message-type": "exception"}
        await response.write(frame_of(headers, {"message": "Too many tokens, please wait before trying again."}))
    return response


async def _conversing(request: web.Request) -> tuple[str, bool] | web.Response:
    """The last text of a call of Converse, and whether the answer is to call a tool."""
    body: dict[str, Any] = await request.json()
    if unquote(request.match_info["model"]) != OTHER_MODEL:
        return _error(400, "ValidationException", "The provided model identifier is invalid.")
    if {"model", "modelId", "stream", "anthropic_version"} & body.keys():
        return _error(400, "ValidationException", "Malformed input request, please reformat your input and try again.")
    blocks = body["messages"][-1]["content"]
    text = next((block["text"] for block in blocks if "text" in block), "")
    if text == "Wait.":
        return _error(429, "ThrottlingException", "Too many requests, please wait before trying again.")
    return text, "toolConfig" in body and not any("toolResult" in block for block in blocks)


async def _converse(request: web.Request) -> web.StreamResponse:
    conversation = await _conversing(request)
    if isinstance(conversation, web.Response):
        return conversation
    thought = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}}
    content = [
        thought,
        {"text": "".join(WORDS)},
        *([{"toolUse": {**TOOL_USE, "input": ARGUMENTS}}] if conversation[1] else []),
    ]
    return json({"output": {"message": {"role": "assistant", "content": content}}, "usage": TOKEN_USAGE,
                 "stopReason": "tool_use" if conversation[1] else "end_turn", "metrics": {"latencyMs": 5}})  # fmt: skip


async def _converse_stream(request: web.Request) -> web.StreamResponse:
    conversation = await _conversing(request)
    if isinstance(conversation, web.Response):
        return conversation
    text, calls = conversation
    events: list[tuple[str, dict[str, Any]]] = [("messageStart", {"role": "assistant"})]
    events += [("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": word}}) for word in WORDS]
    events.append(("contentBlockStop", {"contentBlockIndex": 0}))
    if calls:
        written = plain_json.dumps(ARGUMENTS)
        events.append(("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolUse": TOOL_USE}}))
        events += [("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": piece}}})
                   for piece in (written[:5], written[5:])]  # fmt: skip
        events.append(("contentBlockStop", {"contentBlockIndex": 1}))
    events.append(("messageStop", {"stopReason": "tool_use" if calls else "end_turn"}))
    events.append(("metadata", {"usage": TOKEN_USAGE, "metrics": {"latencyMs": 5}}))
    response = web.StreamResponse(headers={"content-type": "application/vnd.amazon.eventstream"})
    await response.prepare(request)
    for kind, event in events[:3] if text == "Break." else events:
        frame = frame_of({":event-type": kind, ":content-type": "application/json", ":message-type": "event"},
                         {**event, "p": "abcdef"})  # fmt: skip
        await response.write(frame[:20])
        await response.write(frame[20:])
    if text == "Break.":
        headers = {":exception-type": "throttlingException", ":message-type": "exception"}
        await response.write(frame_of(headers, {"message": "Too many tokens, please wait before trying again."}))
    return response


def frame_of(headers: dict[str, str], payload: dict[str, Any]) -> bytes:
    """A frame of `application/vnd.amazon.eventstream`, with both of its checksums."""
    head = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for name, value in headers.items()
    )
    body = plain_json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(head) + len(body), len(head))
    text = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + body
    return text + struct.pack("!I", zlib.crc32(text))
