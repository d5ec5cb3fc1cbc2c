"""What a call may use of a cap at most, which is reserved before it is sent."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.traffic.gateway_rows import row
from traffic.gateway.caps.amounts import NoBound, most_tokens, reserved, total, used
from traffic.gateway.protocols import ANTHROPIC, COMPLETIONS, OPENAI, RESPONSES, GatewayRequest, Protocol, read_request
from traffic.gateway.routes import Target
from traffic.ingest.rows import Tokens

HELLO = {"messages": [{"role": "user", "content": "Hello"}], "input": "Hello", "prompt": None}
CONTEXT = 50_000
KNOWN = Target(1, "own", "self", "vllm", "http://x", "m", context_tokens=CONTEXT)
UNKNOWN = Target(2, "new", "self", "vllm", "http://x", "m")


def asked(protocol: Protocol, **fields: Any) -> GatewayRequest:
    return read_request(protocol, json.dumps({"model": "m", **HELLO, **fields}).encode())


def with_part(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [part]}]}


@pytest.mark.parametrize(
    ("protocol", "fields", "expected"),
    [
        (ANTHROPIC, {"max_tokens": 9}, 9),
        (ANTHROPIC, {"max_output_tokens": 9}, None),
        (OPENAI, {"max_tokens": 1, "max_completion_tokens": 900}, 900),
        (OPENAI, {"max_tokens": 900, "max_completion_tokens": 1}, 900),
        (OPENAI, {"max_tokens": 1, "n_predict": 900}, 900),
        (OPENAI, {"max_output_tokens": 1}, None),
        (OPENAI, {"n_predict": 1}, None),
        (OPENAI, {"max_tokens": 1, "n_predict": -1}, None),
        (OPENAI, {"max_tokens": 1, "max_completion_tokens": "900"}, None),
        (OPENAI, {"max_tokens": None, "max_completion_tokens": 9}, 9),
        (RESPONSES, {"max_output_tokens": 9, "max_tokens": 1}, 9),
        (RESPONSES, {"max_tokens": 1}, None),
        (COMPLETIONS, {"max_tokens": 5, "n_predict": 3}, 5),
    ],
)
def test_the_bound_of_an_answer_is_the_largest_that_an_engine_may_take(
    protocol: Protocol, fields: dict[str, Any], expected: int | None
) -> None:
    assert asked(protocol, **fields).most_output == expected
    assert most_tokens(asked(protocol, **fields), KNOWN).output == (expected or CONTEXT)


UNBOUND: list[tuple[Protocol, dict[str, Any]]] = [
    (RESPONSES, {"previous_response_id": "resp_1"}),
    (RESPONSES, {"conversation": {"id": "conv_1"}}),
    (RESPONSES, {"prompt": {"id": "pmpt_1"}}),
    (RESPONSES, {"tools": [{"type": "web_search"}]}),
    (RESPONSES, {"input": [{"type": "item_reference", "id": "msg_1"}]}),
    (RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://x/a.pdf"}]}]}),
    (ANTHROPIC, {"tools": [{"name": "f", "input_schema": {}}, {"type": "web_fetch_20250910", "name": "web_fetch"}]}),
    (ANTHROPIC, {"mcp_servers": [{"type": "url", "url": "https://x"}]}),
    (ANTHROPIC, with_part({"type": "document", "source": {"type": "file", "file_id": "file_1"}})),
    (ANTHROPIC, with_part({"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}})),
    (ANTHROPIC, with_part({"type": "document", "source": {"url": "https://x/a.pdf", "type": "url"}})),
    (OPENAI, with_part({"type": "image_url", "image_url": {"url": "https://x/a.png"}})),
    (OPENAI, with_part({"type": "file", "file": {"file_data": "https://x/a.pdf"}})),
    (OPENAI, {"web_search_options": {}, "plugins": [{"id": "web"}]}),
]


@pytest.mark.parametrize(("protocol", "fields"), UNBOUND)
def test_what_is_read_from_elsewhere_may_fill_the_context(protocol: Protocol, fields: dict[str, Any]) -> None:
    request = asked(protocol, max_tokens=10, max_output_tokens=10, **fields)
    assert total(most_tokens(request, KNOWN)) == CONTEXT + 10
    now = datetime(2026, 5, 1, tzinfo=UTC)
    for unit in ("tokens", "requests"):
        if unit == "requests":
            assert reserved(unit, most_tokens(request, UNKNOWN), request, UNKNOWN, None, now) == 1
        else:
            with pytest.raises(NoBound):
                reserved(unit, most_tokens(request, UNKNOWN), request, UNKNOWN, None, now)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","max_tokens":10,"messages":[{"content":[{"file\\u005fid":"a"}]}]}',
        b'{"model":"m","max_tokens":10,"messages":[{"content":[{"t\\u0079pe":"image"}]}]}',
        b'{"model":"m","max_tokens":10,"messages":[{"content":[{"source":{"type" : ' + b" " * 500 + b'"url"}}]}]}',
        b'{"model":"m","max_tokens":10,"messages":[{"image_url"' + b" " * 500 + b':"https://x"}]}',
        b'{"model":"m","max_tokens":10,"messages":[],"tools":[{"type":1}]}',
        b'{"model":"m","max_tokens":10,"messages":[],"previous\\u005fresponse_id":"a"}',
    ],
)
def test_escapes_and_spaces_hide_nothing(body: bytes) -> None:
    assert total(most_tokens(read_request(ANTHROPIC, body), KNOWN)) == CONTEXT + 10


@pytest.mark.parametrize(
    ("protocol", "fields"),
    [
        (OPENAI, with_part({"type": "image_url", "image_url": {"detail": "low", "url": "data:image/png;base64,aa"}})),
        (OPENAI, with_part({"type": "file", "file": {"file_data": "data:application/pdf;base64,aa"}})),
        (OPENAI, with_part({"type": "text", "text": 'See "file_id", "type": "url" and https://x at caf\xe9'})),
        (OPENAI, {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"required": ["url"]}}}]}),
        (ANTHROPIC, {"tools": [{"name": "f", "input_schema": {"properties": {"url": {"type": "string"}}}}]}),
        (ANTHROPIC, with_part({"type": "tool_use", "id": "a", "name": "f", "input": {"url": "https://x"}})),
        (RESPONSES, {"previous_response_id": None, "tools": [], "mcp_servers": []}),
    ],
)
def test_what_stands_in_the_body_is_counted_by_its_bytes(protocol: Protocol, fields: dict[str, Any]) -> None:
    assert total(most_tokens(asked(protocol, max_tokens=10, max_output_tokens=10, **fields), KNOWN)) < 15_000


def test_choices_in_an_odd_form_are_counted_as_many() -> None:
    assert most_tokens(asked(OPENAI, max_tokens=10, n=3), KNOWN).output == 30
    assert most_tokens(asked(OPENAI, max_tokens=10, n="3"), KNOWN).output == 10_000
    assert most_tokens(asked(OPENAI, max_tokens=10, n=None), KNOWN).output == 10


@pytest.mark.parametrize("filler", ['image_url", ', '"url"', '"file_data":', "\\u00", '"type":"url', "url  "])
def test_a_body_that_is_made_for_the_search_costs_no_time(filler: str) -> None:
    body = b'{"model":"m","messages":[' + json.dumps(filler * ((30 << 20) // len(filler) // 2)).encode() + b"]}"
    many = b'{"model":"m","messages":[' + b'"url","image_url",' * (1 << 20) + b"1]}"
    for each in (body, many):
        request = read_request(OPENAI, each)
        began = time.process_time()
        most_tokens(request, KNOWN)
        assert time.process_time() - began < 0.5


@pytest.mark.parametrize("unit", ["requests", "tokens", "usd"])
def test_an_estimate_settles_no_reservation(unit: str) -> None:
    assert used(unit, row(1, tokens=None, estimate=Tokens(1, 0, 0, 0, 0)), None, 700) == 700
    assert used(unit, row(1, tokens=Tokens()), None, 700) == (700 if unit == "requests" else 0)
