"""What the demo's engine is said to have told before the demo began, and what it tells now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from demo.company import MISTRAL_7B
from demo.engines import add_engine_history
from providers.engine_metrics.series import series
from providers.engines import engine_of
from providers.engines.growth import growth, quantile
from providers.models import EngineBucket, Resolution
from sandbox import vllm
from tests.factories import ApplicationFactory, DeploymentFactory
from traffic.models import LatencyHour, Metric, UsageHour

NOW = datetime(2026, 11, 10, 12, 20, tzinfo=UTC)
HOUR = NOW.replace(minute=0) - timedelta(hours=2)
ZERO = dict.fromkeys(
    ("unpriced", "unknown_usage", "leased", "batched", "cache_write_5m", "cache_write_1h", "reasoning", "timed",
     "generated", "generating_us"), 0
)  # fmt: skip


@pytest.mark.django_db
def test_the_history_agrees_with_the_requests_and_is_made_once() -> None:
    pod = DeploymentFactory.create(slug=MISTRAL_7B.deployment, name="pod", url="http://127.0.0.1:1", model="m")
    application = ApplicationFactory.create(slug="a", name="A")
    key = {"application": application, "deployment": pod, "provider": "self", "model": "m", "task": "rag", "hour": HOUR}
    UsageHour.objects.create(
        **key, **ZERO, requests=120, errors=2, uncached_input=4000, cache_read=2000, output=24_000, cost=0,
        latency_us=360_000_000,
    )  # fmt: skip
    LatencyHour.objects.create(**key, metric=Metric.TTFT, bucket=233, n=120)  # about 100 ms
    for _ in range(2):
        add_engine_history(NOW)
    hour = EngineBucket.objects.get(resolution=Resolution.HOUR)
    assert (hour.start, hour.requests, hour.output_tokens, hour.prompt_tokens) == (HOUR, 120, 24_000, 6000)
    assert hour.running_sum == pytest.approx(0.1 * hour.samples)  # 360 s of work in an hour
    [point] = series(pod.pk, Resolution.MINUTE, HOUR, NOW, timedelta(hours=1))
    assert point.counts["output_tokens"] == pytest.approx(24_000)
    half = quantile(point.ttft, 0.5)
    assert half is not None and 0.08 < half < 0.25


def test_what_the_simulated_vllm_tells_is_read_as_vllms_and_only_grows() -> None:
    engine, start = engine_of("vllm"), NOW.timestamp()
    samples = [engine.sample(vllm.metrics(start, start + n * 1800), vllm.MODEL) for n in range(49)]
    grown = [growth(old, new) for old, new in pairwise(samples)]
    assert not any(one.restarted for one in grown)
    requests = [one.requests or 0 for one in grown]
    assert min(requests) > 0 and max(requests) > 3 * min(requests)
    assert sum(requests) == pytest.approx(vllm.REQUESTS_PER_S * 86_400, rel=0.01)
    assert all(0 <= (sample.kv_cache or 0) < 1 for sample in samples)
