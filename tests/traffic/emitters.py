"""Calls of a real SDK under a real instrumentation, exported by the official exporter; run by `record_emitters`.

A process of its own, in an environment that has the instrumentations; the suite replays what they sent. Imports nothing
of Breakeven. Prints what the caller itself saw of each call as JSON lines.
"""

from __future__ import annotations

import importlib
import json
import sys
import uuid
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

# What is recorded: the SDK, the distribution, and where its instrumentor is; the SDK of Anthropic needs none.
OTEL, OPENINFERENCE = "opentelemetry.instrumentation", "openinference.instrumentation"
EMITTERS = {
    "genai_openai": ("openai", "opentelemetry-instrumentation-genai-openai", f"{OTEL}.genai.openai"),
    "openai_v2": ("openai", "opentelemetry-instrumentation-openai-v2", f"{OTEL}.openai_v2"),
    "openllmetry_openai": ("openai", "opentelemetry-instrumentation-openai", f"{OTEL}.openai"),
    "openinference_openai": ("openai", "openinference-instrumentation-openai", f"{OPENINFERENCE}.openai"),
    "anthropic_sdk": ("anthropic", "anthropic", ""),
    "genai_anthropic": ("anthropic", "opentelemetry-instrumentation-genai-anthropic", f"{OTEL}.genai.anthropic"),
    "openllmetry_anthropic": ("anthropic", "opentelemetry-instrumentation-anthropic", f"{OTEL}.anthropic"),
    "openinference_anthropic": ("anthropic", "openinference-instrumentation-anthropic", f"{OPENINFERENCE}.anthropic"),
}
INSTRUMENTORS = {"openai": "OpenAIInstrumentor", "anthropic": "AnthropicInstrumentor"}

QUESTION: list[Any] = [{"role": "user", "content": "What does a tired lamp say?"}]
Seen = dict[str, Any]


def load(place: str) -> Any:
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)


def openai_usage(usage: Any) -> Seen:
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details else 0
    return {"tokens": [usage.prompt_tokens - cached, cached, 0, 0, usage.completion_tokens]}


def openai_calls(url: str, dead: str) -> dict[str, Callable[[], Seen]]:
    """`url` is a llama.cpp, `dead` a server that never answers."""
    import openai

    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    deaf = openai.OpenAI(base_url=f"{dead}/v1", api_key="none", max_retries=0, timeout=0.3)
    ask: dict[str, Any] = {"model": "tiny", "max_tokens": 8, "messages": QUESTION}

    def plain() -> Seen:
        answer = client.chat.completions.create(**ask)
        return {"id": answer.id, **openai_usage(answer.usage)}

    def stream() -> Seen:
        chunks = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
        return {"id": chunks[0].id, "streamed": True, **openai_usage(chunks[-1].usage)}

    def stream_without_usage() -> Seen:
        chunks = list(client.chat.completions.create(**ask, stream=True))
        return {"id": chunks[0].id, "streamed": True, "tokens": None}

    def cancelled() -> Seen:
        with client.chat.completions.create(**{**ask, "max_tokens": 64}, stream=True) as answer:
            return {"id": next(iter(answer)).id, "streamed": True, "tokens": None}

    def error() -> Seen:
        too_long: list[Any] = [{"role": "user", "content": "x " * 6_000}]
        try:
            client.chat.completions.create(model="tiny", messages=too_long)
        except openai.BadRequestError:
            return {"outcome": "error", "tokens": None}
        raise AssertionError("the engine took a prompt longer than its context")

    def timeout() -> Seen:
        try:
            deaf.chat.completions.create(**ask)
        except openai.APITimeoutError:
            return {"outcome": "timeout", "tokens": None}
        raise AssertionError("the dead server answered")

    def embeddings() -> Seen:
        try:
            answer = client.embeddings.create(model="tiny", input="a lamp")
        except openai.OpenAIError:
            return {"outcome": "error", "tokens": None}
        return {"tokens": [answer.usage.prompt_tokens, 0, 0, 0, 0]}

    def responses() -> Seen:
        answer = client.responses.create(model="tiny", max_output_tokens=8, input="What does a tired lamp say?")
        assert answer.usage is not None
        cached = answer.usage.input_tokens_details.cached_tokens
        classes = [answer.usage.input_tokens - cached, cached, 0, 0, answer.usage.output_tokens]
        return {"id": answer.id, "tokens": classes}

    made = (plain, stream, stream_without_usage, cancelled, error, timeout, embeddings, responses)
    return {call.__name__: call for call in made}


def anthropic_usage(message: Any) -> Seen:
    usage = message.usage
    written = usage.cache_creation
    five, hour = (written.ephemeral_5m_input_tokens, written.ephemeral_1h_input_tokens) if written else (0, 0)
    classes = [usage.input_tokens, usage.cache_read_input_tokens or 0, five, hour, usage.output_tokens]
    return {"id": message.id, "tokens": classes}


def anthropic_calls(url: str, dead: str) -> dict[str, Callable[[], Seen]]:  # noqa: C901 -- a list of calls, no branches
    """`url` is a Claude API, `dead` a server that never answers."""
    import anthropic

    client = anthropic.Anthropic(base_url=url, max_retries=0)
    deaf = anthropic.Anthropic(base_url=dead, max_retries=0, timeout=0.3)
    ask: dict[str, Any] = {"model": "claude-opus-5-5", "max_tokens": 48, "messages": QUESTION}

    fresh = uuid.uuid4().hex[:8]  # no other run has it in the cache

    def cached(word: str, **life: str) -> Seen:
        control = {"type": "ephemeral", **life}
        system: list[Any] = [{"type": "text", "text": f"{word} " * 1_500, "cache_control": control}]
        return anthropic_usage(client.messages.create(**ask, system=system))

    def plain() -> Seen:
        return anthropic_usage(client.messages.create(**ask))

    def stream() -> Seen:
        with client.messages.stream(**ask) as answer:
            return {"streamed": True, **anthropic_usage(answer.get_final_message())}

    def raw_stream() -> Seen:
        start, tokens = None, 0
        for event in client.messages.create(**ask, stream=True):
            if event.type == "message_start":
                start = event.message
            elif event.type == "message_delta":
                tokens = event.usage.output_tokens
        assert start is not None
        seen = anthropic_usage(start)
        return {**seen, "streamed": True, "tokens": [*seen["tokens"][:4], tokens]}

    def cache_written() -> Seen:
        return cached(fresh)

    def cache_read() -> Seen:
        return cached(fresh)

    def cache_written_for_an_hour() -> Seen:
        return cached(f"hour {fresh}", ttl="1h")

    def cancelled() -> Seen:
        with client.messages.create(**ask, stream=True) as answer:
            start = next(iter(answer))
            assert start.type == "message_start"
            seen = anthropic_usage(start.message)
            return {**seen, "streamed": True, "tokens": [*seen["tokens"][:4], None]}

    def error() -> Seen:
        try:
            client.messages.create(**{**ask, "max_tokens": -1})
        except anthropic.BadRequestError:
            return {"outcome": "error", "tokens": None}
        raise AssertionError("the API took a negative limit")

    def timeout() -> Seen:
        try:
            deaf.messages.create(**ask)
        except anthropic.APITimeoutError:
            return {"outcome": "timeout", "tokens": None}
        raise AssertionError("the dead server answered")

    calls = (
        plain,
        stream,
        raw_stream,
        cache_written,
        cache_read,
        cache_written_for_an_hour,
        cancelled,
        error,
        timeout,
    )
    return {call.__name__: call for call in calls}


def say(line: Seen) -> None:
    sys.stdout.write(json.dumps(line) + "\n")


def main(name: str, url: str, dead: str) -> None:
    sdk, distribution, place = EMITTERS[name]
    trace = importlib.import_module("opentelemetry.trace")
    provider = load("opentelemetry.sdk.trace:TracerProvider")()
    exporter = load("opentelemetry.exporter.otlp.proto.http.trace_exporter:OTLPSpanExporter")()
    provider.add_span_processor(load("opentelemetry.sdk.trace.export:BatchSpanProcessor")(exporter))
    trace.set_tracer_provider(provider)
    if place:
        load(f"{place}:{INSTRUMENTORS[sdk]}")().instrument()
    say({"emitter": f"{distribution} {version(distribution)}", "sdk": f"{sdk} {version(sdk)}"})
    calls = (openai_calls if sdk == "openai" else anthropic_calls)(url, dead)
    for call, run in calls.items():
        seen = {"call": call, "outcome": "ok", "streamed": False, **run()}
        provider.force_flush()
        say(seen)
    provider.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
