"""Translates attributes of emitters with names of their own into those of the conventions, before anything reads them.

Langfuse's SDK and Vercel's AI SDK; what a span already says by the conventions stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from traffic.ingest.otlp.spans import Attributes, Span

LANGFUSE, VERCEL = "langfuse.observation.type", "ai.operationId"


def translate(span: Span) -> None:
    """Add the conventions' attributes to a span whose emitter uses names of its own."""
    if LANGFUSE in span.attributes:
        translated = langfuse(span)
    elif VERCEL in span.attributes:
        translated = vercel(span.attributes)
    else:
        return
    for name, value in translated.items():
        if value is not None:
            span.attributes.setdefault(name, value)


# Langfuse. Its observations of other types (agent, tool, chain, retriever, ...) hold calls, and are none.
LANGFUSE_CALLS = {"generation": "chat", "embedding": "embeddings"}
READ = ("input_cached_tokens", "cache_read_input_tokens", "input_cache_read", "cached_tokens")
WRITTEN = ("cache_creation_input_tokens", "input_cache_creation", "input_cache_creation_5m", "cache_write_input_tokens")
WRITTEN_1H = ("input_cache_creation_1h", "ephemeral_1h_input_tokens")
REASONING = ("output_reasoning_tokens", "reasoning_tokens", "output_reasoning")
INPUT = ("input", "prompt_tokens", "input_tokens", "input_audio_tokens", "input_text", "input_image")
OUTPUT = ("output", "completion_tokens", "output_tokens", "output_audio_tokens", "output_text")


def langfuse(span: Span) -> Attributes:
    attributes = span.attributes
    kind, model = str(attributes[LANGFUSE]).lower(), attributes.get("langfuse.observation.model.name")
    if kind not in LANGFUSE_CALLS or not model:  # people mark functions of their own as generations, too
        return {"gen_ai.operation.name": f"langfuse.{kind}"}
    cost = nested(attributes.get("langfuse.observation.cost_details")).get("total")
    return {
        "gen_ai.operation.name": LANGFUSE_CALLS[kind],
        "gen_ai.request.model": model,
        "gen_ai.response.finish_reasons": attributes.get("langfuse.observation.metadata.finish_reason"),
        "gen_ai.response.time_to_first_chunk": seconds_to(
            attributes.get("langfuse.observation.completion_start_time"), span.start_ns
        ),
        "gen_ai.usage.cost": cost or None,
        "error.type": failure_of(attributes),
        **usage_of(nested(attributes.get("langfuse.observation.usage_details"))),
    }


def usage_of(usage: Mapping[str, Any]) -> Attributes:
    """Counts as the conventions have them. A vendor's own object passes as it is: OpenAI's input holds the cache."""
    for details, prompt_count, made in (
        ("prompt_tokens_details", "prompt_tokens", "completion_tokens"),
        ("input_tokens_details", "input_tokens", "output_tokens"),
    ):
        if details in usage:
            reasoning = nested(usage.get(f"{made}_details")).get("reasoning_tokens")
            return {
                "gen_ai.usage.input_tokens": usage.get(prompt_count),
                "gen_ai.usage.output_tokens": usage.get(made),
                "gen_ai.usage.cache_read.input_tokens": nested(usage[details]).get("cached_tokens"),
                "gen_ai.usage.reasoning.output_tokens": reasoning,
            }
    counts = {name: int(value) for name, value in usage.items() if isinstance(value, int | float) and value > 0}
    if not counts:  # zeros everywhere are Langfuse's way to say that it does not know
        return {}
    read, written, hour, reasoning = (add(counts, names) for names in (READ, WRITTEN, WRITTEN_1H, REASONING))
    return {
        "gen_ai.usage.input_tokens": add(counts, INPUT) + read + written + hour,
        "gen_ai.usage.output_tokens": add(counts, OUTPUT) + reasoning,
        "gen_ai.usage.cache_read.input_tokens": read,
        "gen_ai.usage.cache_write.input_tokens": written + hour,
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": hour,
        "gen_ai.usage.reasoning.output_tokens": reasoning,
    }


def failure_of(attributes: Attributes) -> str | None:
    if str(attributes.get("langfuse.observation.level")).upper() != "ERROR":
        return None
    message = str(attributes.get("langfuse.observation.status_message") or "").lower()
    return "timeout" if "timed out" in message or "timeout" in message else "error"


def add(counts: Mapping[str, int], names: tuple[str, ...]) -> int:
    return sum(counts.get(name, 0) for name in names)


def nested(value: Any) -> dict[str, Any]:
    """An object, or one in JSON; empty for what is none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def seconds_to(value: Any, start_ns: int) -> float | None:
    """From the span's start to a time in ISO form, which comes in quotes of JSON."""
    try:
        at = datetime.fromisoformat(str(value).strip('"'))
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    seconds = (at - datetime.fromtimestamp(0, at.tzinfo)) / timedelta(seconds=1) - start_ns / 1e9
    return max(seconds, 0.0) if seconds > -0.001 else None  # its clock is cut to milliseconds by some versions


# Vercel: of a call to `generateText` the spans `….doGenerate` are the requests; the one above repeats their sum.
VERCEL_CALLS = {"doGenerate": "chat", "doStream": "chat", "doEmbed": "embeddings"}
VERCEL_WORDS = {
    "gen_ai.request.model": ("ai.model.id",),
    "gen_ai.response.model": ("ai.response.model",),
    "gen_ai.response.id": ("ai.response.id",),
    "gen_ai.response.finish_reasons": ("ai.response.finishReason", "ai.finishReason"),
    "gen_ai.usage.input_tokens": ("ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens"),
    "gen_ai.usage.output_tokens": ("ai.usage.outputTokens", "ai.usage.completionTokens"),
    "gen_ai.usage.cache_read.input_tokens": (
        "ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens",
    ),
    "gen_ai.usage.cache_write.input_tokens": ("ai.usage.inputTokenDetails.cacheWriteTokens",),
    "gen_ai.usage.reasoning.output_tokens": (
        "ai.usage.outputTokenDetails.reasoningTokens", "ai.usage.reasoningTokens",
    ),
    "user.id": ("ai.telemetry.metadata.userId",),
}  # fmt: skip
# Providers by Vercel's names, of which only the part before the first dot counts ("openai.chat").
VERCEL_PROVIDERS = {
    "amazon-bedrock": "bedrock", "azure-openai": "azure", "vertex": "google", "google-vertex": "google", "xai": "xai",
}  # fmt: skip


def vercel(attributes: Attributes) -> Attributes:
    operation = str(attributes[VERCEL])
    call = VERCEL_CALLS.get(operation.rpartition(".")[2])
    if call is None:
        return {"gen_ai.operation.name": operation}
    provider = str(attributes.get("gen_ai.system") or attributes.get("ai.model.provider") or "").split(".")[0].lower()
    milliseconds = attributes.get("ai.response.msToFirstChunk", attributes.get("ai.stream.msToFirstChunk"))
    seconds = milliseconds / 1000 if isinstance(milliseconds, int | float) else None
    translated: Attributes = {
        "gen_ai.operation.name": call,
        "gen_ai.provider.name": VERCEL_PROVIDERS.get(provider, provider) or None,
        "gen_ai.request.stream": operation.endswith(".doStream"),
        "gen_ai.response.time_to_first_chunk": seconds,
    }
    for name, words in VERCEL_WORDS.items():
        translated[name] = next((attributes[word] for word in words if attributes.get(word) is not None), None)
    return translated
