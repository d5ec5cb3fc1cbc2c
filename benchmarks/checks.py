"""A thousand deployments checked every 30 s by one worker: how much of a core that takes, beside bare requests of the
same addresses. The server answers as vLLM does, five hundred lines of metrics included."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta

from django.utils import timezone

from benchmarks.figures import Figure
from benchmarks.stack import running, serving

MANY, EVERY_S, ROUNDS = 1_000, 30, 4
OTHER_LINES = 480  # of the 532 that vLLM writes: what nobody here reads
ENGINES = {"vllm": "alive, model list and metrics", "openai_compatible": "model list alone"}


def measure() -> list[Figure]:
    with running() as stack:
        found = {
            engine: json.loads(stack.python(f"from benchmarks.checks import tell; tell({engine!r})").splitlines()[-1])
            for engine in ENGINES
        }
    what = f"{MANY:,} deployments checked every {EVERY_S} s by one worker"
    return [
        Figure(f"{what}: {asked}", *share_and_reference(found[engine]), "<= 25 %") for engine, asked in ENGINES.items()
    ]


def share_and_reference(seconds: list[float]) -> tuple[float, str, float, str]:
    ours, bare = (100 * value / EVERY_S for value in seconds)
    return ours, "% of a core", bare, "the same requests bare"


def tell(engine: str) -> None:
    """Print the processor's seconds of one round of checks and of its bare requests; the mean of some rounds."""
    with serving(__name__) as url:
        addresses = fill(engine, url)
        checked(0)  # connections to the database, code that is loaded on first use
        ours = sum(checked(n) for n in range(1, ROUNDS + 1)) / ROUNDS
        bare = sum(asked_bare(addresses) for _ in range(ROUNDS)) / ROUNDS
    print(json.dumps([ours, bare]))  # noqa: T201  # the bench reads it


def fill(engine: str, url: str) -> list[str]:
    """A thousand deployments in place of those before; returns what a check of each asks for."""
    from providers.models import Deployment

    Deployment.objects.all().delete()
    Deployment.objects.bulk_create(
        Deployment(
            slug=f"bench-{n}", name=f"bench {n}", provider="self", engine=engine, url=url, local=True, model="bench",
            check_due_at=timezone.now() + timedelta(days=1),
        )
        for n in range(MANY)
    )  # fmt: skip
    paths = ["/health", "/v1/models", "/metrics"] if engine == "vllm" else ["/v1/models"]
    return [url + path for path in paths for _ in range(MANY)]


def checked(number: int) -> float:
    """The processor's seconds in which this process checks and stores all of them once."""
    from providers.models import Check, Deployment, EngineReading
    from providers.uptime import due_checks

    now = timezone.now() + timedelta(days=1, seconds=EVERY_S * number)
    Deployment.objects.update(check_due_at=now)
    started = time.process_time()
    done = due_checks.check_due(now=now)
    spent = time.process_time() - started
    good = Check.objects.filter(day=now.date(), at=now, ok=True).count()
    scraped, wanted = EngineReading.objects.filter(at=now).count(), Deployment.objects.filter(engine="vllm").count()
    if (done, good, scraped) != (MANY, MANY, wanted):
        raise RuntimeError(f"{done} of {MANY} were checked, {good} of them were up, {scraped} of {wanted} scraped")
    return spent


def asked_bare(addresses: list[str]) -> float:
    """The same of the requests alone."""
    import aiohttp

    async def ask() -> None:
        connector = aiohttp.TCPConnector(limit=100)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def one(address: str) -> None:
                async with session.get(address) as answer:
                    await answer.read()

            await asyncio.gather(*(one(address) for address in addresses))

    started = time.process_time()
    asyncio.run(ask())
    return time.process_time() - started


# The server, in a process of its own.


def serve(port: int) -> None:
    """Until it is ended; says a line when it listens."""
    from aiohttp import web

    body, started = metrics(), time.monotonic()

    async def said(request: web.Request) -> web.Response:
        tokens = int((time.monotonic() - started) * 1000)
        return web.Response(text=body.replace("TOKENS", str(tokens)), content_type="text/plain")

    async def health(request: web.Request) -> web.Response:
        return web.Response()

    async def models(request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "bench", "object": "model", "owned_by": "bench"}]})

    async def listening(app: web.Application) -> None:
        print("listening", flush=True)  # noqa: T201  # the bench waits for it

    app = web.Application()
    app.add_routes([web.get("/health", health), web.get("/v1/models", models), web.get("/metrics", said)])
    app.on_startup.append(listening)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


def metrics() -> str:
    """What vLLM writes for one model, as long as it is there."""
    label = '{engine="0",model_name="bench"}'
    lines = [
        f"vllm:num_requests_running{label} 3.0",
        f"vllm:num_requests_waiting{label} 1.0",
        f"vllm:kv_cache_usage_perc{label} 0.25",
        f"vllm:prompt_tokens_total{label} TOKENS",
        f"vllm:prompt_tokens_cached_total{label} 128.0",
        f"vllm:generation_tokens_total{label} TOKENS",
        f"vllm:num_preemptions_total{label} 1.0",
        'vllm:request_success_total{engine="0",finished_reason="stop",model_name="bench"} TOKENS',
        *(
            f'vllm:time_to_first_token_seconds_bucket{{engine="0",le="{bound}",model_name="bench"}} TOKENS'
            for bound in ("0.001", "0.01", "0.02", "0.04", "0.06", "0.08", "0.1", "0.25", "0.5", "0.75", "1.0", "2.5",
                          "5.0", "7.5", "10.0", "20.0", "40.0", "80.0", "160.0", "640.0", "2560.0", "+Inf")
        ),
        *(
            f'vllm:request_prompt_tokens_bucket{{engine="0",le="{n}.0",model_name="bench",reason="none of ours"}} 12.0'
            for n in range(OTHER_LINES)
        ),
        "process_start_time_seconds 1.7955e+09",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
