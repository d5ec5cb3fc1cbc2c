"""The gateway in front of a real llama.cpp, in both protocols."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest

from sandbox.testing import running_sandbox
from tests.documents import blocks
from tests.traffic.gateway_stack import KEY, VENDOR_KEY, Stack, stack, until

__all__ = ["stack"]  # a fixture
pytestmark = pytest.mark.django_db

MESSAGES: Any = [{"role": "user", "content": "hello world"}]


@pytest.fixture(scope="module")
def real(stack: Stack, engine_url: str) -> Iterator[Stack]:
    stack.conn.execute(
        "UPDATE providers_deployment SET url = %s, model = 'tiny', context_tokens = 2048 WHERE slug = 'own'",
        [engine_url],
    )
    until(lambda: "tiny" in httpx.get(f"{stack.url}/v1/models", headers={"x-api-key": KEY}).text)
    yield stack


def check(row: dict[str, Any], *, output: int) -> None:
    assert (row["provider"], row["model"], row["outcome"], row["route"]) == ("self", "tiny", "ok", "own-model")
    assert row["output"] == output
    assert row["uncached_input"] + row["cache_read"] > 0
    assert len(row["response_id"]) >= 20


def test_openai_plain_and_streamed(real: Stack) -> None:
    client = openai.OpenAI(base_url=f"{real.url}/v1", api_key=KEY, max_retries=0)
    plain = client.chat.completions.with_raw_response.create(model="tiny", max_tokens=8, messages=MESSAGES)
    usage = plain.parse().usage
    assert usage is not None
    row = real.rows(plain.headers["x-breakeven-request-id"])
    check(row, output=usage.completion_tokens)
    assert row["uncached_input"] + row["cache_read"] == usage.prompt_tokens
    stream = client.chat.completions.create(model="tiny", max_tokens=8, messages=MESSAGES, stream=True)
    request_id = stream.response.headers["x-breakeven-request-id"]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    row = real.rows(request_id)
    check(row, output=8)  # from the timings, for no usage was asked for
    assert 0 < row["ttft_ms"] <= row["latency_ms"]


def test_the_line_of_the_how_to_runs_as_written(real: Stack) -> None:
    (line,) = blocks("Gateway", "sh")
    given = line.replace("http://127.0.0.1:8001", real.url).replace("smollm2-135m-instruct", "tiny")
    script = f"export KEY={KEY}\n{given}"
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=120, check=True)
    row = real.newest(response_id=json.loads(done.stdout)["id"])
    assert (row["output"], row["task"]) == (20, "qa")


def test_anthropic_plain_streamed_and_counted(real: Stack) -> None:
    client = anthropic.Anthropic(base_url=real.url, api_key=KEY, max_retries=0)
    plain = client.messages.with_raw_response.create(model="tiny", max_tokens=8, messages=MESSAGES)
    check(real.rows(plain.headers["x-breakeven-request-id"]), output=plain.parse().usage.output_tokens)
    with client.messages.stream(model="tiny", max_tokens=8, messages=MESSAGES) as stream:
        assert "".join(stream.text_stream)
        request_id = stream.response.headers["x-breakeven-request-id"]
    row = real.rows(request_id)
    check(row, output=8)
    assert 0 < row["ttft_ms"] <= row["latency_ms"]
    assert client.messages.count_tokens(model="tiny", messages=MESSAGES).input_tokens > 0


def test_responses_and_completions_plain_and_streamed(real: Stack) -> None:
    client = openai.OpenAI(base_url=f"{real.url}/v1", api_key=KEY, max_retries=0)
    plain = client.responses.with_raw_response.create(model="tiny", max_output_tokens=8, input="hello world")
    usage = plain.parse().usage
    assert usage is not None
    row = real.rows(plain.headers["x-breakeven-request-id"])
    check(row, output=usage.output_tokens)
    assert row["uncached_input"] + row["cache_read"] == usage.input_tokens
    stream = client.responses.create(model="tiny", max_output_tokens=8, input="hello world", stream=True)
    request_id = stream.response.headers["x-breakeven-request-id"]
    assert any(event.type == "response.output_text.delta" for event in stream)
    row = real.rows(request_id)
    check(row, output=8)
    assert 0 < row["ttft_ms"] <= row["latency_ms"]
    text = client.completions.with_raw_response.create(model="tiny", max_tokens=8, prompt="hello world")
    assert text.parse().choices[0].text
    check(real.rows(text.headers["x-breakeven-request-id"]), output=8)
    chunks = client.completions.create(model="tiny", max_tokens=8, prompt="hello world", stream=True)
    request_id = chunks.response.headers["x-breakeven-request-id"]
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
    check(real.rows(request_id), output=8)


def test_its_errors_pass_and_are_named(real: Stack) -> None:
    client = openai.OpenAI(base_url=f"{real.url}/v1", api_key=KEY, max_retries=0)
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "x " * 6_000}])
    row = real.rows(refused.value.response.headers["x-breakeven-request-id"])
    assert (row["outcome"], row["http_status"], row["error_type"]) == ("error", 400, "exceed_context_size_error")


@pytest.fixture
def one_sided(real: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The same engine, as one that speaks Chat Completions alone; and Claude's place taken by the sandbox's."""
    monkeypatch.setattr("sandbox.anthropic.API_KEY", VENDOR_KEY)
    with running_sandbox() as sandbox:
        change = (
            "UPDATE providers_deployment SET engine = CASE slug WHEN 'own' THEN '{}' ELSE engine END,"
            " url = CASE slug WHEN 'claude' THEN '{}' ELSE url END,"
            " model = CASE slug WHEN 'claude' THEN '{}' ELSE model END"
        )
        there = change.format("openai_compatible", f"{sandbox.url}/anthropic", "claude-haiku-4-5")
        with real.changed(there, change.format("llamacpp", f"{real.claude.url}/v1", "claude-test")):
            yield real


def test_translated_calls_tell_the_tokens_that_a_real_engine_counts(one_sided: Stack) -> None:
    messages = anthropic.Anthropic(base_url=one_sided.url, api_key=KEY, max_retries=0)
    responses = openai.OpenAI(base_url=f"{one_sided.url}/v1", api_key=KEY, max_retries=0)
    plain = messages.messages.with_raw_response.create(model="tiny", max_tokens=8, messages=MESSAGES)
    assert plain.headers["x-breakeven-translated"] == "messages-to-chat"
    usage = plain.parse().usage
    row = one_sided.rows(plain.headers["x-breakeven-request-id"])
    check(row, output=usage.output_tokens)
    assert (row["uncached_input"], row["cache_read"]) == (usage.input_tokens, usage.cache_read_input_tokens)
    with messages.messages.stream(model="tiny", max_tokens=8, messages=MESSAGES) as stream:
        assert "".join(stream.text_stream)
        assert stream.get_final_message().usage.output_tokens == 8
        assert stream.get_final_message().stop_reason == "max_tokens"
        request_id = stream.response.headers["x-breakeven-request-id"]
    check(one_sided.rows(request_id), output=8)
    events = responses.responses.create(model="tiny", max_output_tokens=8, input="hello world", stream=True)
    request_id = events.response.headers["x-breakeven-request-id"]
    last = list(events)[-1]
    assert last.type == "response.incomplete" and last.response.usage is not None
    row = one_sided.rows(request_id)
    check(row, output=last.response.usage.output_tokens)
    assert row["uncached_input"] + row["cache_read"] == last.response.usage.input_tokens


def test_an_openai_client_reaches_the_sandboxs_claude(one_sided: Stack) -> None:
    client = openai.OpenAI(base_url=f"{one_sided.url}/v1", api_key=KEY, max_retries=0)
    stream = client.chat.completions.create(
        model="claude-haiku-4-5", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    request_id = stream.response.headers["x-breakeven-request-id"]
    chunks = list(stream)
    usage = chunks[-1].usage
    assert usage is not None
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    row = one_sided.rows(request_id)
    assert (row["uncached_input"], row["output"]) == (usage.prompt_tokens, usage.completion_tokens)
    whole = client.responses.create(model="claude-haiku-4-5", input="hello world")
    assert whole.usage is not None and whole.output_text
