"""Converse as Amazon describes it: its own description of the call is the judge of what is written."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given, settings

from tests.traffic.gateway.translation.conversations import requests
from traffic.gateway.answers import StreamTap, read_answer
from traffic.gateway.bedrock import BedrockStream
from traffic.gateway.protocols import ANTHROPIC, CONVERSE, OPENAI
from traffic.gateway.routes import Target
from traffic.gateway.translation import Translation, Unreadable, Untranslatable, converse, messages
from traffic.gateway.translation.neutral import Call, Request, Result, Text
from traffic.gateway.usage_tokens import Tokens, converse_tokens

SHAPE = botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("Converse").input_shape
SMALL = {"url": "data:image/png;base64,aGk=", "detail": "low"}


def written(request: Request) -> dict[str, Any]:
    """The body, which Amazon's description of it allows."""
    body: dict[str, Any] = json.loads(
        json.dumps(converse.write_request(request, "m"), default=lambda raw: json.loads(bytes(raw)))
    )
    del body["model"], body["stream"]
    problems = ParamValidator().validate({**body, "modelId": "m"}, SHAPE)
    assert not problems.has_errors(), problems.generate_report()
    return body


@given(request=requests(media=False))
@settings(max_examples=60)
def test_what_is_written_is_a_call_of_converse_with_every_text(request: Request) -> None:
    request.parallel = None
    calls = [part for message in request.messages for part in message.parts if isinstance(part, Call | Result)]
    if request.choice == "none" and calls:
        request.choice = "auto"
    body = written(request)
    blocks = [block for message in body["messages"] for block in message["content"]]
    texts = [part.text for message in request.messages for part in message.parts if isinstance(part, Text)]
    assert [block["text"] for block in blocks if "text" in block] == [text for text in texts if text.strip()]
    assert len([block for block in blocks if block.keys() & {"toolUse", "toolResult"}]) == len(calls)
    roles = [message["role"] for message in body["messages"]]
    assert all(first != second for first, second in pairwise(roles))


def test_marks_of_the_cache_images_documents_and_failed_calls_are_carried_over() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    asked = {
        "model": "m", "max_tokens": 5, "stop_sequences": ["x"], "thinking": {"type": "disabled"},
        "metadata": {"user_id": "ann"}, "system": [{"type": "text", "text": "Be brief.", "cache_control": mark}],
        "tools": [{"name": "t", "input_schema": {"type": "object"}}], "tool_choice": {"type": "any"},
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        "messages": [
            {"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                {"type": "document", "title": "a_b.pdf",
                 "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}},
                {"type": "text", "text": "See.", "cache_control": {"type": "ephemeral"}}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                {"type": "tool_use", "id": "a b", "name": "t", "input": {"n": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a b", "is_error": True,
                                          "content": "no"}]}],
    }  # fmt: skip
    body = written(messages.read_request(asked))
    assert body == {
        "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
        "inferenceConfig": {"maxTokens": 5, "stopSequences": ["x"]},
        "requestMetadata": {"user": "ann"},
        "toolConfig": {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}],
                       "toolChoice": {"any": {}}},
        "outputConfig": {"textFormat": {"type": "json_schema", "structure": {
            "jsonSchema": {"schema": '{"type":"object"}', "name": "answer"}}}},
        "messages": [
            {"role": "user", "content": [
                {"image": {"format": "png", "source": {"bytes": "aGk="}}},
                {"document": {"format": "pdf", "name": "a b pdf", "source": {"bytes": "aGk="}}},
                {"text": "See."}, {"cachePoint": {"type": "default"}}]},
            {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}},
                {"toolUse": {"toolUseId": "a_b", "name": "t", "input": {"n": 1}}}]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "a_b", "content": [{"text": "no"}], "status": "error"}}]}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"seed": 4}, "seed"),
        ({"temperature": 1.5}, "A temperature above 1"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"parallel_tool_calls": False, "tools": [{"type": "function", "function": {"name": "t"}}]}, "one at a time"),
        ({"user": "ann!"}, "A user"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/a.png"}}]}]},
         "by its address"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": SMALL}]}]},
         "an image's detail"),
        ({"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/tiff;base64,aGk="}}]}]}, "of type image/tiff"),
        ({"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]}, "a system message"),
        ({"tool_choice": "none", "tools": [{"type": "function", "function": {"name": "t"}}],
          "messages": [{"role": "tool", "tool_call_id": "a", "content": "x"}]}, "no tool may be called"),
    ],
)  # fmt: skip
def test_what_converse_cannot_say_is_refused_by_its_name(fields: dict[str, Any], name: str) -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}], **fields}).encode()
    with pytest.raises(Untranslatable, match=rf"{name}.* cannot be carried over to Converse\."):
        Translation(OPENAI, CONVERSE, body).request("m")


def test_usage_has_its_five_classes_and_odd_details_count_for_nothing() -> None:
    usage = {"inputTokens": 1, "outputTokens": 2, "cacheReadInputTokens": 3, "cacheWriteInputTokens": 9}
    assert converse_tokens(usage) == Tokens(1, 3, 9, 0, 2)
    details: list[Any] = [{"ttl": "1h", "inputTokens": 4}, {"ttl": "5m", "inputTokens": 5}, None, {"ttl": "1h"}]
    assert converse_tokens({**usage, "cacheDetails": details}) == Tokens(1, 3, 5, 4, 2)
    assert converse_tokens({**usage, "cacheDetails": 7, "inputTokens": "no"}) == Tokens(output=2)


@pytest.mark.parametrize("content", [[{"video": {}}], {"text": "x"}, None, [{"toolUse": {"input": 4}}]])
def test_an_answer_that_is_none_of_converse_is_said_to_be_so(content: Any) -> None:
    translation = Translation(ANTHROPIC, CONVERSE, b'{"messages": [], "max_tokens": 1}')
    translation.prepare("m")
    body = json.dumps({"output": {"message": {"role": "assistant", "content": content}}}).encode()
    read_answer(CONVERSE, body, with_text=True)  # raises nothing
    with pytest.raises(Unreadable, match="none of Converse"):
        translation.answer(200, body)


def test_texts_are_kept_and_thoughts_and_arguments_counted() -> None:
    content = [{"reasoningContent": {"reasoningText": {"text": "Hm."}}}, {"text": "Hel"}, {"text": "lo."}]
    whole = read_answer(CONVERSE, json.dumps({"output": {"message": {"content": content}}}).encode(), with_text=True)
    assert "".join(whole.text) == "Hello."
    tap = StreamTap(CONVERSE, with_text=True)
    for delta in (
        {"text": "Hel"},
        {"reasoningContent": {"text": "Hm."}},
        {"toolUse": {"input": "{}"}},
        {"text": "lo."},
    ):
        tap.feed(f"data: {json.dumps({'type': 'contentBlockDelta', 'delta': delta})}\n\n".encode())
    assert ("".join(tap.answer.text), tap.answer.characters, tap.ended) == ("Hello.", 11, False)
    tap.feed(b'data: {"type": "metadata", "usage": {"inputTokens": 1, "outputTokens": 2}}\n\n')
    assert (tap.finish().tokens(CONVERSE), tap.ended) == (Tokens(1, 0, 0, 0, 2), True)


@pytest.mark.parametrize(
    ("model", "spoken"),
    [
        ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", ANTHROPIC),
        ("arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc", ANTHROPIC),
        ("mistral.mistral-large-2407-v1:0", CONVERSE),
        ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0", CONVERSE),
    ],
)
def test_claude_is_called_by_messages_and_every_other_model_by_converse(model: str, spoken: str) -> None:
    assert Target(1, "b", "aws", "bedrock", "https://x", model).protocols == {spoken}


def test_a_frame_that_cannot_be_read_is_an_error_of_its_stream() -> None:
    stream = BedrockStream(type("", (), {"raw_headers": ()})(), converse=True)
    headers = {":message-type": "event", ":event-type": "messageStart"}
    assert stream._read(headers, b'{"role":"assistant","p":"abc"}') == (
        b'data: {"type":"messageStart","role":"assistant"}\n\n'
    )
    assert b"cannot be read" in stream._read(headers, b"[1]")
