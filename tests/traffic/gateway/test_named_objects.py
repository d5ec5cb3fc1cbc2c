"""What a body names of the objects in a vendor's account."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any
from unittest.mock import Mock

import pytest

from traffic.gateway import passthrough
from traffic.gateway.named_objects import MOST_PARTS, may_name, names_of
from traffic.gateway.protocols import ANTHROPIC, BESIDE_THE_LOOP, MEDIA, OPENAI, RESPONSES, Protocol
from traffic.gateway.refusals import Refusal
from traffic.gateway.snapshot import Application


@pytest.mark.parametrize(
    ("protocol", "body", "names"),
    [
        (OPENAI, {"messages": [{"content": [{"type": "file", "file": {"file_id": "file-1"}}]}]}, ["file-1"]),
        (ANTHROPIC, {"messages": [{"content": [{"source": {"type": "file", "file_id": "file_1"}}]}]}, ["file_1"]),
        (OPENAI, {"images": [{"file_id": "file-1"}, {"file_id": "file-2"}], "mask": {"file_id": "file-1"}},
         ["file-1", "file-2"]),
        (RESPONSES, {"tools": [{"container": {"type": "auto", "file_ids": ["file-1", "file-2"]}}]},
         ["file-1", "file-2"]),
        (RESPONSES, {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"]}]}, ["vs_1", "vs_2"]),
        (RESPONSES, {"prompt": {"id": "pmpt_1", "variables": {"id": "mine"}}}, ["pmpt_1"]),
        (OPENAI, {"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}, {"content": "no"}]}, ["audio_1"]),
        (OPENAI, {"audio": {"voice": {"id": "voice_1"}, "format": "mp3"}}, ["voice_1"]),
        (MEDIA, {"voice": {"id": "voice_1"}, "input": "Hello"}, ["voice_1"]),
        (OPENAI, {"audio": {"voice": "alloy"}, "messages": [{"content": [{"text": "\"id\""}]}], "file_id": "f"}, ["f"]),
        # A tool of the caller's own.
        (OPENAI, {"tools": [{"function": {"parameters": {"properties": {"file_id": {"type": "string"}}}}}]}, []),
        (ANTHROPIC, {"messages": [{"content": [{"type": "tool_use", "input": {"file_id": "mine"}}]}]}, []),
        (OPENAI, {"metadata": {"file_id": "mine", "conversation": "4"}}, []),
        (RESPONSES, {"type": "tool_use", "input": [{"file_id": "file-1"}]}, ["file-1"]),
        (RESPONSES, {"input": [{"type": "message", "id": "msg_1", "role": "assistant", "content": []}]}, []),
        (RESPONSES, {"previous_response_id": None, "conversation": None}, []),
        (RESPONSES, {"previous_response_id": "resp_1", "input": [{"previous_response_id": "mine"}]}, ["resp_1"]),
    ],
)  # fmt: skip
def test_files_are_read_wherever_a_vendor_reads_them(
    protocol: Protocol, body: dict[str, Any], names: list[str]
) -> None:
    raw = json.dumps(body).encode()
    assert may_name(protocol, raw)
    assert sorted(names_of(protocol, raw)) == names


def test_a_call_without_names_is_not_taken_apart() -> None:
    text = 'what is a "file_id": "file-1" of a conversation, "container" and é?'
    body = json.dumps({"messages": [{"role": "user", "content": text}]}).encode()
    assert not may_name(OPENAI, body)


@pytest.mark.parametrize(("size", "beside"), [(1_000, False), (BESIDE_THE_LOOP, True)])
def test_a_large_body_is_looked_through_beside_the_event_loop(
    size: int, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def looking(protocol: Protocol, body: bytes) -> bool:
        threads.append(threading.get_ident())
        return may_name(protocol, body)

    monkeypatch.setattr(passthrough, "may_name", looking)
    body = json.dumps({"model": "m", "messages": [{"content": "a" * size}]}).encode()
    application = Application(id=1, slug="shop", capture_bodies=False, budget_state="unknown")
    assert asyncio.run(passthrough.Passthrough(Mock(), Mock()).enforce_own(OPENAI, body, application)) == {}
    assert [thread != threading.get_ident() for thread in threads] == [beside]


@pytest.mark.parametrize(
    "body",
    [
        b'{"file_id": ' + b"[" * 100_000,
        b'{"file_id": [' + b"{}," * MOST_PARTS + b"{}]}",
        b'{"file_ids": [' + b",".join(b'"file-%d"' % number for number in range(101)) + b"]}",
        b'{"file_id": "file-1"',
    ],
)
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    assert may_name(OPENAI, body)
    with pytest.raises(Refusal) as refused:
        names_of(OPENAI, body)
    assert refused.value.status == 400
