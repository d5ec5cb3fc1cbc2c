"""Simulated Claude Messages API: plausible answers, exact usage, a small delay; each call lands in the bill."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import orjson
from aiohttp import web

from sandbox.catalog import CLAUDE, RETIRES
from sandbox.state import State, hour_of, stamp
from sandbox.vendor import Refused, json

TEXT = (
    "The short answer is that the figures agree with the plan for this month . Most of the requests are simple "
    "questions over documents , so a smaller model answers them well and costs less . Three points deserve a look "
    "before the next review : the share of cached input , the peak hour of the day , and the tasks that still need "
    "the larger model . I would start with the first one , because a change there shows in the bill within a day ."
)
WORDS = TEXT.split()
CACHE_S = {"5m": 300, "1h": 3600}
SMALLEST_CACHED_PREFIX = 1024
FIRST_TOKEN_S = 0.09
TOKENS_PER_S = 400.0


@dataclass
class Reply:
    model: str
    words: list[str]
    stop_reason: str
    tokens: dict[str, int]

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def usage(self) -> dict[str, Any]:
        tokens = self.tokens
        return {
            "input_tokens": tokens["uncached_input"],
            "cache_creation_input_tokens": tokens["cache_write_5m"] + tokens["cache_write_1h"],
            "cache_read_input_tokens": tokens["cache_read"],
            "cache_creation": {
                "ephemeral_5m_input_tokens": tokens["cache_write_5m"],
                "ephemeral_1h_input_tokens": tokens["cache_write_1h"],
            },
            "output_tokens": tokens["output"],
            "service_tier": "standard",
            "inference_geo": "global",
        }


class MessagesApi:
    def __init__(self, state: State, pace: float) -> None:
        self.state = state
        self.pace = pace  # 0 answers at once
        self._cached: dict[str, float] = {}  # prefix -> monotonic end of its life

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/messages", self.create),
            web.post("/v1/messages/count_tokens", self.count_tokens),
            web.get("/v1/models", self.models),
            web.get("/v1/models/{model}", self.model),
        ]

    async def create(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        _check(body, request.headers.get("anthropic-version", ""))
        reply = self._reply(body)
        await asyncio.sleep(self.pace * (FIRST_TOKEN_S + min(sum(reply.tokens.values()), 20_000) / 100_000))
        if body.get("stream"):
            return await self._stream(request, reply)
        await asyncio.sleep(self.pace * reply.tokens["output"] / TOKENS_PER_S)
        self._bill(reply)
        return json(_message(reply) | {"usage": reply.usage(), "stop_reason": reply.stop_reason})

    async def count_tokens(self, request: web.Request) -> web.Response:
        body = await _body(request)
        return json({"input_tokens": sum(size for _text, size, _cache in _blocks(body))})

    async def models(self, request: web.Request) -> web.Response:
        names = list(CLAUDE)
        data = [_model(name) for name in names]
        return json({"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]})

    async def model(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        if name not in CLAUDE:
            raise Refused(_error(404, "not_found_error", f"model: {name}"))
        return json(_model(name))

    def _reply(self, body: dict[str, Any]) -> Reply:
        tokens = self._input_tokens(body)
        seed = int.from_bytes(hashlib.sha256(orjson.dumps(body["messages"])).digest()[:4], "big")
        wanted = 40 + seed % 160
        length = min(wanted, body["max_tokens"])
        words = [WORDS[(seed + n) % len(WORDS)] for n in range(length)]
        tokens["output"] = length
        return Reply(body["model"], words, "end_turn" if length == wanted else "max_tokens", tokens)

    def _input_tokens(self, body: dict[str, Any]) -> dict[str, int]:
        """Four bytes a token; what stands before the last `cache_control` is written once, then read."""
        blocks = list(_blocks(body))
        marks = [number for number, (_text, _size, cache) in enumerate(blocks) if cache]
        tokens = {"cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0}
        split = marks[-1] + 1 if marks else 0
        prefix = sum(size for _text, size, _cache in blocks[:split])
        if prefix >= SMALLEST_CACHED_PREFIX:
            life = str((blocks[split - 1][2] or {}).get("ttl", "5m"))
            tokens["cache_read" if self._seen(body["model"], blocks[:split], life) else f"cache_write_{life}"] = prefix
        else:
            split = 0
        return {"uncached_input": sum(size for _text, size, _cache in blocks[split:]), **tokens}

    def _seen(self, model: str, prefix: list[tuple[str, int, Any]], life: str) -> bool:
        now = time.monotonic()
        self._cached = {key: end for key, end in self._cached.items() if end > now}
        key = hashlib.sha256("\0".join([model, *(text for text, _size, _cache in prefix)]).encode()).hexdigest()
        seen = key in self._cached
        self._cached[key] = now + CACHE_S.get(life, 300)
        return seen

    async def _stream(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-cache"})
        await response.prepare(request)
        start = _message(reply) | {"content": [], "usage": reply.usage() | {"output_tokens": 1}}
        await _send(response, {"type": "message_start", "message": start})
        block = {"type": "text", "text": ""}
        await _send(response, {"type": "content_block_start", "index": 0, "content_block": block})
        await _send(response, {"type": "ping"})
        sent = 0
        try:
            for sent in range(4, len(reply.words) + 4, 4):
                text = " ".join(reply.words[sent - 4 : sent])
                delta = {"type": "text_delta", "text": text if sent == 4 else " " + text}
                await _send(response, {"type": "content_block_delta", "index": 0, "delta": delta})
                await asyncio.sleep(self.pace * 4 / TOKENS_PER_S)
        finally:  # a caller who hangs up pays for what was written until then
            self._bill(replace(reply, tokens=reply.tokens | {"output": min(sent, len(reply.words))}))
        await _send(response, {"type": "content_block_stop", "index": 0})
        end = {"stop_reason": reply.stop_reason, "stop_sequence": None}
        usage = {"output_tokens": reply.tokens["output"]}
        await _send(response, {"type": "message_delta", "delta": end, "usage": usage})
        await _send(response, {"type": "message_stop"})
        await response.write_eof()
        return response

    def _bill(self, reply: Reply) -> None:
        hour = stamp(hour_of(self.state.now()))
        key = f"{hour}|{reply.model}"
        cost = CLAUDE[reply.model].cost(reply.tokens)
        old = self.state.table("anthropic", "calls").get(key) or {"requests": 0, "tokens": {}, "cost": {}}
        row = {
            "hour": hour,
            "model": reply.model,
            "service_tier": "standard",
            "workspace": "wrkspc_default",
            "api_key": "apikey_sandbox",
            "requests": old["requests"] + 1,
            "tokens": {name: old["tokens"].get(name, 0) + count for name, count in reply.tokens.items()},
            "cost": {
                name: str(Decimal(old["cost"].get(name, "0")) + cost.get(name, Decimal(0))) for name in reply.tokens
            },
            "web_searches": 0,
        }
        self.state.put("anthropic", "calls", {key: row})


async def _send(response: web.StreamResponse, event: dict[str, Any]) -> None:
    await response.write(b"event: " + event["type"].encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n")


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise Refused(_error(400, "invalid_request_error", "The request body is not valid JSON."))
    if body.get("model") not in CLAUDE:
        raise Refused(_error(404, "not_found_error", f"model: {body.get('model')}"))
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise Refused(_error(400, "invalid_request_error", "messages: at least one message is required"))
    return body


def _check(body: dict[str, Any], version: str) -> None:
    most = body.get("max_tokens")
    if not isinstance(most, int) or most < 1:
        raise Refused(_error(400, "invalid_request_error", "max_tokens: Field required"))
    for name in ("temperature", "top_p", "top_k"):
        if name in body and version >= "2026-10-21":
            raise Refused(_error(400, "invalid_request_error", f"{name}: not supported in this API version"))


def _error(status: int, kind: str, message: str) -> web.Response:
    return json({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_sandbox"}, status)


def _blocks(body: dict[str, Any]) -> Iterator[tuple[str, int, Any]]:
    """(text, tokens, cache_control) of every block of the prompt, in the order of the cache."""
    contents = [body.get("tools") or [], body.get("system") or []]
    contents += [message.get("content") or [] for message in body["messages"] if isinstance(message, dict)]
    for content in contents:
        for block in [content] if isinstance(content, str) else content:
            text = block if isinstance(block, str) else str(block.get("text") or orjson.dumps(block).decode())
            cache = block.get("cache_control") if isinstance(block, dict) else None
            yield text, max(1, len(text.encode()) // 4), cache


def _message(reply: Reply) -> dict[str, Any]:
    return {
        "id": f"msg_{uuid.uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": [{"type": "text", "text": reply.text}],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _model(name: str) -> dict[str, Any]:
    retires = RETIRES.get(name)
    return {
        "id": name,
        "type": "model",
        "display_name": name.replace("-", " ").title(),
        "created_at": "2026-01-01T00:00:00Z",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
        "lifecycle": "deprecated" if retires else "active",
        "deprecated_at": None,
        "retires_at": retires,
        "line": name.split("-")[1],
    }
