"""Translation between the three protocols: what goes in comes out, however it is cut, and nothing is left out."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.traffic.gateway.translation.conversations import merged, replies, requests, streams
from traffic.gateway.answers import read_answer
from traffic.gateway.bounds import TooMuch
from traffic.gateway.protocols import ANTHROPIC, CHATS, OPENAI, RESPONSES, Protocol
from traffic.gateway.translation import (
    StreamTranslator,
    Translation,
    Unreadable,
    Untranslatable,
    chat,
    messages,
    responses,
    responses_replies,
    translates,
)
from traffic.gateway.translation import streams as wire
from traffic.gateway.translation.neutral import Event, Reply, Request
from traffic.gateway.translation.responses_writer import ResponsesWriter
from traffic.gateway.translation.sse import EventReader
from traffic.gateway.usage_tokens import Tokens

MODULES: dict[Protocol, Any] = {ANTHROPIC: messages, OPENAI: chat, RESPONSES: responses}
PAIRS = [(caller, spoken) for caller in sorted(CHATS) for spoken in sorted(CHATS) if caller != spoken]
WRITERS: dict[Protocol, Callable[[], Any]] = {
    ANTHROPIC: wire.MessagesWriter,
    OPENAI: lambda: wire.ChatWriter(1, with_usage=True),
    RESPONSES: lambda: ResponsesWriter(1, {}),
}
READERS: dict[Protocol, Callable[[], Any]] = {
    ANTHROPIC: wire.MessagesReader,
    OPENAI: wire.ChatReader,
    RESPONSES: wire.ResponsesReader,
}


def there_and_back(protocol: Protocol, request: Request) -> Request:
    """A request written in a protocol and read again, without the places of its messages."""
    body = json.loads(
        json.dumps(MODULES[protocol].write_request(request, "m"), default=lambda raw: json.loads(bytes(raw)))
    )
    back: Request = MODULES[protocol].read_request(body)
    for message in back.messages:
        message.where = ""
    return back


def as_it_returns(protocol: Protocol, request: Request) -> Request:
    """What a protocol has other words for: of a schema its name, of a tool whether it is strict."""
    if protocol == ANTHROPIC:
        schema = request.schema and replace(request.schema, name="", strict=True)
        return replace(request, schema=schema)
    if protocol == RESPONSES:
        return replace(request, tools=[replace(tool, strict=bool(tool.strict)) for tool in request.tools])
    return request


def without_names(request: Request) -> Request:
    """Without what one of the protocols has no word for: a schema's name, and that a tool is not strict."""
    schema = request.schema and replace(request.schema, name="")
    return replace(request, schema=schema, tools=[replace(tool, strict=tool.strict or None) for tool in request.tools])


@pytest.mark.parametrize("protocol", sorted(CHATS))
@given(request=requests())
@settings(max_examples=60)
def test_a_request_survives_the_way_into_a_protocol_and_back(protocol: Protocol, request: Request) -> None:
    assert there_and_back(protocol, request) == as_it_returns(protocol, request)


@pytest.mark.parametrize(("caller", "spoken"), PAIRS)
@given(request=requests())
@settings(max_examples=25)
def test_a_request_survives_the_way_through_another_protocol(
    caller: Protocol, spoken: Protocol, request: Request
) -> None:
    body = json.dumps(MODULES[caller].write_request(request, "m"), default=lambda raw: json.loads(bytes(raw)))
    through = json.loads(Translation(caller, spoken, body.encode()).request("other"))
    assert through["model"] == "other"
    back: Request = MODULES[spoken].read_request(through)
    for message in back.messages:
        message.where = ""
    assert without_names(back) == without_names(request)


def read_reply(protocol: Protocol, body: Any) -> Reply:
    readers: dict[Protocol, Any] = {
        ANTHROPIC: messages.read_reply, OPENAI: chat.read_reply, RESPONSES: responses_replies.read_reply,
    }  # fmt: skip
    reply: Reply = readers[protocol](body)
    reply.id = reply.id.removeprefix("resp_")
    return reply


def written(protocol: Protocol, reply: Reply) -> Any:
    match protocol:
        case "anthropic":
            body: Any = messages.write_reply(reply)
        case "openai":
            body = chat.write_reply(reply, 1)
        case _:
            body = responses_replies.write_reply(reply, 1, {})
    return json.loads(json.dumps(body))


@pytest.mark.parametrize("protocol", sorted(CHATS))
@given(reply=replies())
@settings(max_examples=60)
def test_an_answer_survives_the_way_into_a_protocol_and_back(protocol: Protocol, reply: Reply) -> None:
    assert read_reply(protocol, written(protocol, reply)) == reply


@pytest.mark.parametrize(("caller", "spoken"), PAIRS)
@given(reply=replies())
@settings(max_examples=25)
def test_the_tokens_of_a_translated_answer_are_those_of_its_engine(
    caller: Protocol, spoken: Protocol, reply: Reply
) -> None:
    translation = Translation(caller, spoken, b'{"model": "m"}')
    passed = translation.answer(200, json.dumps(written(spoken, reply)).encode())
    assert read_answer(caller, passed).tokens(caller) == read_answer(
        spoken, json.dumps(written(spoken, reply)).encode()
    ).tokens(spoken)


def bytes_of(protocol: Protocol, events: list[Event]) -> bytes:
    writer = WRITERS[protocol]()
    return b"".join(writer.write(event) for event in events)


def events_of(protocol: Protocol, stream: bytes) -> list[Event]:
    reader, events = READERS[protocol](), []
    for data in EventReader().feed(stream):
        events += reader.end() if data == b"[DONE]" else reader.read(json.loads(data))
    return [*events, *reader.finish()]


@pytest.mark.parametrize("protocol", sorted(CHATS))
@given(events=streams())
@settings(max_examples=60)
def test_a_stream_survives_the_way_into_a_protocol_and_back(protocol: Protocol, events: list[Event]) -> None:
    assert merged(events_of(protocol, bytes_of(protocol, events))) == merged(events)


@pytest.mark.parametrize(("caller", "spoken"), PAIRS)
@given(events=streams(), data=st.data())
@settings(max_examples=25)
def test_a_stream_is_translated_alike_however_it_is_cut(
    caller: Protocol, spoken: Protocol, events: list[Event], data: st.DataObject
) -> None:
    stream = bytes_of(spoken, events)
    body = b'{"model": "m", "stream_options": {"include_usage": true}}'

    def passed(cuts: list[int]) -> bytes:
        translator = Translation(caller, spoken, body).stream()
        pieces = [translator.feed(stream[start:end]) for start, end in itertools.pairwise([0, *cuts, len(stream)])]
        return b"".join([*pieces, translator.finish()])

    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    assert "created" in str(passed([])) or caller == ANTHROPIC
    assert merged(events_of(caller, passed(cuts))) == merged(events_of(caller, passed([]))) == merged(events)


def test_the_first_pieces_pass_before_the_last_come() -> None:
    events = [b'data: {"id": "c", "choices": [{"delta": {"content": "Hel"}}]}\n\n', b"data: [DONE]\n\n"]
    translator = Translation(ANTHROPIC, OPENAI, b'{"model": "m"}').stream()
    assert b'"text":"Hel"' in translator.feed(events[0])
    assert b"message_stop" in translator.feed(events[1])


SAID = {"role": "user", "content": "Hi"}
IMAGE = {"type": "image_url", "image_url": {"url": "ftp://x"}}


@pytest.mark.parametrize(
    ("caller", "spoken", "fields", "named"),
    [
        (OPENAI, ANTHROPIC, {"frequency_penalty": 0.5}, "frequency_penalty"),
        (OPENAI, ANTHROPIC, {"seed": 7}, "seed"),
        (OPENAI, ANTHROPIC, {"n": 2}, "n"),
        (OPENAI, ANTHROPIC, {"logprobs": True}, "logprobs"),
        (OPENAI, ANTHROPIC, {"metadata": {"a": "b"}}, "metadata"),
        (OPENAI, ANTHROPIC, {"temperature": 1.5}, "A temperature above 1"),
        (OPENAI, ANTHROPIC, {"functions": [{"name": "f"}]}, "functions"),
        (OPENAI, ANTHROPIC, {"response_format": {"type": "json_object"}}, "response_format"),
        (OPENAI, ANTHROPIC, {"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools.0: a tool of type custom"),
        (OPENAI, ANTHROPIC, {"messages": [SAID, {"role": "system", "content": "x"}]}, "messages.1: a system message"),
        (OPENAI, ANTHROPIC, {"messages": [{**SAID, "name": "Ada"}]}, "messages.0.name"),
        (OPENAI, ANTHROPIC, {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input_audio"),
        (OPENAI, ANTHROPIC, {"messages": [{"role": "user", "content": [IMAGE]}]}, "messages.0: an address"),
        (OPENAI, RESPONSES, {"stop": ["x"]}, "A stop sequence"),
        (ANTHROPIC, OPENAI, {"top_k": 5}, "top_k"),
        (ANTHROPIC, OPENAI, {"tools": [{"type": "web_search_20250305", "name": "w"}]}, "web_search_20250305"),
        (ANTHROPIC, OPENAI, {"mcp_servers": [{"url": "x"}]}, "mcp_servers"),
        (ANTHROPIC, OPENAI, {"container": "x"}, "container"),
        (
            ANTHROPIC, OPENAI,
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
                {"type": "image", "source": {"type": "url", "url": "https://x"}}]}]}]},
            "messages.0: an image or a file in the result of a tool",
        ),
        (
            ANTHROPIC, OPENAI,
            {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file"}}]}]},
            "messages.0.content.0.source: a source of type file",
        ),
        (RESPONSES, OPENAI, {"previous_response_id": "resp_1"}, "previous_response_id"),
        (RESPONSES, OPENAI, {"conversation": "c"}, "conversation"),
        (RESPONSES, ANTHROPIC, {"store": True}, "store"),
        (RESPONSES, ANTHROPIC, {"background": True}, "background"),
        (RESPONSES, ANTHROPIC, {"tools": [{"type": "web_search"}]}, "tools.0: a tool of type web_search"),
        (RESPONSES, ANTHROPIC, {"input": [{"type": "item_reference", "id": "x"}]}, "input.0: an item of type"),
        (RESPONSES, ANTHROPIC, {"include": ["file_search_call.results"]}, "include: file_search_call.results"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_over_is_named(
    caller: Protocol, spoken: Protocol, fields: dict[str, Any], named: str
) -> None:
    start: dict[str, Any] = {"input": "Hi"} if caller == RESPONSES else {"messages": [SAID]}
    body = json.dumps({"model": "m", **start, **fields}).encode()
    with pytest.raises(Untranslatable, match=r"cannot be carried over to .*\.$") as refused:
        Translation(caller, spoken, body).request("x")
    assert str(refused.value).startswith(named) or named in str(refused.value)


def test_values_that_mean_nothing_are_no_reason_to_refuse() -> None:
    fields = {"n": 1, "frequency_penalty": 0, "logprobs": False, "seed": None, "store": False, "service_tier": "auto"}
    body = json.dumps({"model": "m", "messages": [SAID], **fields}).encode()
    assert json.loads(Translation(OPENAI, ANTHROPIC, body).request("x")) == {
        "model": "x", "max_tokens": 8192, "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    }  # fmt: skip


def test_the_results_of_parallel_calls_stand_together_where_they_must() -> None:
    calls = [{"id": f"functions.f:{n}", "type": "function", "function": {"name": "f", "arguments": ""}} for n in (0, 1)]
    results = [{"role": "tool", "tool_call_id": f"functions.f:{n}", "content": f"r{n}"} for n in (0, 1)]
    asked = [
        SAID,
        {"role": "assistant", "content": None, "tool_calls": calls},
        *results,
        {"role": "user", "content": "?"},
    ]
    body = json.dumps({"model": "m", "messages": asked}).encode()
    said = json.loads(Translation(OPENAI, ANTHROPIC, body).request("x"))["messages"]
    assert [message["role"] for message in said] == ["user", "assistant", "user"]
    assert said[1]["content"][0] == {"type": "tool_use", "id": "functions_f_0", "name": "f", "input": {}}
    assert [block.get("tool_use_id") for block in said[2]["content"]] == ["functions_f_0", "functions_f_1", None]


def test_a_call_that_failed_says_so_in_its_text() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "is_error": True, "content": "no such file"}
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": [result]}]}).encode()
    said = json.loads(Translation(ANTHROPIC, OPENAI, body).request("x"))["messages"]
    assert said == [{"role": "tool", "tool_call_id": "t", "content": "Error: no such file"}]


def test_thoughts_travel_in_cipher_and_come_back_to_who_wrote_them() -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "text", "text": "Yes"},
    ]
    answer = {"id": "msg_1", "model": "c", "content": blocks, "stop_reason": "end_turn", "usage": {}}
    translation = Translation(RESPONSES, ANTHROPIC, b'{"model": "m", "input": "Hi"}')
    output = json.loads(translation.answer(200, json.dumps(answer).encode()))["output"]
    assert [item["type"] for item in output] == ["reasoning", "reasoning", "message"]
    again = {"model": "m", "input": [{"role": "user", "content": "Hi"}, *output, {"role": "user", "content": "And?"}]}
    said = json.loads(Translation(RESPONSES, ANTHROPIC, json.dumps(again).encode()).request("x"))["messages"]
    assert said[1]["content"] == blocks


def test_marks_of_the_cache_are_kept_where_there_is_such_a_thing() -> None:
    part = {"type": "text", "text": "Long", "cache_control": {"type": "ephemeral"}}
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": [part]}]}).encode()
    assert json.loads(Translation(OPENAI, ANTHROPIC, body).request("x"))["messages"][0]["content"] == [part]
    assert json.loads(Translation(ANTHROPIC, OPENAI, body).request("x"))["messages"][0]["content"] == "Long"


@pytest.mark.parametrize("caller", [ANTHROPIC, OPENAI, RESPONSES])
def test_an_error_has_the_callers_shape_and_the_engines_words(caller: Protocol) -> None:
    spoken = OPENAI if caller == ANTHROPIC else ANTHROPIC
    told = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    error = json.loads(Translation(caller, spoken, b"{}").answer(429, json.dumps(told).encode()))["error"]
    assert (error["type"], error["message"]) == ("rate_limit_error", "slow down")
    page = json.loads(Translation(caller, spoken, b"{}").answer(502, b"<html>"))
    assert page["error"]["message"] == "The deployment answered with HTTP 502."


def test_an_error_inside_a_stream_reaches_the_caller() -> None:
    stream = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
    chats = Translation(OPENAI, ANTHROPIC, b"{}").stream().feed(stream)
    assert json.loads(chats[6:])["error"]["message"] == "busy"
    failed = Translation(RESPONSES, ANTHROPIC, b"{}").stream().feed(stream)
    assert b'"status":"failed"' in failed and b"overloaded_error" in failed


@pytest.mark.parametrize("caller", [ANTHROPIC, RESPONSES])
def test_nothing_follows_an_error_inside_a_stream(caller: Protocol) -> None:
    """vLLM ends with [DONE] whatever happened."""
    begun = b'data: {"id": "c", "choices": [{"delta": {"content": "Hel"}}]}\n\n'
    failed = b'data: {"error": {"message": "engine died", "code": 500}}\n\n'
    translator = Translation(caller, OPENAI, b"{}").stream()
    ended = translator.feed(begun + failed)
    assert b"engine died" in ended
    assert translator.feed(b"data: [DONE]\n\n") + translator.finish() == b""


def test_calls_made_together_stream_one_after_the_other() -> None:
    deltas: list[Any] = [
        {"role": "assistant", "content": None},
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"x":1}'}}]},
        {"tool_calls": [{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}]},
    ]
    chunks = [{"id": "c", "choices": [{"delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"id": "c", "choices": [{"delta": {}, "finish_reason": "tool_calls"}]})
    stream = b"".join(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks)
    translator = Translation(ANTHROPIC, OPENAI, b"{}").stream()
    events = [json.loads(data) for data in EventReader().feed(translator.feed(stream) + translator.finish())]
    kinds = [(event["type"], event.get("index")) for event in events]
    assert kinds == [
        ("message_start", None), ("content_block_start", 0), ("content_block_delta", 0), ("content_block_stop", 0),
        ("content_block_start", 1), ("content_block_delta", 1), ("content_block_stop", 1), ("message_delta", None),
        ("message_stop", None),
    ]  # fmt: skip
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
    assert events[-2]["usage"] == {"input_tokens": None, "output_tokens": None}  # unknown is not zero


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["user", "assistant", "text", "message"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "messages role content type text input tools function name arguments choices message delta usage error"
                " tool_calls output item response index id system tool_choice source image_url".split()
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(("caller", "spoken"), PAIRS)
@given(value=json_values, kind=st.sampled_from(["message_start", "content_block_start", "content_block_delta",
       "message_delta", "response.created", "response.output_item.added", "response.completed", "error"]))  # fmt: skip
@settings(max_examples=40)
def test_no_json_breaks_it(caller: Protocol, spoken: Protocol, value: Any, kind: str) -> None:
    body = json.dumps(value).encode()
    translation = Translation(caller, spoken, body)
    works: list[tuple[Callable[[], bytes], type[Exception]]] = [
        (lambda: translation.request("m"), Untranslatable),
        (lambda: Translation(caller, spoken, b"{}").answer(200, body), Unreadable),
        (lambda: Translation(caller, spoken, b"{}").answer(500, body), Unreadable),
        (lambda: Translation(caller, spoken, b"{}").stream().feed(b"data: " + body + b"\n\n"), TooMuch),
    ]
    for work, expected in works:
        with contextlib.suppress(expected):
            work()
    event = {**(value if isinstance(value, dict) else {}), "type": kind}
    translator: StreamTranslator = Translation(caller, spoken, b"{}").stream()
    with contextlib.suppress(TooMuch):
        translator.feed(f"data: {json.dumps(event)}\n\n".encode())


def test_what_is_without_measure_is_refused_and_ten_thousand_tools_are_not() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {}}}}}
    body = json.dumps({"model": "m", "messages": [SAID], "tools": [tool] * 10_000}).encode()
    began = time.process_time()  # what others on the machine take is not its cost
    assert len(json.loads(Translation(OPENAI, ANTHROPIC, body).request("x"))["tools"]) == 10_000
    assert time.process_time() - began < 5
    parts = b",".join([b'{"type":"text","text":""}'] * 200_001)
    many = b'{"model":"m","messages":[{"role":"user","content":[' + parts + b"]}]}"
    with pytest.raises(Untranslatable, match="200,000"):
        Translation(OPENAI, ANTHROPIC, many).request("x")
    deep = b'{"model":"m","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(Untranslatable):
        Translation(OPENAI, ANTHROPIC, deep).request("x")


@pytest.mark.parametrize("item", [b"{}", b"[]", b"1.5", b'""', b'{"a":1}'])
def test_a_million_empty_messages_are_refused_before_anything_is_made_of_them(item: bytes) -> None:
    body = b'{"model":"m","messages":[' + b",".join([item] * 1_000_000) + b"]}"
    for caller, spoken in PAIRS:
        began = time.process_time()
        with pytest.raises(Untranslatable, match="400,000 objects and values"):
            Translation(caller, spoken, body).request("x")
        assert time.process_time() - began < 1


def test_the_arguments_of_a_tool_have_the_same_bound_and_texts_have_none() -> None:
    def called(arguments: str) -> bytes:
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
        return json.dumps({"model": "m", "messages": [SAID, {"role": "assistant", "tool_calls": [call]}]}).encode()

    with pytest.raises(Untranslatable, match="400,000"):
        Translation(OPENAI, ANTHROPIC, called('{"a":[' + "{}," * 500_000 + "1]}")).request("x")
    table = '"\\[{1,2,' * 200_000
    text = json.dumps({"model": "m", "messages": [{"role": "user", "content": table}]}).encode()
    assert json.loads(Translation(OPENAI, ANTHROPIC, text).request("x"))["messages"][0]["content"][0]["text"] == table


def test_a_call_is_translated_only_where_it_must_be() -> None:
    assert translates(ANTHROPIC, frozenset({ANTHROPIC, OPENAI})) is None
    assert translates(RESPONSES, frozenset({ANTHROPIC, OPENAI})) == OPENAI
    assert translates(OPENAI, frozenset({ANTHROPIC})) == ANTHROPIC
    assert translates("embeddings", frozenset({OPENAI})) is None


def test_five_classes_of_tokens_become_the_two_of_the_other_side() -> None:
    usage = Tokens(8, 24, 20, 10, 5, 3)
    assert chat.write_usage(usage) == {
        "prompt_tokens": 62, "completion_tokens": 5, "total_tokens": 67,
        "prompt_tokens_details": {"cached_tokens": 24, "cache_write_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }  # fmt: skip
    assert chat.write_usage(Tokens(8)) is None
    assert messages.write_usage(usage)["cache_creation"] == {
        "ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10,
    }  # fmt: skip
