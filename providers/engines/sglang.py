"""SGLang: OpenAI's protocol, an empty /health, metrics when it was started with --enable-metrics."""

from __future__ import annotations

from providers.engines.base import Engine, require_samples
from providers.engines.metrics import EngineSample


class SGLang(Engine):
    kind = "sglang"
    label = "SGLang"
    owned_by = "sglang"
    has_metrics = True

    def sample(self, text: str, model: str) -> EngineSample:
        samples = require_samples(text, ("sglang:", "process_start_time_seconds"), self.label)
        served = {"model_name": model}
        return EngineSample(
            running=samples.total("sglang:num_running_reqs", **served),
            waiting=samples.total("sglang:num_queue_reqs", **served),
            kv_cache=samples.highest("sglang:token_usage", **served),
            prompt_tokens_total=samples.total("sglang:prompt_tokens_total", **served),
            cached_tokens_total=samples.total("sglang:cached_tokens_total", **served),
            output_tokens_total=samples.total("sglang:generation_tokens_total", **served),
            requests_total=samples.total("sglang:num_requests_total", **served),
            failed_total=samples.total("sglang:num_aborted_requests_total", **served),
            ttft_buckets=samples.buckets("sglang:time_to_first_token_seconds", **served),
            started_at=samples.time("process_start_time_seconds"),
        )
