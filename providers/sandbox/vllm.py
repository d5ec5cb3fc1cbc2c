"""Simulated vLLM on the rented pod: it is alive, lists the model, and lets the demo's real engine speak for it.

No seven-billion-parameter model fits beside a demo; what answers is the small one behind `/engine`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from providers.sandbox.vendor import json

MODEL = "mistral-7b"
CONTEXT = 32_768
CREATED = 1_759_276_800


def routes(passthrough: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> list[web.RouteDef]:
    """Routes under `/vllm`; `passthrough` sends the call of `{path}` on to the engine."""
    return [
        web.get("/vllm/health", _health),
        web.get("/vllm/v1/models", _models),
        web.route("*", "/vllm/{path:.*}", passthrough),
    ]


async def _health(request: web.Request) -> web.Response:
    return web.Response()  # vLLM's is empty as well


async def _models(request: web.Request) -> web.Response:
    model = {"id": MODEL, "object": "model", "created": CREATED, "owned_by": "vllm", "max_model_len": CONTEXT}
    return json({"object": "list", "data": [model]})
