"""What the pod's engine told of itself before the demo began, made from the requests of that time: by Little's law the
requests under way are what came a second, times how long each took."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db.models import Sum

from demo.company import MISTRAL_7B
from providers.models import Deployment, EngineBucket, Resolution
from sandbox.vllm import CACHE_TOKENS, TTFT_SHARES
from traffic.models import LatencyDay, LatencyHour, Metric, UsageDay, UsageHour

EVERY_S = 30
BOUNDS = list(TTFT_SHARES)  # of the engine's own histogram
SUMS = {"n": "requests", "failed": "errors", "output_tokens": "output", "cached_tokens": "cache_read",
        "uncached_tokens": "uncached_input", "latency_us": "latency_us"}  # fmt: skip


def add_engine_history(now: datetime) -> None:
    """Days of a year, hours of a month, minutes of a day, as far as requests are loaded; what is there stays."""
    deployment = Deployment.objects.get(slug=MISTRAL_7B.deployment)
    hours = dict(by_hour(deployment, now - timedelta(days=30), now))
    days = dict(by_day(deployment, now - timedelta(days=365), now))
    rows = [
        *(bucket(deployment, Resolution.DAY, day, facts, 86_400) for day, facts in days.items()),
        *(bucket(deployment, Resolution.HOUR, hour, facts, 3_600) for hour, facts in hours.items()),
        *minutes(deployment, hours, now),
    ]
    EngineBucket.objects.bulk_create(rows, batch_size=1_000, ignore_conflicts=True)


def by_hour(deployment: Deployment, first: datetime, now: datetime) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """Whole hours with what was asked in each."""
    end = now.replace(minute=0, second=0, microsecond=0)
    asked = UsageHour.objects.filter(deployment=deployment, hour__gte=first, hour__lt=end)
    timed = LatencyHour.objects.filter(deployment=deployment, metric=Metric.TTFT, hour__gte=first, hour__lt=end)
    ttft = first_tokens(timed.values_list("hour", "bucket").annotate(sum=Sum("n")))
    for row in asked.values("hour").annotate(**{name: Sum(column) for name, column in SUMS.items()}):
        yield row["hour"], row | {"ttft": ttft.get(row["hour"], {})}


def by_day(deployment: Deployment, first: datetime, now: datetime) -> Iterator[tuple[datetime, dict[str, Any]]]:
    asked = UsageDay.objects.filter(deployment=deployment, day__gte=first.date(), day__lt=now.date())
    timed = LatencyDay.objects.filter(
        deployment=deployment, metric=Metric.TTFT, day__gte=first.date(), day__lt=now.date()
    )
    ttft = first_tokens(timed.values_list("day", "bucket").annotate(sum=Sum("n")))
    for row in asked.values("day").annotate(**{name: Sum(column) for name, column in SUMS.items()}):
        yield datetime.combine(row["day"], time(), UTC), row | {"ttft": ttft.get(row["day"], {})}


def first_tokens(rows: Any) -> dict[Any, dict[str, float]]:
    """Our log buckets of TTFT as the engine's own."""
    found: dict[Any, dict[str, float]] = defaultdict(dict)
    for at, log_bucket, n in rows:
        seconds = 2 * 1.02**log_bucket / 2.02 / 1000
        place = next(index for index, bound in enumerate(BOUNDS) if seconds <= bound)
        if place:
            found[at].setdefault(str(BOUNDS[place - 1]), 0.0)
        key = str(BOUNDS[place])
        found[at][key] = found[at].get(key, 0.0) + n
    return found


def minutes(deployment: Deployment, hours: Mapping[datetime, dict[str, Any]], now: datetime) -> Iterator[EngineBucket]:
    """The last day's: an hour's requests, more in some minutes than in others."""
    for hour, facts in hours.items():
        if hour < now - timedelta(hours=25):
            continue
        weights = [1 + 0.5 * math.sin(n * 2.4 + hour.hour) + 0.3 * math.sin(n / 3.1) for n in range(60)]
        for n, weight in enumerate(weights):
            share = weight / sum(weights)
            part = {name: facts[name] * share for name in SUMS}
            ttft = {bound: count * share for bound, count in facts["ttft"].items()}
            yield bucket(deployment, Resolution.MINUTE, hour + timedelta(minutes=n), part | {"ttft": ttft}, 60)


def bucket(
    deployment: Deployment, resolution: Resolution, start: datetime, facts: Mapping[str, Any], seconds: int
) -> EngineBucket:
    samples = seconds // EVERY_S
    running = facts["latency_us"] / 1e6 / seconds
    most = math.ceil(running + 2.5 * math.sqrt(running))
    prompt = facts["uncached_tokens"] + facts["cached_tokens"]
    each = (prompt + facts["output_tokens"]) / max(facts["n"], 1e-9) / CACHE_TOKENS
    # Requests that come independently of each other: so often is at least one of them there.
    busy = round(samples * (1 - math.exp(-running)))
    return EngineBucket(
        deployment=deployment,
        resolution=resolution,
        start=start,
        samples=samples,
        busy=busy,
        restarts=0,
        counted_s=seconds,
        **gauge("running", samples, running, most),
        **gauge("waiting", samples, 0.0, 0),
        **gauge("kv_cache", samples, min(running * each, 1.0), min(most * each, 1.0)),  # no cache is fuller than full
        prompt_tokens=prompt,
        cached_tokens=facts["cached_tokens"],
        output_tokens=facts["output_tokens"],
        requests=facts["n"],
        failed=facts["failed"],
        preemptions=0,
        ttft=facts["ttft"],
    )


def gauge(name: str, samples: int, mean: float, most: float) -> dict[str, Any]:
    return {f"{name}_n": samples, f"{name}_sum": mean * samples, f"{name}_min": 0.0, f"{name}_max": most}
