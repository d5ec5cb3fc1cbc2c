"""Simulated clouds that speak OpenAI's protocol, each with its own addresses, keys, errors and odd ends.

Azure OpenAI under `/azure`, Gemini's compatible endpoint under `/gemini/v1beta/openai`, OpenRouter under
`/openrouter/api/v1`. Written by the vendors' references.
"""

from __future__ import annotations

import json as plain_json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sandbox.vendor import Refused, json

KEY = "cloud-key-of-the-sandbox"
AZURE_DEPLOYMENT, GEMINI_MODEL, OPENROUTER_MODEL = "gpt-ours", "gemini-3-flash", "openai/gpt-5-mini"
FILTERED = {"hate": {"filtered": False, "severity": "safe"}}
WORDS = ("Hello", " from", " the", " cloud.")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes() -> list[web.RouteDef]:
    azure, gemini, openrouter = "/azure/openai", "/gemini/v1beta/openai", "/openrouter/api/v1"
    return [
        web.get(f"{azure}/deployments", _answering(_azure_models)),
        web.post(f"{azure}/deployments/{{deployment}}/chat/completions", _answering(_azure)),
        web.get(f"{gemini}/models", _answering(_gemini_models)),
        web.post(f"{gemini}/chat/completions", _answering(_gemini)),
        web.get(f"{openrouter}/models", _answering(_openrouter_models)),
        web.post(f"{openrouter}/chat/completions", _answering(_openrouter)),
    ]


def _answering(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as refused:
            return refused.response

    return handle


def _list(*names: str) -> web.Response:
    return json({"object": "list", "data": [{"id": name, "object": "model", "owned_by": "cloud"} for name in names]})


# Azure OpenAI.


def _azure_error(status: int, code: str, message: str) -> web.Response:
    return json({"error": {"code": code, "message": message}}, status)


def _check_azure(request: web.Request) -> None:
    if request.headers.get("api-key") != KEY:
        words = "Access denied due to invalid subscription key or wrong API endpoint."
        raise Refused(_azure_error(401, "401", words))
    if not request.query.get("api-version"):
        raise Refused(_azure_error(404, "404", "Resource not found"))


async def _azure_models(request: web.Request) -> web.StreamResponse:
    _check_azure(request)
    return _list(AZURE_DEPLOYMENT)


async def _azure(request: web.Request) -> web.StreamResponse:
    _check_azure(request)
    if request.match_info["deployment"] != AZURE_DEPLOYMENT:
        words = "The API deployment for this resource does not exist."
        raise Refused(_azure_error(404, "DeploymentNotFound", words))
    asked = await request.json()
    before = {"choices": [], "id": "", "object": "", "model": "", "prompt_filter_results": [{"prompt_index": 0}]}
    usage = {"prompt_tokens": 30, "completion_tokens": 4, "total_tokens": 34,
             "prompt_tokens_details": {"cached_tokens": 10, "audio_tokens": 0}}  # fmt: skip
    return await _answer(request, asked, usage, before=before, choice={"content_filter_results": FILTERED})


# Gemini.


def _check_bearer(request: web.Request, refusal: Callable[[], web.Response]) -> None:
    if request.headers.get("authorization") != f"Bearer {KEY}":
        raise Refused(refusal())


def _gemini_error(status: int, code: str, message: str) -> web.Response:
    return json([{"error": {"code": status, "message": message, "status": code}}], status)


async def _gemini_models(request: web.Request) -> web.StreamResponse:
    _check_bearer(request, lambda: _gemini_error(400, "INVALID_ARGUMENT", "API key not valid."))
    return _list(f"models/{GEMINI_MODEL}")


async def _gemini(request: web.Request) -> web.StreamResponse:
    _check_bearer(request, lambda: _gemini_error(400, "INVALID_ARGUMENT", "API key not valid."))
    asked = await request.json()
    if asked["model"].removeprefix("models/") != GEMINI_MODEL:
        raise Refused(_gemini_error(404, "NOT_FOUND", f"models/{asked['model']} is not found for API version v1main"))
    # Thoughts are counted in the total alone.
    usage = {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 36}
    return await _answer(request, asked, usage, usage_everywhere=True)


# OpenRouter.


def _openrouter_error(status: int, message: str) -> web.Response:
    return json({"error": {"code": status, "message": message}, "user_id": None}, status)


async def _openrouter_models(request: web.Request) -> web.StreamResponse:
    return _list(OPENROUTER_MODEL)


async def _openrouter(request: web.Request) -> web.StreamResponse:
    _check_bearer(request, lambda: _openrouter_error(401, "No auth credentials found"))
    asked = await request.json()
    if asked["model"] != OPENROUTER_MODEL:
        raise Refused(_openrouter_error(400, f"{asked['model']} is not a valid model ID"))
    usage = {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16, "cost": 0.000042,
             "cost_details": {"upstream_inference_cost": None}}  # fmt: skip
    return await _answer(request, asked, usage, comment=b": OPENROUTER PROCESSING\n\n", more={"provider": "OpenAI"})


# What they have in common.


async def _answer(
    request: web.Request,
    asked: dict[str, Any],
    usage: dict[str, Any],
    *,
    before: dict[str, Any] | None = None,
    choice: dict[str, Any] | None = None,
    comment: bytes = b"",
    more: dict[str, Any] | None = None,
    usage_everywhere: bool = False,
) -> web.StreamResponse:
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": 1, "model": asked["model"], **(more or {})}
    end = {"index": 0, "finish_reason": "stop", **(choice or {})}
    if not asked.get("stream"):
        message = {"role": "assistant", "content": "".join(WORDS)}
        choices = [{**end, "message": message}]
        return json({**head, "object": "chat.completion", "choices": choices, "usage": usage})
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    await response.write(comment)
    chunks: list[dict[str, Any]] = [before] if before else []
    for word in WORDS:
        delta = {"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}
        chunks.append({**head, "choices": [delta], **({"usage": usage} if usage_everywhere else {})})
    chunks.append({**head, "choices": [{**end, "delta": {}}], **({"usage": usage} if usage_everywhere else {})})
    if not usage_everywhere and (asked.get("stream_options") or {}).get("include_usage"):
        chunks.append({**head, "choices": [], "usage": usage})
    for chunk in chunks:
        data = {**chunk, "object": "chat.completion.chunk"}
        await response.write(b"data: " + plain_json.dumps(data).encode() + b"\n\n")
    await response.write(b"data: [DONE]\n\n")
    return response
