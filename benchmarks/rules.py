"""How long ten thousand rules on figures of two hundred applications take, beside ten of them: the queries are those of
both, so what the ratio adds is the rules' own."""

from __future__ import annotations

import json
import random
import time
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import cycle, islice
from typing import Any

from django.utils import timezone

from benchmarks.figures import Figure
from benchmarks.stack import running

FEW, MANY = 10, 10_000
APPLICATIONS, DAYS = 200, 31
MODELS, TASKS = ("claude-sonnet-5-5", "claude-haiku-4-5", "claude-opus-5-5"), ("rag", "qa", "code", "chat")
# Figure, window, whether a task is named beside the application, and a line that is not crossed.
SHAPES = (
    ("spend", "month", False, "100000"),
    ("spend", "today", True, "100000"),
    ("requests", "24h", False, "10000000"),
    ("error-rate", "hour", False, "90"),
    ("error-rate", "24h", True, "90"),
    ("latency-p95", "hour", False, "600000"),
    ("ttft-p95", "24h", False, "600000"),
    ("tokens", "30d", True, "1000000000"),
    ("cost-per-request", "month", False, "1000"),
    ("unpriced", "today", False, "100000"),
)


def measure() -> list[Figure]:
    with running() as stack:
        stack.python("from benchmarks.rules import fill; fill()")
        told = stack.python("from benchmarks.rules import tell; tell()")
    few, many = json.loads(told.splitlines()[-1])
    return [Figure(f"evaluation of {MANY:,} rules", many, "s", few, f"{FEW} rules", "<= 5 s")]


def fill() -> None:
    """Two hundred applications with a month of days and a day of hours."""
    from traffic.models import Application, LatencyHour, UsageDay, UsageHour

    now, generator = timezone.now(), random.Random(1)
    names = [f"bench-{n}" for n in range(APPLICATIONS)]
    made = Application.objects.bulk_create([Application(slug=name, name=name) for name in names])
    hour = now.replace(minute=0, second=0, microsecond=0)
    groups = [
        (application.pk, model, task) for application in made for model, task in zip(cycle(MODELS), TASKS)
    ]  # one model is told twice
    days = [now.date() - timedelta(days=n) for n in range(DAYS)]
    UsageDay.objects.bulk_create([UsageDay(day=day, **row(generator, *g)) for day in days for g in groups], 2000)
    hours = [hour - timedelta(hours=n) for n in range(24)]
    UsageHour.objects.bulk_create([UsageHour(hour=at, **row(generator, *g)) for at in hours for g in groups], 2000)
    buckets = [
        LatencyHour(hour=at, metric=metric, bucket=bucket, n=generator.randrange(1, 9), **place(*g))
        for at in hours[:2] for g in groups for metric in (1, 2) for bucket in range(250, 350, 10)
    ]  # fmt: skip
    LatencyHour.objects.bulk_create(buckets, 2000)


def place(application: int, model: str, task: str) -> dict[str, Any]:
    return {
        "application_id": application, "deployment_id": 0, "provider": "anthropic", "model": model, "task": task,
    }  # fmt: skip


def row(generator: random.Random, application: int, model: str, task: str) -> dict[str, Any]:
    requests = generator.randrange(1, 500)
    nothing = dict.fromkeys(
        ("unpriced", "unknown_usage", "leased", "batched", "cache_write_5m", "cache_write_1h", "reasoning",
         "latency_us", "timed", "generated", "generating_us"), 0
    )  # fmt: skip
    return {
        **place(application, model, task), **nothing, "requests": requests, "errors": requests // 50,
        "uncached_input": requests * 900, "cache_read": requests * 300, "output": requests * 200,
        "cost": Decimal(requests) / 200,
    }  # fmt: skip


def tell() -> None:
    """Print how long a few and many rules took, in seconds, as JSON; the best of three each."""
    print(json.dumps([best_of(FEW), best_of(MANY)]))  # noqa: T201  # the bench reads it


def best_of(count: int, times: int = 3) -> float:
    from alerts.evaluation import services
    from alerts.models import Rule

    Rule.objects.filter(kind="figure").delete()
    Rule.objects.bulk_create(islice(rules(), count), 2000)
    return min(seconds(services.evaluate, timezone.now() + timedelta(minutes=n)) for n in range(times))


def seconds(evaluate: Any, now: datetime) -> float:
    started = time.perf_counter()
    done = evaluate(now=now, kinds=["figure"], wait=True)
    if done.errors or done.moves:
        raise RuntimeError(f"the rules were to be calm: {done}")
    return time.perf_counter() - started


def rules() -> Any:
    from alerts.models import Rule

    for n, (figure, window, tasked, line) in enumerate(cycle(SHAPES)):
        scope = {"application": f"bench-{n // len(SHAPES) % APPLICATIONS}"}
        if tasked:
            scope["task"] = TASKS[n % len(TASKS)]
        given = {"figure": figure, "window": window, "scope": scope, "side": "over", "line": line}
        yield Rule(slug=f"bench-{n}", kind="figure", name=f"bench {n}", thresholds=given, groups=["ops"])
