"""llama.cpp's server: 503 while it loads, metrics behind a flag, prompt tokens counted without the cache."""

from __future__ import annotations

from typing import Any, ClassVar

from providers.engines.base import MOST_SLOTS, Abilities, Engine, Protocol, Target, parse_json, require_samples
from providers.engines.client import EngineClient
from providers.engines.metrics import EngineSample, plus
from providers.engines.reply import Reply


class LlamaCpp(Engine):
    kind = "llamacpp"
    label = "llama.cpp"
    protocols: ClassVar[frozenset[Protocol]] = frozenset({"openai", "anthropic"})
    owned_by = "llamacpp"
    has_metrics = True

    def is_loading(self, reply: Reply) -> bool:
        return reply.status == 503 and (b"unavailable_error" in reply.body or b"Loading model" in reply.body)

    def models_of(self, body: Any) -> list[str]:
        """It answers under its alias whatever model is asked for, so the list is the only proof."""
        return [name for item in body["data"] for name in (str(item["id"]), *map(str, item.get("aliases") or []))]

    async def abilities(self, client: EngineClient, target: Target) -> Abilities:
        """`total_slots`, which `--parallel` sets, and `modalities` of GET /props (its tools/server/README.md)."""
        reply = await client.get(self.url(target, "/props"), headers=self.headers(target), local=target.local)
        body = parse_json(reply) if reply.status == 200 else None
        if not isinstance(body, dict):
            return Abilities()
        count, modalities = body.get("total_slots"), body.get("modalities")
        slots = count if type(count) is int and 1 <= count <= MOST_SLOTS else None
        media = any(value is True for value in modalities.values()) if isinstance(modalities, dict) else None
        return Abilities(slots, media)

    def sample(self, text: str, model: str) -> EngineSample:
        samples = require_samples(text, ("llamacpp:",), self.label)
        cached = samples.total("llamacpp:prompt_tokens_cached_total")
        return EngineSample(
            running=samples.total("llamacpp:requests_processing"),
            waiting=samples.total("llamacpp:requests_deferred"),
            kv_cache=samples.highest("llamacpp:kv_cache_usage_ratio"),
            prompt_tokens_total=plus(samples.total("llamacpp:prompt_tokens_total"), cached),
            cached_tokens_total=cached,
            output_tokens_total=samples.total("llamacpp:tokens_predicted_total"),
        )
