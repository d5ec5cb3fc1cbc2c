"""Calls of a real SDK under real instrumentations, exported by the official exporter.

A process of its own, because instrumentations patch the SDKs for good; imports nothing of Breakeven. `record_emitters`
runs one emitter and keeps what it sent. With no arguments it reads orders, one JSON line each, and forks for each, so
that the SDKs are imported once for all. Prints what the caller itself saw of each call as JSON lines.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import time
import traceback
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
MESSAGES = "openai_v2_messages"  # `openai_v2` as its releases before 2.4 work: a log record for each message
EVENTS = "openllmetry_openai_events"  # `openllmetry_openai` as it is where events were chosen
INSTRUMENTORS = {"openai": "OpenAIInstrumentor", "anthropic": "AnthropicInstrumentor"}

# Imported before the first fork. What cannot be imported beside the others fails in its own fork, with its own words.
HEAVY = (
    "openai", "anthropic", "opentelemetry.sdk.trace.export", "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "pydantic_ai.models.openai", "pydantic_ai.models.test", "pydantic_ai.providers.openai", "genai_prices.data",
    "anyio._backends._asyncio", "langfuse",
)  # fmt: skip

QUESTION: list[Any] = [{"role": "user", "content": "What does a tired lamp say?"}]
# A connection that is kept may be closed by the engine just when a slow machine comes to use it again.
ONCE = {"Connection": "close"}
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

    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, default_headers=ONCE)
    deaf = openai.OpenAI(base_url=f"{dead}/v1", api_key="none", max_retries=0, default_headers=ONCE, timeout=0.3)
    ask: dict[str, Any] = {"model": "tiny", "max_tokens": 8, "messages": QUESTION}

    def plain() -> Seen:
        answer = client.chat.completions.create(**ask)
        return {"id": answer.id, "said": answer.choices[0].message.content, **openai_usage(answer.usage)}

    def stream() -> Seen:
        chunks = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
        said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        return {"id": chunks[0].id, "streamed": True, "said": said, **openai_usage(chunks[-1].usage)}

    def stream_without_usage() -> Seen:
        chunks = list(client.chat.completions.create(**ask, stream=True))
        return {"id": chunks[0].id, "streamed": True, "tokens": None}

    def cancelled() -> Seen:
        with client.chat.completions.create(**{**ask, "max_tokens": 64}, stream=True) as answer:
            return {"id": next(iter(answer)).id, "streamed": True, "outcome": "cancelled", "tokens": None}

    def error() -> Seen:
        too_long: list[Any] = [{"role": "user", "content": "x " * 3_000}]
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

    client = anthropic.Anthropic(base_url=url, max_retries=0, default_headers=ONCE)
    deaf = anthropic.Anthropic(base_url=dead, max_retries=0, default_headers=ONCE, timeout=0.3)
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
            return {**seen, "streamed": True, "outcome": "cancelled", "tokens": [*seen["tokens"][:4], None]}

    def error() -> Seen:
        too_long: list[Any] = [{"role": "user", "content": "x " * 3_000}]  # Claude refuses the limit, an engine this
        try:
            client.messages.create(**{**ask, "max_tokens": -1, "messages": too_long})
        except anthropic.BadRequestError:
            return {"outcome": "error", "tokens": None}
        raise AssertionError("the API took a negative limit and a prompt longer than its context")

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


def pydantic_calls(url: str, dead: str) -> dict[str, Callable[[], Seen]]:
    """Agents of Pydantic AI; `tool` has a model of its own that calls every tool, two calls and a tool in a run."""
    from pydantic_ai import Agent
    from pydantic_ai.exceptions import ModelAPIError
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.models.test import TestModel
    from pydantic_ai.providers.openai import OpenAIProvider

    Agent.instrument_all()
    model = OpenAIChatModel("tiny", provider=OpenAIProvider(base_url=f"{url}/v1", api_key="none"))
    agent = Agent(model, name="helper", model_settings={"max_tokens": 8})

    def classes(usage: Any) -> list[int]:
        return [usage.input_tokens - usage.cache_read_tokens, usage.cache_read_tokens, 0, 0, usage.output_tokens]

    def saw(result: Any) -> Seen:
        return {"id": result.response.provider_response_id, "tokens": classes(result.usage)}

    def plain() -> Seen:
        return saw(agent.run_sync("What does a tired lamp say?"))

    def stream() -> Seen:
        async def run() -> Seen:
            async with agent.run_stream("What does a tired lamp say?") as result:
                async for _text in result.stream_text():
                    pass
                return {"streamed": True, **saw(result)}

        return asyncio.run(run())

    def error() -> Seen:
        try:
            agent.run_sync("x " * 3_000)
        except ModelAPIError:
            return {"outcome": "error", "tokens": None}
        raise AssertionError("the engine took a prompt longer than its context")

    def tool() -> Seen:
        eager = Agent(TestModel(), name="eager")

        @eager.tool_plain
        def watts(lamp: int) -> int:
            return lamp

        messages = eager.run_sync("What does a tired lamp say?").all_messages()
        return {"each": [classes(message.usage) for message in messages if message.kind == "response"]}

    return {call.__name__: call for call in (plain, stream, error, tool)}


def langfuse_calls(url: str, dead: str) -> dict[str, Callable[[], Seen]]:
    """Langfuse's wrapper of OpenAI's SDK inside an agent; what is no call to a model stands around them."""
    from langfuse import get_client

    openai = load("langfuse.openai:openai")
    langfuse = get_client()
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, default_headers=ONCE)
    deaf = openai.OpenAI(base_url=f"{dead}/v1", api_key="none", max_retries=0, default_headers=ONCE, timeout=0.2)
    ask: dict[str, Any] = {"model": "tiny", "max_tokens": 8, "messages": QUESTION}

    def plain() -> Seen:
        with langfuse.start_as_current_observation(as_type="agent", name="helper"):
            with langfuse.start_as_current_observation(as_type="tool", name="watts"):
                pass
            return {**openai_usage(client.chat.completions.create(**ask).usage)}

    def stream() -> Seen:
        chunks = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
        return {"streamed": True, **openai_usage(chunks[-1].usage)}

    def timeout() -> Seen:
        try:
            deaf.chat.completions.create(**ask)
        except openai.APITimeoutError:
            return {"outcome": "timeout", "tokens": None}
        raise AssertionError("the dead server answered")

    def embedding() -> Seen:
        with langfuse.start_as_current_observation(
            as_type="embedding", name="embed", model="text-embedding-3-small", usage_details={"input": 5}
        ):
            return {"tokens": [5, 0, 0, 0, 0]}

    return {call.__name__: call for call in (plain, stream, timeout, embedding)}


CALLS = {
    "openai": openai_calls,
    "anthropic": anthropic_calls,
    "pydantic": pydantic_calls,
    "langfuse": langfuse_calls,
}


def say(line: Seen) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def exporting() -> Any:
    """A tracer provider whose spans the official exporter sends where the environment says."""
    provider = load("opentelemetry.sdk.trace:TracerProvider")()
    exporter = load("opentelemetry.exporter.otlp.proto.http.trace_exporter:OTLPSpanExporter")()
    provider.add_span_processor(load("opentelemetry.sdk.trace.export:BatchSpanProcessor")(exporter))
    importlib.import_module("opentelemetry.trace").set_tracer_provider(provider)
    return provider


def exporting_logs() -> Any:
    """A logger provider whose records the official exporter sends where the environment says."""
    provider = load("opentelemetry.sdk._logs:LoggerProvider")()
    exporter = load("opentelemetry.exporter.otlp.proto.http._log_exporter:OTLPLogExporter")()
    provider.add_log_record_processor(load("opentelemetry.sdk._logs.export:BatchLogRecordProcessor")(exporter))
    importlib.import_module("opentelemetry._logs").set_logger_provider(provider)
    return provider


def instrument(name: str) -> None:
    sdk, _distribution, place = EMITTERS[{MESSAGES: "openai_v2", EVENTS: "openllmetry_openai"}.get(name, name)]
    if name == MESSAGES:
        vars(importlib.import_module(place))["is_experimental_mode"] = lambda: False
    if place:
        chosen = {"use_attributes": False} if name == EVENTS else {}
        load(f"{place}:{INSTRUMENTORS[sdk]}")(**chosen).instrument()


def timed(call: str, run: Callable[[], Seen]) -> Seen:
    """What the caller saw of a call, and when by the clock that spans go by."""
    began = time.time_ns()
    seen = run()
    return {"call": call, "outcome": "ok", "streamed": False, "began": began, "ended": time.time_ns(), **seen}


def main(name: str, url: str, dead: str) -> None:
    """One emitter, its calls exported one by one."""
    sdk, distribution, _place = EMITTERS[name]
    provider = exporting()
    instrument(name)
    say({"emitter": f"{distribution} {version(distribution)}", "sdk": f"{sdk} {version(sdk)}"})
    for call, run in CALLS[sdk](url, dead).items():
        seen = timed(call, run)
        provider.force_flush()
        say(seen)
    provider.shutdown()


def serve() -> None:
    """Each order in a fork of its own, all at once; a line of what was seen for each call, or of what went wrong."""
    for module in HEAVY:
        importlib.import_module(module)
    orders = [json.loads(line) for line in sys.stdin]
    for order in {order["sdk"]: order for order in orders if order["sdk"] in INSTRUMENTORS}.values():
        os.environ.update(order["environment"])
        calls = CALLS[order["sdk"]](order["url"], order["dead"])
        for call in set(order["calls"]) - {"timeout"}:  # once for all: SDKs put off much until they are used
            calls[call]()
    children = [os.fork() or obey(order) for order in orders]
    for child in children:
        os.waitpid(child, 0)


def obey(order: dict[str, Any]) -> int:
    """Never returns."""
    lines: list[Seen]
    try:
        os.environ.update(order["environment"])
        provider, logs = exporting(), exporting_logs()
        for name in order["emitters"]:
            instrument(name)
        calls = CALLS[order["sdk"]](order["url"], order["dead"])
        lines = [{**timed(call, calls[call]), "order": order["name"]} for call in order["calls"]]
        for one in (logs, provider) if order["first"] == "logs" else (provider, logs):
            one.shutdown()  # Langfuse's SDK puts its own exporter beside ours
    except Exception:
        lines = [{"order": order["name"], "failed": traceback.format_exc()}]
    # One write, so that forks do not cut each other's lines.
    os.write(1, "".join(json.dumps(line) + "\n" for line in lines).encode())
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:]) if sys.argv[1:] else serve()
