"""Reading both protocols: requests, usage in five classes, streams cut anywhere, errors in the caller's shape."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import threading
import tracemalloc
import zlib
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.traffic.linearity import assert_linear
from traffic.gateway import app, protocols
from traffic.gateway.answers import StreamTap, read_answer
from traffic.gateway.bounds import MOST_EVENT, TooMuch
from traffic.gateway.inflate import inflated, inflater
from traffic.gateway.protocols import (
    ANTHROPIC,
    BESIDE_THE_LOOP,
    MEDIA,
    OPENAI,
    BadRequest,
    GatewayRequest,
    Protocol,
    error_body,
    read_request,
)
from traffic.gateway.usage_option import UsageFilter
from traffic.gateway.usage_tokens import UNKNOWN, Tokens, anthropic_tokens, openai_tokens, timings_tokens


def asked(messages: Any, protocol: Protocol = ANTHROPIC, **fields: Any) -> Any:
    return read_request(protocol, json.dumps({"model": "m", "messages": messages, **fields}).encode())


def test_a_body_that_asks_for_the_targets_own_model_leaves_as_it_came() -> None:
    body = b'{ "model" : "m" , "messages" : [] }'
    assert read_request(OPENAI, body).with_model("m") is body


def test_every_value_but_the_model_keeps_its_bytes() -> None:
    body = b'{"a":1.0,"model":"m","b":[1e400, {"c" : "\\u00e9"}],"big":123456789012345678901}'
    assert read_request(OPENAI, body).with_model("n\n") == body.replace(b'"m"', b'"n\\n"')


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"messages":[]}', b'{"model":1}', b'{"model":""}', b'{"model":"\xff"}']
)
def test_what_is_no_request_is_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(BadRequest, match=r"\.$"):
        read_request(ANTHROPIC, body)


@pytest.mark.parametrize("kind", ["image", "document", "image_url", "input_audio", "file"])
def test_media_parts_are_seen(kind: str) -> None:
    assert asked([{"role": "user", "content": [{"type": kind}]}]).media
    spaced = b'{"model":"m","messages":[{"content":[{"type" :\n "' + kind.encode() + b'"}]}]}'
    assert read_request(OPENAI, spaced).media


def test_a_text_about_media_is_none() -> None:
    text = json.dumps([{"type": "image"}])
    assert not asked([{"role": "user", "content": text}]).media
    assert not asked([{"role": "user", "content": "x"}], tools=[{"type": "image"}]).media


@pytest.mark.parametrize("piece", range(1, 40))
def test_a_large_text_is_searched_in_pieces_that_cut_no_media_part(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "PIECE", piece)
    parts = [b'{"type":"text","text":"a tall tale of a file"}'] * 3
    for media in (b'{"type":"image"}', b'{"type" :  \n "input_image" }', b'{"type": "text", "type": "file"}'):
        for place in range(4):
            content = b",".join([*parts[:place], media, *parts[place:]])
            body = b'{"model":"m","messages":[{"content":[%s]}]}' % content
            assert read_request(OPENAI, body).media, body
    for other in (b'"\\"type": "image"', b'"type": "imagery"', b'"aaaa" : "image"', b'"x":"\\"type\\":\\"file\\""'):
        assert not read_request(OPENAI, b'{"model":"m","messages":[{%s}]}' % other).media, other


@pytest.mark.parametrize(("size", "beside"), [(1_000, False), (BESIDE_THE_LOOP, True)])
def test_a_large_body_is_read_and_searched_beside_the_event_loop(
    size: int, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def reading(protocol: Protocol, body: bytes) -> Any:
        threads.append(threading.get_ident())
        return read_request(protocol, body)

    def searching(request: GatewayRequest) -> None:
        threads.append(threading.get_ident())
        search(request)

    search = GatewayRequest.search
    monkeypatch.setattr(app, "read_request", reading)
    monkeypatch.setattr(GatewayRequest, "search", searching)
    body = json.dumps({"model": "alias", "messages": [{"content": [{"type": "image", "x": "a" * size}]}]}).encode()
    request = asyncio.run(app._read(OPENAI, {"headers": []}, body, {"alias": "m"}))
    assert len(threads) == (2 if beside else 1)
    assert all((thread != threading.get_ident()) is beside for thread in threads)
    assert not beside or "conversation" in vars(request), "what was looked for is remembered"
    assert (request.model, request.written, request.media) == ("m", "alias", True)


@pytest.mark.parametrize("piece", range(1, 9))
def test_words_are_searched_in_pieces_that_cut_none(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "PIECE", piece)
    for place in range(12):
        text = b"." * place + b"word" + b"." * 5 + b"word" + b"wor"
        assert protocols.find(text, b"word") == place
        assert protocols.find(text, b"word", place + 1) == place + 9
        assert protocols.find(text, b"word", place + 10) == -1
        assert protocols.count(text, b"word") == 2
        assert protocols.holds(text, b"none", b"word") and not protocols.holds(text, b"none", b"words")
        assert protocols.has_escaped_letters(b"." * place + rb"\u0066")
        assert not protocols.has_escaped_letters(b"." * place + rb"\u0016 u006")


def test_a_conversation_keeps_its_digest_while_it_grows() -> None:
    first = {"role": "user", "content": "Hello"}
    marked = {"role": "user", "content": [{"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}]}
    short = asked([{"role": "system", "content": "Be kind"}, first])
    longer = asked([{"role": "system", "content": "Now"}, marked, {"role": "assistant", "content": "Hi"}])
    assert short.conversation == longer.conversation
    assert short.conversation != asked([{"role": "user", "content": "Bye"}]).conversation
    assert asked("no list").conversation == asked([3]).conversation


def test_the_end_user_is_read_from_either_protocol() -> None:
    assert asked([], metadata={"user_id": "u1"}).user == "u1"
    assert asked([], OPENAI, user="u2").user == "u2"
    assert asked([], OPENAI, safety_identifier="u3", user="u2").user == "u3"
    assert asked([], metadata="odd").user is None


def test_a_kept_prompt_is_the_array_of_messages_led_by_the_system_prompt() -> None:
    messages = [{"role": "user", "content": "Hi"}]
    assert json.loads(asked(messages).prompt()) == messages
    assert json.loads(asked(messages, system="Be kind").prompt()) == [
        {"role": "system", "content": "Be kind"},
        *messages,
    ]
    assert json.loads(asked("odd", system="Be kind").prompt()) == "odd"


def test_anthropic_input_excludes_the_cache() -> None:
    usage = {
        "input_tokens": 8,
        "cache_read_input_tokens": 24,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
        "output_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 3},
    }
    assert anthropic_tokens(usage) == Tokens(8, 24, 20, 10, 5, 3)
    assert anthropic_tokens({"input_tokens": 8, "output_tokens": 5}) == Tokens(8, 0, 0, 0, 5)
    unsplit = {"input_tokens": 8, "output_tokens": 5, "cache_creation_input_tokens": 30}
    assert anthropic_tokens(unsplit) == Tokens(8, 0, 30, 0, 5)


def test_openai_input_includes_the_cache() -> None:
    usage = {
        "prompt_tokens": 120,
        "completion_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 90, "cache_write_tokens": 10},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    assert openai_tokens(usage) == Tokens(20, 90, 10, 0, 9, 4)
    assert openai_tokens({"prompt_tokens": 3, "completion_tokens": 1, "prompt_tokens_details": None}) == Tokens(
        3, 0, 0, 0, 1
    )
    exclusive = {"prompt_tokens": 3, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 50}}
    assert openai_tokens(exclusive) == Tokens(3, 50, 0, 0, 1)


@pytest.mark.parametrize("odd", [None, -1, True, "7", 1.5, {}, float("inf"), float("nan")])
def test_an_odd_count_is_unknown_not_zero(odd: Any) -> None:
    assert openai_tokens({"prompt_tokens": odd, "completion_tokens": 1}).uncached_input is None
    assert anthropic_tokens({"input_tokens": 1, "output_tokens": odd}).output is None
    assert timings_tokens({"prompt_n": odd, "predicted_n": 2}).uncached_input is None


def test_a_whole_answer_is_read_without_its_text() -> None:
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "choices": [{"message": {"content": "Hi"}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2},
        }
    ).encode()
    answer = read_answer(OPENAI, body)
    assert (answer.response_id, answer.tokens(OPENAI), answer.text) == ("chatcmpl-1", Tokens(1, 0, 0, 0, 2), [])
    assert read_answer(OPENAI, body, with_text=True).text == ["Hi"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"error": {"type": "BadRequestError", "code": 404}}, "BadRequestError"),
        ({"error": "Unauthorized"}, "error"),
        ({"error": {"code": "context_length"}}, "context_length"),
        ({"type": "error", "error": {"type": "overloaded_error"}}, "overloaded_error"),
        ({"detail": "Not Found"}, None),
    ],
)
def test_errors_of_all_engines_are_named(error: Any, said: str | None) -> None:
    assert read_answer(OPENAI, json.dumps(error).encode()).error_type == said


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b'{"usage": 3, "id": 4, "timings": []}', b"null"])
def test_an_answer_that_is_no_json_object_tells_nothing(body: bytes) -> None:
    answer = read_answer(ANTHROPIC, body, with_text=True)
    assert (answer.tokens(ANTHROPIC), answer.response_id, answer.error_type) == (UNKNOWN, None, None)


ANTHROPIC_STREAM = (
    b'event: message_start\r\ndata: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":8,'
    b'"cache_read_input_tokens":24,"output_tokens":1}}}\r\n\r\n'
    b'event: ping\ndata: {"type":"ping"}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
    b'"text":"a \\"usage\\" \xc3\xa9"}}\n\n'
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5,"input_tokens":null}}'
    b'\n\ndata: {"type":"message_stop"}\n\n'
)
OPENAI_STREAM = (
    b'data: {"id":"c1","choices":[{"delta":{"role":"assistant","content":null}}],"usage":null}\n\n: comment\n\n'
    b'data: {"id":"c1","choices":[{"delta":{"content":"Hi"}}]}\n\n'
    b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
)


@given(st.data())
def test_a_stream_may_be_cut_anywhere(data: st.DataObject) -> None:
    for protocol, stream, tokens, text in (
        (ANTHROPIC, ANTHROPIC_STREAM, Tokens(8, 24, 0, 0, 5), 'a "usage" é'),
        (OPENAI, OPENAI_STREAM, Tokens(4, 0, 0, 0, 2), "Hi"),
    ):
        cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=12)))
        tap = StreamTap(protocol, with_text=True)
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            tap.feed(stream[start:end])
        answer = tap.finish()
        assert (answer.tokens(protocol), "".join(answer.text), tap.ended) == (tokens, text, True)


def test_the_first_content_is_no_role_and_no_ping() -> None:
    tap = StreamTap(OPENAI)
    first, second = OPENAI_STREAM.split(b": comment")
    tap.feed(first)
    assert not tap.content_seen
    tap.feed(second)
    assert tap.content_seen


@pytest.mark.parametrize("name", ["reasoning_content", "tool_calls", "refusal"])
def test_thoughts_and_tool_calls_are_content(name: str) -> None:
    tap = StreamTap(OPENAI)
    tap.feed(json.dumps({"choices": [{"delta": {name: "x"}}]}).encode().join([b"data: ", b"\n\n"]))
    assert tap.content_seen


def test_a_stream_that_was_cut_off_knows_the_input_but_no_output() -> None:
    tap = StreamTap(ANTHROPIC)
    tap.feed(ANTHROPIC_STREAM[:400])
    answer = tap.finish()
    assert not tap.ended
    assert answer.tokens(ANTHROPIC) == Tokens(8, 24, 0, 0, None)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_tap(noise: bytes) -> None:
    for protocol in (ANTHROPIC, OPENAI):
        tap = StreamTap(protocol, with_text=True)
        tap.feed(b"data: " + noise + b"\n\n")
        tap.finish()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["type", "message", "usage", "choices", "delta", "content", "error", "id", "timings"]),
                x,
            )
        ),
    )
)
def test_no_json_breaks_the_tap_or_the_reader(value: Any) -> None:
    body = json.dumps(value).encode()
    for protocol in (ANTHROPIC, OPENAI):
        read_answer(protocol, body, with_text=True).tokens(protocol)
        tap = StreamTap(protocol, with_text=True)
        tap.feed(b"data: " + body.replace(b"\n", b"") + b"\n\n")
        tap.finish().tokens(protocol)


def test_errors_have_the_callers_shape() -> None:
    assert json.loads(error_body(ANTHROPIC, 503, "not-ready", "Wait.")) == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Wait."},
    }
    assert json.loads(error_body(OPENAI, 404, "no-target", "None.")) == {
        "error": {"message": "None.", "type": "invalid_request_error", "param": None, "code": "no-target"}
    }


def test_a_compressed_answer_is_read_beside_its_passing() -> None:
    packed = zlib.compress(b"data: x\n\n" * 50)
    inflate = inflater("deflate")
    assert b"".join(inflate(packed[i : i + 3]) for i in range(0, len(packed), 3)) == b"data: x\n\n" * 50
    assert inflated("gzip", b"no gzip") == b""
    assert inflated("zstd", b"...") == b""
    assert inflated(None, b"plain") == b"plain"


USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 3}}\r\n\r\n'
EVENTS = (
    b'data: {"choices": [{"delta": {"content": "\\"usage\\""}}], "usage": null}\n\n',
    b": ping\n\n",
    USAGE,
    b'data: {"choices": [], "prompt_filter_results": []}\n\n',
    b"data: [DONE]\n\n",
)


@given(st.lists(st.integers(0, len(b"".join(EVENTS))), max_size=8))
def test_one_event_alone_is_taken_out_however_the_stream_is_cut(cuts: list[int]) -> None:
    stream = b"".join(EVENTS)
    places = [0, *sorted(cuts), len(stream)]
    passing = UsageFilter()
    pieces = [passing.feed(stream[start:end]) for start, end in itertools.pairwise(places)]
    assert b"".join([*pieces, passing.finish()]) == stream.replace(USAGE, b"")


def test_a_last_event_without_its_empty_line_passes() -> None:
    passing = UsageFilter()
    assert passing.feed(b"data: [DO") + passing.feed(b"NE]\n") + passing.finish() == b"data: [DONE]\n"


@pytest.mark.parametrize("listener", [partial(StreamTap, OPENAI), partial(StreamTap, ANTHROPIC), UsageFilter])
def test_a_line_without_end_is_too_much_and_costs_no_more_than_its_length(listener: Any) -> None:
    def fed(pieces: int) -> Any:
        listen = listener().feed
        for _ in range(pieces):
            listen(b"x" * 64)
        return listen

    most = MOST_EVENT // 64
    assert_linear(lambda: fed(most // 2), lambda: fed(most))  # joined anew at each piece it would be four times as much
    with pytest.raises(TooMuch):
        fed(most)(b"x" * 64)


def test_an_event_of_many_lines_has_a_bound_too() -> None:
    tap = StreamTap(OPENAI)
    with pytest.raises(TooMuch):
        for _ in range(MOST_EVENT):
            tap.feed(b"data: x\n" * 1_000)


def test_a_piece_that_inflates_without_measure_is_too_much() -> None:
    small, large = (zlib.compress(bytes(size)) for size in (MOST_EVENT, 2 * MOST_EVENT))
    assert len(inflater("deflate")(small)) == MOST_EVENT
    with pytest.raises(TooMuch):
        inflater("deflate")(large)
    assert len(inflated("deflate", large)) == 2 * MOST_EVENT  # a whole answer may be longer


def test_of_a_usage_without_measure_the_counts_are_kept() -> None:
    book = {**{f"n{number}": "x" * 100 for number in range(500)}, "prompt_tokens": 7, "completion_tokens": 2}
    answer = read_answer(OPENAI, json.dumps({"id": "x" * 300, "usage": book}).encode())
    assert (answer.usage, answer.response_id) == ({"prompt_tokens": 7, "completion_tokens": 2}, None)


def test_of_a_long_text_the_beginning_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traffic.gateway.answers.MOST_TEXT", 10)
    tap = StreamTap(ANTHROPIC, with_text=True)
    for text in ("12345", "67890", "more"):
        event = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}}
        tap.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    assert ("".join(tap.answer.text), tap.answer.text_cut, tap.answer.characters) == ("1234567890", True, 14)


def test_what_a_stream_is_asked_to_tell_is_asked_beside_the_callers_own_options() -> None:
    request = asked([], OPENAI, stream=True, stream_options={"x": 1})
    assert not request.asks_for_usage
    assert json.loads(request.with_model("m", ask_usage=True))["stream_options"] == {"x": 1, "include_usage": True}
    odd = asked([], OPENAI, stream=True, stream_options="odd")
    assert odd.with_model("m", ask_usage=True) is odd.body


def test_a_name_of_a_model_has_a_bound() -> None:
    with pytest.raises(BadRequest, match="200 characters"):
        read_request(OPENAI, json.dumps({"model": "m" * 201}).encode())


HI = b'{"model":"m","messages":[{"role":"user","content":"hi"}]'
TREE = b"[],"  # three bytes of which each is an object of sixty


@pytest.mark.parametrize("name", ["stream", "user", "metadata", "max_tokens", "stream_options", "whatever"])
@pytest.mark.parametrize("protocol", [ANTHROPIC, OPENAI])
def test_a_body_that_is_made_to_fill_memory_is_refused_before_it_is_taken_apart(protocol: Protocol, name: str) -> None:
    tracemalloc.start()
    body = HI + b',"' + name.encode() + b'":[' + TREE * 2_000_000 + b"1]}"
    try:
        tracemalloc.reset_peak()
        held, _peak = tracemalloc.get_traced_memory()
        with pytest.raises(BadRequest, match="outside of its messages and tools"):
            read_request(protocol, body)
        assert tracemalloc.get_traced_memory()[1] - held < 1 << 20
    finally:
        tracemalloc.stop()


def test_many_fields_are_refused_and_large_messages_are_not() -> None:
    with pytest.raises(BadRequest, match="outside of its messages and tools"):
        read_request(OPENAI, HI + b"".join(b',"%d":1' % number for number in range(200_000)) + b"}")
    tools = b',"tools":[' + TREE * 500_000 + b"1]}"
    assert read_request(OPENAI, HI + tools).model == "m"
    long = b'{"model":"m","system":"be brief","messages":[' + TREE * 500_000 + b"1]}"
    request = read_request(ANTHROPIC, long)
    assert request.conversation == read_request(ANTHROPIC, long.replace(b"1]}", b"1,2]}")).conversation
    assert request.prompt().startswith('[{"role":"system","content":"be brief"},[],')


def test_of_a_large_body_no_piece_is_copied_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[int] = []

    class Counted(io.BytesIO):
        def write(self, piece: Any) -> int:
            pieces.append(len(piece))
            return super().write(piece)

    monkeypatch.setattr(io, "BytesIO", Counted)
    text = b'{"model":"m","messages":["' + b"x" * 3_000_000 + b'"],"stream":true,"n":1}'
    assert read_request(OPENAI, text).with_model('a"b') == text.replace(b'"m"', b'"a\\"b"')
    form = GatewayRequest(MEDIA, text, {}, "m", False, span=(10, 11))
    assert form.with_model("own") == text.replace(b'"m"', b'"own"')
    assert max(pieces) == protocols.PIECE and sum(pieces) > 6_000_000
    asking = json.loads(read_request(OPENAI, text).with_model("x", ask_usage=True))
    assert (asking["model"], asking["stream_options"]) == ("x", {"include_usage": True})


def test_a_value_that_is_larger_than_any_such_field_is_none() -> None:
    names = b"x" * 70_000
    request = read_request(OPENAI, HI + b',"stream":true,"user":"' + names + b'","stream_options":["' + names + b'"]}')
    assert (request.user, request.streamed, request.asks_for_usage) == (None, True, False)
    assert request.with_model("other", ask_usage=True) == request.with_model("other")


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (b"[]", '[{"role":"system","content":"be"}]'),
        (b" [ ] ", '[{"role":"system","content":"be"}]'),
        (b'[{"role":"user"}]', '[{"role":"system","content":"be"},{"role":"user"}]'),
        (b'"none"', '"none"'),
    ],
)
def test_the_prompt_is_an_array_that_the_system_prompt_leads(messages: bytes, expected: str) -> None:
    body = b'{"model":"m","system":"be","messages":' + messages + b"}"
    assert read_request(ANTHROPIC, body).prompt() == expected
