"""Claude at Amazon Bedrock behind the gateway: signed calls, streams in Amazon's frames, errors; simulated."""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import botocore.session
import httpx
import openai
import pytest
from cryptography.fernet import Fernet

from providers.aws_signature import region_of, signed
from sandbox import bedrock as simulated
from sandbox.testing import Sandbox, running_sandbox
from tests.providers.engines.test_engine_ladder import check
from tests.traffic.gateway_stack import KEY, Stack, calm, stack
from traffic.gateway.bedrock import BedrockStream, prepared
from traffic.gateway.bounds import TooMuch
from traffic.gateway.routes import Target

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db
MESSAGES: Any = [{"role": "user", "content": "Hello?"}]
TEXT = "Hello from the cloud."


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


def address(sandbox: Sandbox) -> str:
    return f"{sandbox.url}/bedrock?region={simulated.REGION}"


@contextmanager
def serving(calm: Stack, sandbox: Sandbox, model: str) -> Iterator[Stack]:
    """Our own deployment at Bedrock."""
    change = (
        "UPDATE providers_deployment SET engine = '{}', url = '{}', model = '{}', api_key = '{}' WHERE slug = 'own'"
    )
    secret = Fernet(calm.gateway.environment["BREAKEVEN_KEY"]).encrypt(simulated.KEY.encode()).decode()
    with calm.changed(
        change.format("bedrock", address(sandbox), model, secret),
        change.format("llamacpp", calm.own.url, "own-model", ""),
    ):
        yield calm


@pytest.fixture
def at_bedrock(calm: Stack, sandbox: Sandbox) -> Iterator[Stack]:
    with serving(calm, sandbox, simulated.MODEL) as served:
        yield served


@pytest.fixture
def conversing(calm: Stack, sandbox: Sandbox) -> Iterator[Stack]:
    with serving(calm, sandbox, simulated.OTHER_MODEL) as served:
        yield served


def test_both_sdks_reach_claude_at_bedrock_whole_and_streamed(at_bedrock: Stack) -> None:
    claude = anthropic.Anthropic(base_url=at_bedrock.url, api_key=KEY, max_retries=0)
    gpt = openai.OpenAI(base_url=f"{at_bedrock.url}/v1", api_key=KEY, max_retries=0)
    ids = []
    whole = claude.messages.with_raw_response.create(model=simulated.MODEL, max_tokens=20, messages=MESSAGES)
    assert whole.parse().content[0].text == TEXT  # type: ignore[union-attr]
    ids.append(whole.headers["x-breakeven-request-id"])
    with claude.messages.stream(model=simulated.MODEL, max_tokens=20, messages=MESSAGES) as stream:
        assert "".join(stream.text_stream) == TEXT
        assert stream.get_final_message().usage.output_tokens == 4
        ids.append(stream.response.headers["x-breakeven-request-id"])
    completion = gpt.chat.completions.with_raw_response.create(model=simulated.MODEL, messages=MESSAGES)
    assert completion.parse().choices[0].message.content == TEXT
    ids.append(completion.headers["x-breakeven-request-id"])
    chunks = gpt.chat.completions.create(model=simulated.MODEL, messages=MESSAGES, stream=True)
    ids.append(chunks.response.headers["x-breakeven-request-id"])
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    for request_id in ids:
        row = at_bedrock.rows(request_id)
        assert (row["uncached_input"], row["cache_read"], row["output"], row["outcome"]) == (12, 3, 4, "ok")
    assert row["ttft_ms"] is not None


def test_errors_of_bedrock_reach_the_caller_before_and_within_a_stream(at_bedrock: Stack) -> None:
    claude = anthropic.Anthropic(base_url=at_bedrock.url, api_key=KEY, max_retries=0)
    with pytest.raises(anthropic.RateLimitError, match="Too many requests"):
        claude.messages.create(
            model=simulated.MODEL, max_tokens=20, messages=[{"role": "user", "content": "Wait."}],
            extra_headers={"x-breakeven-route": "own"},
        )  # fmt: skip
    with (
        pytest.raises(anthropic.APIStatusError, match="Too many tokens"),
        claude.messages.stream(
            model=simulated.MODEL, max_tokens=20, messages=[{"role": "user", "content": "Break."}]
        ) as stream,
    ):
        list(stream.text_stream)
    row = at_bedrock.newest(model=simulated.MODEL, streamed=True, outcome="error")
    assert row["error_type"] == "rate_limit_error"


TOOL: Any = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
FUNCTION: Any = {"type": "function", "function": {"name": "weather", "parameters": TOOL["input_schema"]}}


def test_every_sdk_reaches_another_model_by_converse_whole_and_streamed(conversing: Stack) -> None:
    claude = anthropic.Anthropic(base_url=conversing.url, api_key=KEY, max_retries=0)
    gpt = openai.OpenAI(base_url=f"{conversing.url}/v1", api_key=KEY, max_retries=0)
    model, ids, ways = simulated.OTHER_MODEL, [], []
    whole = claude.messages.with_raw_response.create(model=model, max_tokens=20, messages=MESSAGES)
    message = whole.parse()
    assert ([block.type for block in message.content], message.model) == (["thinking", "text"], model)
    assert (message.stop_reason, message.usage.cache_read_input_tokens) == ("end_turn", 3)
    ids.append(whole.headers["x-breakeven-request-id"])
    with claude.messages.stream(model=model, max_tokens=20, messages=MESSAGES) as stream:
        assert "".join(stream.text_stream) == TEXT
        ids.append(stream.response.headers["x-breakeven-request-id"])
    completion = gpt.chat.completions.with_raw_response.create(model=model, messages=MESSAGES)
    assert completion.parse().choices[0].message.content == TEXT
    ids.append(completion.headers["x-breakeven-request-id"])
    chunks = gpt.chat.completions.create(model=model, messages=MESSAGES, stream=True)
    ids.append(chunks.response.headers["x-breakeven-request-id"])
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    responses = gpt.responses.with_raw_response.create(model=model, input="Hello?", store=False)
    assert responses.parse().output_text == TEXT
    ids.append(responses.headers["x-breakeven-request-id"])
    for request_id in ids:
        row = conversing.rows(request_id)
        assert (row["uncached_input"], row["cache_read"], row["output"]) == (12, 3, 4)
        assert (row["cache_write_5m"], row["cache_write_1h"]) == (3, 2)
        assert row["outcome"] == "ok"
        ways.append(row["raw"]["translated"])
    assert ways == ["messages-to-converse"] * 2 + ["chat-to-converse"] * 2 + ["responses-to-converse"]
    assert conversing.rows(ids[1])["ttft_ms"] is not None


def test_tools_are_called_by_converse_and_their_results_told(conversing: Stack) -> None:
    claude = anthropic.Anthropic(base_url=conversing.url, api_key=KEY, max_retries=0)
    gpt = openai.OpenAI(base_url=f"{conversing.url}/v1", api_key=KEY, max_retries=0)
    asked: Any = {"model": simulated.OTHER_MODEL, "max_tokens": 20, "tools": [TOOL], "messages": MESSAGES}
    with claude.messages.stream(**asked) as stream:
        streamed = stream.get_final_message()
    answers: list[Any] = [claude.messages.create(**asked), streamed]
    for message in answers:
        (call,) = [block for block in message.content if block.type == "tool_use"]
        assert (call.id, call.name, call.input, message.stop_reason) == (
            "tooluse_1", "weather", simulated.ARGUMENTS, "tool_use"
        )  # fmt: skip
    result = {"type": "tool_result", "tool_use_id": "tooluse_1", "content": "Rain."}
    asked["messages"] = [*MESSAGES, {"role": "assistant", "content": message.content},
                         {"role": "user", "content": [result]}]  # fmt: skip
    assert claude.messages.create(**asked).stop_reason == "end_turn"
    completion = gpt.chat.completions.create(model=simulated.OTHER_MODEL, messages=MESSAGES, tools=[FUNCTION])
    (call_of_gpt,) = completion.choices[0].message.tool_calls or []
    assert call_of_gpt.type == "function" and json.loads(call_of_gpt.function.arguments) == simulated.ARGUMENTS


def test_errors_of_converse_reach_the_caller_and_what_it_cannot_say_is_refused(conversing: Stack) -> None:
    gpt = openai.OpenAI(base_url=f"{conversing.url}/v1", api_key=KEY, max_retries=0,
                        default_headers={"x-breakeven-route": "own"})  # fmt: skip
    model = simulated.OTHER_MODEL
    with pytest.raises(openai.RateLimitError, match="Too many requests"):
        gpt.chat.completions.create(model=model, messages=[{"role": "user", "content": "Wait."}])
    with pytest.raises(openai.APIError, match="Too many tokens"):
        list(gpt.chat.completions.create(model=model, messages=[{"role": "user", "content": "Break."}], stream=True))
    assert conversing.newest(model=model, streamed=True, outcome="error")["error_type"] == "rate_limit_error"
    with pytest.raises(openai.BadRequestError, match=r"seed cannot be carried over to Converse") as refused:
        gpt.chat.completions.create(model=model, messages=MESSAGES, seed=4)
    assert refused.value.code == "untranslatable"


def test_amazons_own_client_reads_the_simulated_converse(sandbox: Sandbox) -> None:
    client = botocore.session.get_session().create_client(
        "bedrock-runtime", region_name=simulated.REGION, endpoint_url=f"{sandbox.url}/bedrock",
        aws_access_key_id=simulated.ACCESS, aws_secret_access_key=simulated.SECRET, aws_session_token=simulated.TOKEN,
    )  # fmt: skip
    asked = {"modelId": simulated.OTHER_MODEL, "messages": [{"role": "user", "content": [{"text": "Hello?"}]}]}
    assert client.converse(**asked)["usage"] == simulated.TOKEN_USAGE
    events = [next(iter(event)) for event in client.converse_stream(**asked)["stream"]]
    assert (events[0], events[1], events[-1]) == ("messageStart", "contentBlockDelta", "metadata")


def test_tokens_are_not_counted_at_bedrock(at_bedrock: Stack) -> None:
    asked = {"model": simulated.MODEL, "messages": MESSAGES}
    headers = {"x-api-key": KEY, "x-breakeven-route": "own"}
    answer = httpx.post(f"{at_bedrock.url}/v1/messages/count_tokens", json=asked, headers=headers)
    assert (answer.status_code, answer.headers["x-breakeven-error"]) == (404, "no-target")


def test_a_check_proves_key_and_model(sandbox: Sandbox) -> None:
    def checked(model: str, key: str, *, completion: bool = False) -> Any:
        return check("bedrock", address(sandbox), model=model, api_key=key, completion=completion)

    well = checked(simulated.MODEL, simulated.KEY, completion=True)
    assert (well.ok, well.step, well.cause) == (True, "completion", "")
    other = checked(simulated.OTHER_MODEL, simulated.KEY, completion=True)
    assert (other.ok, other.step, other.cause) == (True, "completion", "")
    assert not checked("eu.anthropic.other", simulated.KEY).ok
    assert not checked(simulated.MODEL, simulated.KEY.replace("secret", "other")).ok


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://bedrock-runtime.eu-west-3.amazonaws.com", "eu-west-3"),
        ("https://vpce-1.bedrock-runtime.internal/x?region=us-west-2", "us-west-2"),
        ("https://proxy.example", "us-east-1"),
    ],
)
def test_the_region_stands_in_the_address(url: str, region: str) -> None:
    assert region_of(url) == region


def test_a_key_without_a_colon_is_a_bearer_token_and_without_a_key_nothing_is_signed() -> None:
    assert signed("GET", "https://x", b"", {}, key="bedrock-api-key", region="r") == {
        "authorization": "Bearer bedrock-api-key"
    }
    assert signed("GET", "https://x", b"", {"a": "b"}, key="", region="r") == {"a": "b"}


def test_a_call_names_the_model_in_its_path_and_the_betas_in_its_body() -> None:
    target = Target(1, "b", "aws", "bedrock", "https://bedrock-runtime.eu-west-1.amazonaws.com", "a/b:0", api_key="A:s")
    body = b'{"model":"a/b:0","stream":true,"max_tokens":1}'
    callers = [(b"anthropic-beta", b"one, two"), (b"x-api-key", b"secret of the caller")]
    url, headers, sent = asyncio.run(prepared(target, body, callers))
    root = "https://bedrock-runtime.eu-west-1.amazonaws.com"
    assert str(url) == f"{root}/model/a%2Fb:0/invoke-with-response-stream"
    assert sent == b'{"max_tokens":1,"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["one","two"]}'
    assert "secret of the caller" not in str(headers)
    assert dict(headers)["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=A/")


def test_the_reader_of_frames_is_imported_before_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "botocore.eventstream", raising=False)
    target = Target(1, "b", "aws", "bedrock", "https://bedrock-runtime.eu-west-1.amazonaws.com", "m", api_key="bearer")
    for streamed in (False, True):
        body = b'{"model":"m","stream":%b,"max_tokens":1}' % str(streamed).lower().encode()
        asyncio.run(prepared(target, body, []))
        assert ("botocore.eventstream" in sys.modules) is streamed


class Upstream:
    """An answer that comes in these pieces."""

    raw_headers = ((b"content-type", b"application/vnd.amazon.eventstream"),)

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.content = self

    async def iter_any(self) -> Any:
        for piece in self.pieces:
            yield piece


def events_of(*pieces: bytes) -> bytes:
    async def read() -> bytes:
        return b"".join([events async for events in BedrockStream(Upstream(*pieces)).iter_any()])  # type: ignore[arg-type]

    return asyncio.run(read())


def test_frames_that_are_cut_anywhere_give_the_same_events() -> None:
    frame = simulated.frame_of({":message-type": "event"}, {"bytes": "eyJ0eXBlIjoicGluZyJ9"})
    whole = events_of(frame * 2)
    assert whole == b'event: ping\ndata: {"type":"ping"}\n\n' * 2
    for size in (1, 7, 13):
        assert events_of(*(frame[at : at + size] for at in range(0, len(frame), size))) * 2 == whole
    odd = simulated.frame_of({":message-type": "event"}, {"bytes": "no base64"})
    assert b"cannot be read" in events_of(odd)


@pytest.mark.parametrize("spoilt", [b"x" * 200, b"\0" * 200])
def test_what_is_no_frame_ends_the_stream(spoilt: bytes) -> None:
    with pytest.raises(TooMuch):
        events_of(spoilt)


def test_a_frame_without_an_end_is_not_waited_for() -> None:
    prelude = struct.pack("!II", 20 << 20, 0)
    head = prelude + struct.pack("!I", zlib.crc32(prelude))
    with pytest.raises(TooMuch):
        events_of(head, *([b"x" * (1 << 20)] * 19))
