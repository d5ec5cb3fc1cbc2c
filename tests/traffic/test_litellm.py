"""LiteLLM's webhook in its three formats; one bad event never costs the others."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.test import Client
from django.utils import timezone

from traffic.keys import callers, create_key
from traffic.services import forget

START = (timezone.now() - timedelta(minutes=5)).timestamp()


def event(number: int = 1, **given: Any) -> dict[str, Any]:
    usage = {"prompt_tokens_details": {"cached_tokens": 1024}}
    return {
        "id": f"chatcmpl-{number:030d}", "litellm_call_id": f"call-{number}", "call_type": "acompletion",
        "stream": True, "status": "success", "response_cost": 0.001, "custom_llm_provider": "openai", "model": "gpt-x",
        "prompt_tokens": 1200, "completion_tokens": 300, "total_tokens": 1500, "startTime": START,
        "completionStartTime": START + 0.42, "endTime": START + 3.8, "cache_hit": False, "end_user": "u1",
        "metadata": {"usage_object": usage}, "error_information": None, "messages": [{"content": "secret"}], **given,
    }  # fmt: skip


@pytest.fixture
def key(conn: psycopg.Connection) -> str:
    forget()
    callers.clear()
    return create_key(name="litellm", scopes=["ingest"])[1]


def send(key: str, data: str) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    return Client().post("/ingest/litellm", data, content_type="application/json", headers=headers)


@pytest.mark.parametrize("pack", [json.dumps, lambda events: "\n".join(json.dumps(one) for one in events)])
def test_arrays_and_lines_are_read(key: str, conn: psycopg.Connection, pack: Any) -> None:
    assert send(key, pack([event(1), event(2)])).json() == {"accepted": 2, "duplicates": 0, "rejected": []}
    columns = "uncached_input, cache_read, output, round(ttft_ms), round(latency_ms)"
    found = conn.execute(f"SELECT {columns} FROM traffic_request")
    assert set(found.fetchall()) == {(176, 1024, 300, 420, 3800)}


def test_a_single_object_is_read(key: str) -> None:
    assert send(key, json.dumps(event())).json()["accepted"] == 1


def test_null_events_are_skipped_and_bad_ones_named(key: str) -> None:
    answer = send(key, json.dumps([None, event(1), 7, event(2, startTime="old format")])).json()
    assert (answer["accepted"], [one["index"] for one in answer["rejected"]]) == (1, [2, 3])


def test_an_answer_from_litellms_own_cache_costs_nothing(key: str, conn: psycopg.Connection) -> None:
    send(key, json.dumps(event(cache_hit=True, custom_llm_provider="anthropic", model="claude-opus-5-5")))
    assert conn.execute("SELECT output, response_id FROM traffic_request").fetchone() == (0, None)


def test_a_failure_is_an_error_without_usage(key: str, conn: psycopg.Connection) -> None:
    failure = event(
        status="failure", prompt_tokens=0, completion_tokens=0, total_tokens=0,
        error_information={"error_code": "429", "error_class": "RateLimitError"},
    )  # fmt: skip
    send(key, json.dumps(failure))
    found = conn.execute("SELECT outcome, http_status, error_type, output FROM traffic_request").fetchone()
    assert found == ("error", 429, "RateLimitError", None)


def test_content_is_not_kept(key: str, conn: psycopg.Connection) -> None:
    send(key, json.dumps(event()))
    assert "secret" not in json.dumps(conn.execute("SELECT raw FROM traffic_request").fetchall())


def test_the_same_batch_twice_changes_nothing(key: str) -> None:
    send(key, json.dumps([event()]))
    assert send(key, json.dumps([event()])).json() == {"accepted": 0, "duplicates": 1, "rejected": []}


def test_no_json_is_400(key: str) -> None:
    assert send(key, "{broken").status_code == 400
