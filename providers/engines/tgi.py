"""Text Generation Inference: one model per server, told by /info; counters without `_total` and without labels."""

from __future__ import annotations

from typing import Any

from providers.engines.base import Engine, require_samples
from providers.engines.metrics import EngineSample


class TGI(Engine):
    kind = "tgi"
    label = "Text Generation Inference"
    # A chat request names no model that it would check, so only /info tells which one really answers.
    models_path = "/info"
    has_metrics = True

    def models_of(self, body: Any) -> list[str]:
        return [str(body["model_id"])]

    def sample(self, text: str, model: str) -> EngineSample:
        samples = require_samples(text, ("tgi_",), self.label)
        return EngineSample(
            running=samples.total("tgi_batch_current_size"),
            waiting=samples.total("tgi_queue_size"),
            prompt_tokens_total=samples.total("tgi_request_input_length_sum"),
            output_tokens_total=samples.total("tgi_request_generated_tokens_sum"),
            requests_total=samples.total("tgi_request_count", "tgi_request_count_total"),
            failed_total=samples.total("tgi_request_failure", "tgi_request_failure_total"),
        )
