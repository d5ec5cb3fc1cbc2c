"""Requests as a bench sends them: several models, tasks and applications, latencies with a long tail."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

MODELS = ("claude-sonnet-5-5", "claude-haiku-4-5", "claude-opus-5-5")
TASKS = ("rag", "qa", "code", "chat")


def batches(count: int, size: int, *, seed: int, since: datetime, span: timedelta) -> Iterator[list[dict[str, Any]]]:
    """`count` batches of `size` rows of the native API, spread evenly over a span of time, in its order."""
    generator = random.Random(seed)
    step = span / (count * size)
    for batch in range(count):
        start = since + step * batch * size
        yield [row(generator, f"{seed}-{batch}-{n}", start + step * n) for n in range(size)]


def row(generator: random.Random, identity: str, started_at: datetime) -> dict[str, Any]:
    return {
        "id": identity,
        "started_at": started_at.astimezone(UTC).isoformat(),
        "provider": "anthropic",
        "model": generator.choice(MODELS),
        "task": generator.choice(TASKS),
        "outcome": "ok",
        "http_status": 200,
        "latency_ms": round(generator.lognormvariate(7.2, 0.5), 3),
        "ttft_ms": round(generator.lognormvariate(5.7, 0.4), 3),
        "streamed": True,
        "response_id": f"msg_{identity:0>28}",
        "tokens": {
            "uncached_input": generator.randrange(2000),
            "cache_read": generator.randrange(4000),
            "cache_write_5m": 0,
            "cache_write_1h": 0,
            "output": generator.randrange(600),
            "reasoning": 0,
        },
    }


def bodies(count: int, size: int, *, seed: int, since: datetime, span: timedelta) -> list[bytes]:
    """The same as JSON bodies, made before the clock starts."""
    return [orjson.dumps({"requests": rows}) for rows in batches(count, size, seed=seed, since=since, span=span)]
