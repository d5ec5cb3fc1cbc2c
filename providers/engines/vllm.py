"""vLLM: both protocols, an empty /health, metrics always on."""

from __future__ import annotations

from typing import ClassVar

from providers.engines.base import Engine, Protocol, require_samples
from providers.engines.metrics import EngineSample, Samples

# Servers before the V1 engine call some series by other names; both are tried, the newer first.
KV_CACHE = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
# `request_success_total` counts aborted and failed requests too, told apart by this label.
FAILED_REASONS = ("abort", "error")
CACHED = ("vllm:prompt_tokens_cached_total", "vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total")
# What we read of its five hundred lines; parsing the rest would be most of a scrape.
SERIES = (
    "vllm:num_requests_running",
    "vllm:num_requests_waiting{",
    "vllm:num_requests_waiting ",
    "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total",
    "vllm:request_success_total",
    "vllm:num_preemptions_total",
    "vllm:time_to_first_token_seconds_bucket",
    "process_start_time_seconds",
    *KV_CACHE,
    *CACHED,
)


class VLLM(Engine):
    kind = "vllm"
    label = "vLLM"
    protocols: ClassVar[frozenset[Protocol]] = frozenset({"openai", "anthropic"})
    owned_by = "vllm"
    has_metrics = True

    def sample(self, text: str, model: str) -> EngineSample:
        samples = require_samples(text, SERIES, self.label)
        served = {"model_name": model}
        finished = samples.of("vllm:request_success_total", **served)
        return EngineSample(
            running=samples.total("vllm:num_requests_running", **served),
            waiting=samples.total("vllm:num_requests_waiting", **served),
            kv_cache=samples.highest(*KV_CACHE, **served),
            prompt_tokens_total=samples.total("vllm:prompt_tokens_total", **served),
            cached_tokens_total=self._cached(samples, model),
            output_tokens_total=samples.total("vllm:generation_tokens_total", **served),
            requests_total=sum(value for _, value in finished) if finished else None,
            failed_total=self._failed_requests(samples, model),
            preemptions_total=samples.total("vllm:num_preemptions_total", **served),
            ttft_buckets=samples.buckets("vllm:time_to_first_token_seconds", **served),
            started_at=samples.time("process_start_time_seconds"),
        )

    def _cached(self, samples: Samples, model: str) -> float | None:
        return samples.total(*CACHED, model_name=model)

    def _failed_requests(self, samples: Samples, model: str) -> float | None:
        rows = samples.of("vllm:request_success_total", model_name=model)
        return sum(value for labels, value in rows if labels.get("finished_reason") in FAILED_REASONS) if rows else None
