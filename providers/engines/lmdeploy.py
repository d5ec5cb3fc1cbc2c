"""LMDeploy: OpenAI's protocol, an empty /health, metrics where they are switched on.

Names as of lmdeploy/metrics/loggers.py in its repository; with several engines behind one server each has its line.
"""

from __future__ import annotations

from providers.engines.base import Engine, require_samples
from providers.engines.metrics import EngineSample


class LMDeploy(Engine):
    kind = "lmdeploy"
    label = "LMDeploy"
    owned_by = "lmdeploy"
    has_metrics = True

    def sample(self, text: str, model: str) -> EngineSample:
        samples = require_samples(text, ("lmdeploy:", "process_start_time_seconds"), self.label)
        served = {"model_name": model}
        return EngineSample(
            running=samples.total("lmdeploy:num_requests_running", **served),
            waiting=samples.total("lmdeploy:num_requests_waiting", **served),
            kv_cache=samples.highest("lmdeploy:gpu_cache_usage_perc", **served),
            prompt_tokens_total=samples.total("lmdeploy:prompt_tokens_total", **served),
            output_tokens_total=samples.total("lmdeploy:generation_tokens_total", **served),
            ttft_buckets=samples.buckets("lmdeploy:time_to_first_token_seconds", **served),
            started_at=samples.time("process_start_time_seconds"),
        )
