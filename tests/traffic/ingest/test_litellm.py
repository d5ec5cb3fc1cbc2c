"""LiteLLM's webhook in its three formats; one bad event never costs the others."""

from __future__ import annotations

import json
import math
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from providers.models import TokenPrice
from tests.providers.people import in_role
from tests.traffic.litellm_events import START, START_DAY, event, send
from tests.traffic.request_rows import assert_rollups_exact
from traffic.authentication.keys import callers, create_key
from traffic.ingest import data_quality
from traffic.ingest.context import clear_cache
from traffic.ingest.dropped_signals import dropped_since
from traffic.models import Request
from traffic.requests.queries import newest
from traffic.requests.request_filter import RequestFilter
from traffic.requests.retries import retries_of


@pytest.fixture
def key(conn: psycopg.Connection) -> str:
    clear_cache()
    callers.clear()
    return create_key(name="litellm", scopes=["ingest"])[1]


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
    (row,) = dropped_since(timezone.now().date() - timedelta(days=1))
    assert (row["signal"], row["n"], row["refused"], row["why"]) == ("litellm", 1, 2, "An event must be an object.")
    send(key, json.dumps(event(2, startTime="old format")))
    (row,) = dropped_since(timezone.now().date() - timedelta(days=1))
    assert row["refused"] == 3 and row["why"].startswith("startTime: Must be Unix seconds")


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


ODD = [
    "text",
    "12",
    7,
    -1,
    0.5,
    1e300,
    True,
    None,
    [],
    [1],
    {},
    {"a": [{}]},
    "\0",
    "\ud800",
    float("nan"),
    {"usage_object": 5},
]
USAGES: list[Any] = [
    "text", 5, {"prompt_tokens_details": [1]}, {"completion_tokens_details": "x"}, {"cache_read_input_tokens": {}},
    {"prompt_tokens_details": {"cached_tokens": -1}},
]  # fmt: skip


def test_no_value_of_any_field_costs_more_than_its_own_event(key: str, conn: psycopg.Connection) -> None:
    mutated = [event() | {name: value} for name in event() for value in ODD]
    mutated += [event(metadata={"usage_object": usage}) for usage in USAGES]
    codes: list[Any] = [math.inf, [], "9" * 5_000]
    mutated += [event(status="failure", error_information={"error_code": code}) for code in codes]
    for number, one in enumerate(mutated):
        one.setdefault("litellm_call_id", f"call-{number}")
    data = json.dumps([*mutated, event(999)]).replace("Infinity", "1e400")
    answer = send(key, data)
    assert answer.status_code == 200
    said = answer.json()
    assert said["accepted"] + said["duplicates"] + len(said["rejected"]) == len(mutated) + 1
    assert {tuple(one["errors"][0]["loc"]) for one in said["rejected"]} == {("startTime",)}
    assert_rollups_exact(conn)


def test_a_line_that_is_no_json_costs_itself_alone(key: str) -> None:
    lines = [json.dumps(event(1)), "{torn", json.dumps(event(2, x=float("nan")))]
    answer = send(key, "\n".join(lines)).json()
    assert (answer["accepted"], [one["index"] for one in answer["rejected"]]) == (2, [1])
    assert answer["rejected"][0]["errors"][0]["msg"] == "This line is no JSON."


COUNTS: list[tuple[dict[str, Any], tuple[int, int, int] | None, list[str] | None]] = [
    ({"prompt_tokens": "1200", "completion_tokens": 300.0}, (176, 1024, 300), None),
    ({"completion_tokens": -4}, None, [data_quality.NOT_A_COUNT]),
    ({"prompt_tokens": 12.5}, None, [data_quality.NOT_A_COUNT]),
    ({"prompt_tokens": 10**12}, None, [data_quality.NOT_A_COUNT]),
    ({"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}, None, None),
    ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None, None),
    ({"total_tokens": 99}, (176, 1024, 300), [data_quality.TOTAL]),
    ({"completion_tokens": None}, (176, 1024, 300), None),
    ({"completion_tokens": None, "total_tokens": None}, (176, 1024, 0), [data_quality.NO_OUTPUT]),
    ({"prompt_tokens": 100, "total_tokens": 400}, (100, 1024, 300), None),
]


def test_counts_that_cannot_be_are_unknown_and_never_zero(key: str, conn: psycopg.Connection) -> None:
    send(key, json.dumps([event(number, **given) for number, (given, _classes, _doubts) in enumerate(COUNTS)]))
    found = conn.execute(
        "SELECT raw -> 'doubts', uncached_input, cache_read, output FROM traffic_request ORDER BY external_id"
    ).fetchall()
    assert found == [(doubt, *(classes or (None,) * 3)) for _given, classes, doubt in COUNTS]


def test_times_that_cannot_be_are_unknown(key: str, conn: psycopg.Connection) -> None:
    odd: list[Any] = [
        {"endTime": START - 1, "stream": False}, {"endTime": None, "stream": False}, {"endTime": START + 0.1},
        {"endTime": START + 10**6, "stream": False},
    ]  # fmt: skip
    send(key, json.dumps([event(number, **given) for number, given in enumerate(odd)]))
    found = conn.execute(
        "SELECT raw -> 'doubts', round(latency_ms), ttft_ms FROM traffic_request ORDER BY external_id"
    ).fetchall()
    assert found == [
        ([data_quality.BACKWARDS], None, None), ([data_quality.NO_END], None, None),
        ([data_quality.LATE_FIRST], 100, None),
        ([data_quality.ENDLESS], None, None),
    ]  # fmt: skip


def test_what_is_too_long_too_deep_or_too_much_is_no_fact(key: str, conn: psycopg.Connection) -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    much = {f"k{number}": number for number in range(50_000)}
    send(key, json.dumps(event(api_base="kept", long="x" * 3_000, deep=deep, much=much) | {"n" * 300: 1}))
    (size, raw) = conn.execute("SELECT length(raw::text), raw FROM traffic_request").fetchone() or (0, {})
    assert size < 20_000 and raw["api_base"] == "kept" and "long" not in raw and "n" * 300 not in raw


def test_no_json_is_400(key: str) -> None:
    assert send(key, "{broken").status_code == 400


def claude(number: int, **given: Any) -> dict[str, Any]:
    """176 uncached, 1,024 read and 300 output tokens cost 0.0053352 by the price of these tests."""
    return event(number, custom_llm_provider="anthropic", model="claude-test", **given)


def test_its_own_cost_is_kept_beside_ours_and_summed_where_both_are_known(
    key: str, price: TokenPrice, conn: psycopg.Connection
) -> None:
    given = [claude(1, response_cost=0.0053352), claude(2, response_cost=0.009), claude(3, response_cost=0), event(4)]
    for _ in range(2):
        send(key, json.dumps(given))
    told = Decimal("0.0143352"), Decimal("0.0106704")
    for table in ("traffic_usage_hour", "traffic_usage_day"):
        sums = conn.execute(
            f"SELECT sum(cost_reports), sum(cost_mismatches), sum(reported_cost), sum(computed_cost) FROM {table}"
        ).fetchone()
        assert sums == (2, 1, *told)
    page = newest(RequestFilter(told_otherwise=True), retention_days=400).requests
    assert [(row.reported_cost, row.cost) for row in page] == [(Decimal("0.009"), Decimal("0.0053352"))]
    assert_rollups_exact(conn)


def test_the_difference_is_a_figure_of_spend_with_a_link_to_what_differs(key: str, price: TokenPrice) -> None:
    manager = in_role("manager")
    send(key, json.dumps(claude(2, response_cost=0)))
    assert "reported cost" not in manager.get("/spend/").content.decode(), "no section without a figure"
    send(key, json.dumps([claude(1, response_cost=0.009)]))
    page = manager.get("/spend/").content.decode()
    assert "1 request with a different reported cost" in page
    link = "?model=claude-test&amp;told_otherwise=1"
    assert link in page
    listed = manager.get("/requests/" + link.replace("&amp;", "&")).content.decode()
    assert "claude-test" in listed


def test_tries_that_failed_are_calls_of_their_own_however_often_they_are_sent(
    key: str, conn: psycopg.Connection
) -> None:
    failed: dict[str, Any] = {
        "status": "failure", "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "response_cost": 0,
        "error_information": {"error_code": "429", "error_class": "RateLimitError"}, "litellm_call_id": "call-1",
    }  # fmt: skip
    tries = [event(8, id="call-1", startTime=START - 9, endTime=START - 8, **failed),
             event(9, id="call-1", startTime=START - 5, endTime=START - 4, **failed), event(1)]  # fmt: skip
    assert send(key, json.dumps(tries)).json()["accepted"] == 3
    assert send(key, json.dumps(tries[::-1])).json() == {"accepted": 0, "duplicates": 3, "rejected": []}
    found = conn.execute("SELECT outcome, output FROM traffic_request ORDER BY started_at").fetchall()
    assert found == [("error", None), ("error", None), ("ok", 300)]
    one, two, answer = Request.objects.in_days(START_DAY, START_DAY + timedelta(days=2)).order_by("started_at")
    assert [retries_of(request) for request in (one, two, answer)] == [
        ([], answer),
        ([one], answer),
        ([one, two], None),
    ]
    ops = in_role("ops")
    page = " ".join(ops.get(f"/requests/{answer.id}/").content.decode().split())
    assert page.index(f"/requests/{one.id}/") < page.index(f"/requests/{two.id}/")
    assert re.search(r"\(\s*429 RateLimitError\s*\)", page)
    page = ops.get(f"/requests/{one.id}/").content.decode()
    assert f'<a href="/requests/{answer.id}/">Tried again, and answered</a>' in page


def test_who_asked_is_kept_as_a_hash_alone(key: str, conn: psycopg.Connection) -> None:
    who = {"user_api_key_user_email": "someone@example.org", "user_api_key_end_user_id": "u1", "usage_object": None}
    send(key, json.dumps(event(end_user="user-17", metadata=who)))
    (raw, hashed) = conn.execute("SELECT raw::text, user_hash FROM traffic_request").fetchone() or ("", None)
    assert "someone" not in raw and "user-17" not in raw and "u1" not in raw
    assert hashed is not None
