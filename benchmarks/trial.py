"""What a trial takes of the processor beside the engine: eight streams of forty tokens a second, each token an event,
for some seconds. The engine is a process of its own, so the sender's processor time is that of this one alone."""

from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal

from benchmarks.figures import Figure
from benchmarks.stack import running, serving

STREAMS, TOKENS_PER_S, TOKENS, SECONDS, PROMPTS = 8, 40, 200, 30, 16


def measure() -> list[Figure]:
    with running() as stack:
        ours, bare = json.loads(stack.python("from benchmarks.trial import report; report()").splitlines()[-1])
    return [
        Figure(
            f"a trial's own work with {STREAMS} streams of {TOKENS_PER_S} tokens/s", 100 * ours, "% of a core",
            100 * bare, "the same streams read bare", "<= 2 %",
        )
    ]  # fmt: skip


def report() -> None:
    """Print the shares of a core of a timed step and of the same streams read bare."""
    with serving(__name__) as url:
        print(json.dumps([step_of_trial(url), read_bare(url)]))  # noqa: T201  # the bench reads it


def step_of_trial(url: str) -> float:
    """The share of a core that this process spends on a timed step, the answers stored."""
    from django.db import transaction
    from django.utils import timezone

    from providers.models import Deployment
    from traffic.models import Trial
    from traffic.models.trials import TrialState
    from traffic.trials import run, services
    from traffic.trials.prompts import builtin

    engine = Deployment.objects.create(
        slug="bench", name="bench", provider="self", engine="vllm", url=url, model="bench", local=True
    )
    plan = services.Plan("bench", engine, None, [STREAMS], SECONDS, Decimal(1), TOKENS, prompts=builtin()[:PROMPTS])
    with transaction.atomic():  # the stack's worker never sees it unclaimed
        made, now = services.create(plan), timezone.now()
        trial = Trial.objects.claim(made.pk, now, now + run.CLAIM)
    if trial is None or not run.begin(trial):
        raise RuntimeError("the trial cannot begin")
    job = run.Run(trial)
    job.charged = job.spent = Decimal(0)
    each_once, step = trial.steps.select_related("deployment__lease")
    job.run(each_once)  # code and connections that are made on first use
    cpu, wall = time.process_time(), time.monotonic()
    job.run(step)
    run.write_results(step)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    run.end(trial, TrialState.DONE)
    if step.errors or step.requests < STREAMS * SECONDS * TOKENS_PER_S / TOKENS / 2:
        raise RuntimeError(f"{step.requests} calls in {wall:.0f} s, {step.errors} of them failed")
    return cpu / wall


def read_bare(url: str) -> float:
    """The same share of a client that only reads the bytes."""
    import aiohttp

    async def read() -> None:
        async with aiohttp.ClientSession() as session:

            async def one() -> None:
                async with session.post(f"{url}/v1/chat/completions", json={}) as answer:
                    async for _chunk in answer.content.iter_any():
                        pass

            await asyncio.gather(*(one() for _stream in range(STREAMS)))

    cpu, wall = time.process_time(), time.monotonic()
    asyncio.run(read())
    return (time.process_time() - cpu) / (time.monotonic() - wall)


def serve(port: int) -> None:
    """The engine, until it is ended; says a line when it listens."""
    from aiohttp import web

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        begun = time.monotonic()
        for number in range(TOKENS):
            event = {"id": "1", "model": "bench", "choices": [{"index": 0, "delta": {"content": f" word{number}"}}]}
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
            await asyncio.sleep(begun + (number + 1) / TOKENS_PER_S - time.monotonic())
        usage = {"prompt_tokens": 20, "completion_tokens": TOKENS, "total_tokens": TOKENS + 20}
        last = json.dumps({"id": "1", "choices": [], "usage": usage})
        await response.write(f"data: {last}\n\ndata: [DONE]\n\n".encode())
        return response

    async def listening(app: web.Application) -> None:
        print("listening", flush=True)  # noqa: T201  # the bench waits for it

    app = web.Application()
    app.add_routes([web.post("/v1/chat/completions", answer)])
    app.on_startup.append(listening)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)
