"""Calls that are translated, by the official clients: each way in to a deployment that does not speak its protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.traffic.gateway_openai import CALLS
from tests.traffic.gateway_stack import KEY, VENDOR_KEY, Stack, calm, stack

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db

CLASSES = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
TOOLS = ("weather", "time")
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
MESSAGES: Any = [{"role": "user", "content": "Hello?"}]


@pytest.fixture(scope="module")
def one_sided(stack: Stack) -> Iterator[Stack]:
    """Our own engine is one that speaks Chat Completions alone."""
    with stack.changed(
        "UPDATE providers_deployment SET engine = 'openai_compatible' WHERE slug = 'own'",
        "UPDATE providers_deployment SET engine = 'llamacpp' WHERE slug = 'own'",
    ):
        yield stack


@pytest.fixture
def sides(one_sided: Stack, calm: Stack) -> Stack:
    return one_sided


# What each client heard: the text, the calls of tools, why it ended, its input and output tokens.
Heard = tuple[str, list[tuple[str, str, Any]], str | None, int, int]


def by_messages(stack: Stack, model: str, *, streamed: bool) -> tuple[Heard, str]:
    client = anthropic.Anthropic(base_url=stack.url, api_key=KEY, max_retries=0)
    tools: Any = [{"name": name, "input_schema": SCHEMA} for name in TOOLS]
    request: Any = {"model": model, "max_tokens": 50, "messages": MESSAGES, "tools": tools}
    if streamed:
        with client.messages.stream(**request) as stream:
            message, headers = stream.get_final_message(), stream.response.headers
    else:
        raw = client.messages.with_raw_response.create(**request)
        message, headers = raw.parse(), raw.headers
    text = "".join(block.text for block in message.content if block.type == "text")
    calls = [(block.id, block.name, block.input) for block in message.content if block.type == "tool_use"]
    usage = message.usage
    total = usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return (text, calls, message.stop_reason, total, usage.output_tokens), headers["x-breakeven-request-id"]


def by_chat(stack: Stack, model: str, *, streamed: bool) -> tuple[Heard, str]:
    client = openai.OpenAI(base_url=f"{stack.url}/v1", api_key=KEY, max_retries=0)
    tools: Any = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in TOOLS]
    request: Any = {"model": model, "messages": MESSAGES, "tools": tools}
    if streamed:
        with client.chat.completions.stream(**request, stream_options={"include_usage": True}) as stream:
            completion, headers = stream.get_final_completion(), stream._response.headers
    else:
        raw = client.chat.completions.with_raw_response.create(**request)
        completion, headers = raw.parse(), raw.headers
    message, usage = completion.choices[0].message, completion.usage
    assert usage is not None
    calls = [(call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or []]
    reason = completion.choices[0].finish_reason
    return (message.content or "", calls, reason, usage.prompt_tokens, usage.completion_tokens), headers[
        "x-breakeven-request-id"
    ]


def by_responses(stack: Stack, model: str, *, streamed: bool) -> tuple[Heard, str]:
    client = openai.OpenAI(base_url=f"{stack.url}/v1", api_key=KEY, max_retries=0)
    tools: Any = [{"type": "function", "name": name, "parameters": SCHEMA, "strict": False} for name in TOOLS]
    request: Any = {"model": model, "input": "Hello?", "tools": tools}
    if streamed:
        with client.responses.stream(**request) as stream:
            response, headers = stream.get_final_response(), stream._response.headers
    else:
        raw = client.responses.with_raw_response.create(**request)
        response, headers = raw.parse(), raw.headers
    calls = [
        (item.call_id, item.name, json.loads(item.arguments))
        for item in response.output
        if item.type == "function_call"
    ]
    usage = response.usage
    assert usage is not None
    return (response.output_text, calls, response.status, usage.input_tokens, usage.output_tokens), headers[
        "x-breakeven-request-id"
    ]


WAYS: dict[str, tuple[Callable[..., tuple[Heard, str]], str, str]] = {
    "messages-to-chat": (by_messages, "own-model", "own"),
    "chat-to-messages": (by_chat, "claude-test", "claude"),
    "responses-to-messages": (by_responses, "claude-test", "claude"),
    "responses-to-chat": (by_responses, "own-model", "own"),
}
ENDS = {by_messages: ("end_turn", "tool_use"), by_chat: ("stop", "tool_calls"), by_responses: ("completed",) * 2}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", WAYS)
def test_a_client_hears_the_answer_in_its_own_protocol(sides: Stack, name: str, streamed: bool) -> None:
    call, model, slug = WAYS[name]
    (text, calls, end, total, output), request_id = call(sides, model, streamed=streamed)
    assert (text, calls, end) == ("Hello.", [], ENDS[call][0])
    row = sides.rows(request_id)
    assert (row["outcome"], row["http_status"], row["streamed"]) == ("ok", 200, streamed)
    assert row["raw"]["translated"] == name
    assert (sum(row[column] for column in CLASSES[:4]), row["output"]) == (total, output)
    assert (row["ttft_ms"] is not None) is streamed
    assert row["provider"] == {"own": "self", "claude": "anthropic"}[slug]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", WAYS)
def test_a_client_hears_calls_of_tools_that_were_made_together(sides: Stack, name: str, streamed: bool) -> None:
    call, model, slug = WAYS[name]
    engine = sides.own if slug == "own" else sides.claude
    engine.behaviour = "calls"
    (text, calls, end, total, output), request_id = call(sides, model, streamed=streamed)
    assert (text, end, total, output) == ("Let me see.", ENDS[call][1], 360, 7)
    assert calls == [(identifier, tool, json.loads(said)) for identifier, tool, said in CALLS]
    row = sides.rows(request_id)
    assert [row[column] for column in CLASSES] == [20, 300, 40, 0, 7]
    received = json.loads(engine.seen[0]["body"])
    assert len(received["tools"]) == 2 and received["model"] == model


def test_a_translated_call_has_the_headers_and_the_key_of_its_deployment(sides: Stack) -> None:
    headers = {"authorization": f"Bearer {KEY}", "openai-beta": "x", "user-agent": "mine"}
    body = {"model": "claude-test", "messages": MESSAGES}
    answer = httpx.post(f"{sides.url}/v1/chat/completions?x=1", json=body, headers=headers)
    assert answer.headers["x-breakeven-translated"] == "chat-to-messages"
    seen = {name.lower(): value for name, value in sides.claude.seen[0]["headers"].items()}
    assert (sides.claude.seen[0]["path"], seen["x-api-key"]) == ("/v1/messages", VENDOR_KEY)
    assert (seen["anthropic-version"], seen["user-agent"]) == ("2023-06-01", "mine")
    assert not {"openai-beta", "authorization"} & seen.keys()


def test_what_cannot_be_carried_over_is_refused_by_its_name_and_recorded(sides: Stack) -> None:
    client = openai.OpenAI(base_url=f"{sides.url}/v1", api_key=KEY, max_retries=0)
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="claude-test", messages=MESSAGES, seed=7)
    response = refused.value.response
    assert response.headers["x-breakeven-error"] == "untranslatable"
    words = "seed cannot be carried over to Messages. This call would go to claude."
    assert response.json()["error"]["message"] == words
    row = sides.rows(response.headers["x-breakeven-request-id"])
    assert (row["outcome"], row["error_type"], row["output"]) == ("error", "untranslatable", 0)
    assert not sides.claude.seen and not sides.own.seen


def test_an_error_of_the_deployment_has_the_callers_shape(sides: Stack) -> None:
    sides.claude.behaviour = "400"
    with pytest.raises(openai.BadRequestError) as refused:
        by_chat(sides, "claude-test", streamed=False)
    assert refused.value.response.json()["error"]["message"] == "no"
    row = sides.rows(refused.value.response.headers["x-breakeven-request-id"])
    assert (row["http_status"], row["error_type"], row["output"]) == (400, "invalid_request_error", 0)
    sides.own.behaviour = "400"
    with pytest.raises(anthropic.BadRequestError) as wrong:
        by_messages(sides, "own-model", streamed=True)
    assert wrong.value.response.json() == {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}


def test_a_failing_deployment_is_left_for_one_that_needs_a_translation(sides: Stack) -> None:
    sides.own.behaviour = "500"
    headers = {"authorization": f"Bearer {KEY}", "x-breakeven-task": "rag"}
    body = {"model": "own-model", "messages": MESSAGES}
    answer = httpx.post(f"{sides.url}/v1/chat/completions", json=body, headers=headers)
    assert answer.headers["x-breakeven-deployment"] == "claude"
    assert answer.headers["x-breakeven-translated"] == "chat-to-messages"
    assert answer.json()["choices"][0]["message"]["content"] == "Hello."


def test_a_translated_stream_that_breaks_off_is_an_error(sides: Stack) -> None:
    sides.claude.behaviour = "break"
    with pytest.raises(openai.APIError):
        by_chat(sides, "claude-test", streamed=True)
    row = sides.newest(error_type="upstream-broke-off", streamed=True)
    assert (row["outcome"], row["output"], row["raw"]["translated"]) == ("error", None, "chat-to-messages")


def test_an_error_inside_a_translated_stream_reaches_the_client(sides: Stack) -> None:
    sides.claude.behaviour = "stream-error"
    with pytest.raises(openai.APIError, match="busy"):
        by_chat(sides, "claude-test", streamed=True)
    row = sides.newest(error_type="overloaded_error")
    assert row["outcome"] == "error"


def test_a_caller_that_hangs_up_is_recorded(sides: Stack) -> None:
    sides.claude.behaviour = "endless"
    body = {"model": "claude-test", "messages": MESSAGES, "stream": True}
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.stream("POST", f"{sides.url}/v1/chat/completions", json=body, headers=headers) as answer:
        request_id = answer.headers["x-breakeven-request-id"]
        next(answer.iter_bytes())
    assert sides.claude.hung_up.wait(120)
    row = sides.rows(request_id)
    assert (row["outcome"], row["error_type"]) == ("cancelled", "caller_hung_up")


def test_an_answer_that_is_none_is_told_in_the_callers_shape(sides: Stack) -> None:
    sides.claude.behaviour = "deep"
    answer = httpx.post(
        f"{sides.url}/v1/responses",
        json={"model": "claude-test", "input": "Hello?"},
        headers={"authorization": f"Bearer {KEY}"},
        timeout=20,
    )
    assert (answer.status_code, answer.headers["x-breakeven-error"]) == (502, "upstream-broke-off")
    assert answer.json()["error"]["code"] == "upstream-broke-off"


def test_counting_tokens_is_never_translated(sides: Stack) -> None:
    body = {"model": "own-model", "messages": MESSAGES}
    answer = httpx.post(f"{sides.url}/v1/messages/count_tokens", json=body, headers={"x-api-key": KEY})
    assert (answer.json(), answer.headers["x-breakeven-deployment"]) == ({"input_tokens": 12}, "claude")


def test_a_call_that_needs_no_translation_passes_with_every_byte(sides: Stack) -> None:
    body = b'{ "model" : "claude-test" , "max_tokens":5, "messages" : [] }'
    answer = httpx.post(f"{sides.url}/v1/messages", content=body, headers={"x-api-key": KEY})
    assert "x-breakeven-translated" not in answer.headers
    assert sides.claude.seen[0]["body"] == body


DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
ADDRESS = f"data:image/png;base64,{DOT}"


def image_by_messages(stack: Stack, model: str) -> str:
    image: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DOT}}
    content: Any = [{"type": "text", "text": "What is this?"}, image]
    answer = anthropic.Anthropic(base_url=stack.url, api_key=KEY, max_retries=0).messages.create(
        model=model, max_tokens=50, messages=[{"role": "user", "content": content}],
        extra_headers={"x-breakeven-route": model.partition("-")[0]},
    )  # fmt: skip
    return "".join(block.text for block in answer.content if block.type == "text")


def image_by_chat(stack: Stack, model: str) -> str:
    content: Any = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": ADDRESS}}]
    client = openai.OpenAI(base_url=f"{stack.url}/v1", api_key=KEY, max_retries=0)
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": content}],
        extra_headers={"x-breakeven-route": model.partition("-")[0]},
    )  # fmt: skip
    return answer.choices[0].message.content or ""


def image_by_responses(stack: Stack, model: str) -> str:
    content: Any = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": ADDRESS}]
    client = openai.OpenAI(base_url=f"{stack.url}/v1", api_key=KEY, max_retries=0)
    answer = client.responses.create(
        model=model, input=[{"role": "user", "content": content}],
        extra_headers={"x-breakeven-route": model.partition("-")[0]},
    )  # fmt: skip
    return answer.output_text


BY_IMAGE = {by_messages: image_by_messages, by_chat: image_by_chat, by_responses: image_by_responses}


@pytest.mark.parametrize("name", WAYS)
def test_an_image_of_each_sdk_reaches_the_engine_in_its_own_words(sides: Stack, name: str) -> None:
    call, model, slug = WAYS[name]
    assert BY_IMAGE[call](sides, model) == "Hello."
    seen = json.loads((sides.own if slug == "own" else sides.claude).seen[-1]["body"])
    text, image = seen["messages"][-1]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    if slug == "own":
        assert (image["type"], image["image_url"]["url"]) == ("image_url", ADDRESS)
    else:
        assert image == {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DOT}}
