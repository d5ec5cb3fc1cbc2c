"""The task of a call that names none, by the first rule that holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from traffic.gateway.app import TASKS
from traffic.gateway.protocols import ANTHROPIC, EMBEDDINGS, OPENAI, read_request
from traffic.gateway.tasks import RULES, Guess, guessed_task
from traffic.requests.gateway_facts import GUESSED, TIMEOUTS, UPSTREAM, gateway_facts

IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}


def guess(text: Any, *before: dict[str, Any], **more: Any) -> str | None:
    body = {"model": "m", "messages": [*before, {"role": "user", "content": text}], **more}
    found = guessed_task(read_request(ANTHROPIC, json.dumps(body).encode()))
    return f"{found.task} {found.reason}" if found else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ([IMAGE, {"type": "text", "text": "What is it?"}], "vision media"),
        ("Fix it:\n```python\nx = 1\n```", "code code"),
        ("def f(x):\n    return x\nimport os\nimport sys", "code code"),
        ("<document>The lease ends in May.</document> When?", "rag sources"),
        ("Context: the lease ends in May. When does it end?", "rag sources"),
        ("When does the lease end?", "qa question"),
        ("Write a poem", None),
        ("Contextual advertising, please", None),
        ("x" * 2_100 + "?", None),
    ],
)
def test_a_rule_on_the_prompt_names_the_task(text: Any, expected: str | None) -> None:
    assert guess(text) == expected


def test_thinking_and_turns_count_too_and_the_first_rule_decides() -> None:
    assert guess("Hi", thinking={"type": "enabled", "budget_tokens": 1024}) == "reasoning thinking"
    assert guess("Hi", thinking=None) is None
    earlier = {"role": "assistant", "content": "Hello"}
    assert guess("Thanks", {"role": "user", "content": "Hi"}, earlier) == "chat turns"
    assert guess("```x```?", {"role": "user", "content": "Hi"}, earlier) == "code code"


@pytest.mark.parametrize(("end", "expected"), [(b',"role":"user"}]', None), (b"}]", "qa")])
def test_blanks_around_a_question_take_no_time(end: bytes, expected: str | None) -> None:
    body = b'{"model":"m","messages":[{"content":"Why?"%b%b}' % (b" " * 1_900, end)
    found = guessed_task(read_request(OPENAI, body))
    assert (found and found.task) == expected


def test_what_is_no_conversation_keeps_no_guess() -> None:
    body = {"model": "m", "input": "```code```"}
    assert guessed_task(read_request(EMBEDDINGS, json.dumps(body).encode())) is None
    chat = {"model": "m", "messages": [{"role": "user", "content": "```code```"}]}
    assert guessed_task(read_request(OPENAI, json.dumps(chat).encode())) == Guess("code", "code")


def test_every_reason_has_a_sentence_and_every_task_exists() -> None:
    assert {reason for _task, reason, _holds in RULES} == set(GUESSED)
    assert {task for task, _reason, _holds in RULES} < TASKS


def test_the_facts_of_a_request_are_sentences_and_unknown_ones_are_left_out() -> None:
    raw = {"guessed_task": "code", "timeout": "idle", "upstream": "drained", "canary": "m2", "hedged": "x"}
    assert gateway_facts(raw) == [
        str(GUESSED["code"]),
        str(TIMEOUTS["idle"]),
        str(UPSTREAM["drained"]),
        "It was in the share of the canary m2.",
        "Two equal deployments were called, and this is one of the two calls.",
    ]
    assert gateway_facts({"shadow_of": "x"}) == ["It is a copy for the shadow of its route. No caller got this answer."]
    assert gateway_facts({"guessed_task": "new", "timeout": 5, "canary": None}) == gateway_facts(None) == []
