"""Simulated vLLM on the rented pod: it is alive, lists the model, and lets the demo's real engine speak for it.

No seven-billion-parameter model fits beside a demo; what answers is the small one behind `/engine`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from sandbox.vendor import json

MODEL, SPARE = "mistral-7b", "bge-m3"  # the other is on a machine of its own, and is asked nothing
CONTEXT = 32_768
CREATED = 1_759_276_800
# What the pod is asked a second at the mean of a day, most in its afternoon; and what each request takes.
REQUESTS_PER_S, SWING = 0.035, 0.7
PROMPT_TOKENS, CACHED_TOKENS, OUTPUT_TOKENS, SECONDS = 520, 230, 200, 2.6
CACHE_TOKENS = 46_000  # that its KV cache holds
# Share of the requests whose first token came within so many seconds.
TTFT_SHARES = {0.04: 0.02, 0.06: 0.11, 0.08: 0.3, 0.1: 0.52, 0.25: 0.93, 0.5: 0.985, 1.0: 1.0, math.inf: 1.0}


def routes(passthrough: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> list[web.RouteDef]:
    """Routes under `/vllm` and `/spare`; `passthrough` sends the call of `{path}` on to the engine."""
    return [
        web.get("/vllm/health", _health),
        web.get("/vllm/v1/models", partial(_models, MODEL)),
        web.get("/spare/v1/models", partial(_models, SPARE)),
        web.get("/vllm/metrics", _metrics),
        web.route("*", "/vllm/{path:.*}", passthrough),
    ]


async def _health(request: web.Request) -> web.Response:
    return web.Response()  # vLLM's is empty as well


async def _models(name: str, request: web.Request) -> web.Response:
    model = {"id": name, "object": "model", "created": CREATED, "owned_by": "vllm", "max_model_len": CONTEXT}
    return json({"object": "list", "data": [model]})


async def _metrics(request: web.Request) -> web.Response:
    return web.Response(text=metrics(STARTED, time.time()), content_type="text/plain")


STARTED = time.time()


def metrics(started: float, now: float) -> str:
    """Its counters since it was started, both in seconds of the epoch, with a day's rise and fall."""
    finished = math.floor(asked(now) - asked(started))
    running = max(0, round(rate(now) * SECONDS + 0.9 * math.sin(now / 17) + 0.5 * math.sin(now / 61)))
    gauges: dict[str, float] = {
        "num_requests_running": running,
        "num_requests_waiting": int(running > 1 and math.sin(now / 41) > 0.9),
    }
    gauges["kv_cache_usage_perc"] = round(running * (PROMPT_TOKENS + OUTPUT_TOKENS) / CACHE_TOKENS, 6)
    counters = {
        "prompt_tokens_total": finished * PROMPT_TOKENS,
        "prompt_tokens_cached_total": finished * CACHED_TOKENS,
        "generation_tokens_total": finished * OUTPUT_TOKENS,
        "num_preemptions_total": finished // 900,
    }
    lines = [f'vllm:{name}{{engine="0",model_name="{MODEL}"}} {value}' for name, value in (gauges | counters).items()]
    ends = {"stop": finished - finished // 200, "abort": 0, "error": finished // 200}
    for reason, count in ends.items():
        lines.append(
            f'vllm:request_success_total{{engine="0",finished_reason="{reason}",model_name="{MODEL}"}} {count}'
        )
    for bound, share in TTFT_SHARES.items():
        end = "+Inf" if bound == math.inf else str(bound)
        count = math.floor(finished * share)
        lines.append(f'vllm:time_to_first_token_seconds_bucket{{engine="0",le="{end}",model_name="{MODEL}"}} {count}')
    return "\n".join([*lines, f"process_start_time_seconds {started:.2f}"]) + "\n"


def rate(at: float) -> float:
    """Requests a second at a moment: least at three in the morning UTC, most at three in the afternoon."""
    return REQUESTS_PER_S * (1 - SWING * math.cos(_angle(at)))


def asked(at: float) -> float:
    """The integral of the rate, so that it never falls."""
    return REQUESTS_PER_S * (at - SWING * math.sin(_angle(at)) * 86_400 / math.tau)


def _angle(at: float) -> float:
    return math.tau * (at / 86_400 - 0.125)
