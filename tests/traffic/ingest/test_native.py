"""`POST /api/v1/requests` to the contract: good rows land, bad ones are named, nothing is half-written."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.test import Client
from django.utils import timezone

from tests.factories import ApplicationFactory
from tests.traffic.native_posts import URL, post, row
from traffic.authentication.keys import callers, create_key
from traffic.ingest.context import clear_cache
from traffic.models import Application, Unread


@pytest.fixture
def application(conn: psycopg.Connection) -> Application:
    clear_cache()
    callers.clear()
    return ApplicationFactory.create(slug="shop", name="Shop")


@pytest.fixture
def key(application: Application) -> str:
    return create_key(name="test", scopes=["ingest"], application=application)[1]


def test_rows_are_answered_after_they_landed(key: str, conn: psycopg.Connection) -> None:
    answer = post(key, {"requests": [row(), row(id="b"), row(id="b")]})
    assert answer.status_code == 200
    assert answer.json() == {"accepted": 2, "duplicates": 1, "rejected": []}
    assert conn.execute("SELECT count(*) FROM traffic_request").fetchone() == (2,)


def test_a_gzipped_body_is_read(key: str) -> None:
    body = gzip.compress(json.dumps({"requests": [row()]}).encode())
    assert post(key, body, **{"Content-Encoding": "gzip"}).json()["accepted"] == 1


@pytest.mark.parametrize(
    ("bad", "loc"),
    [
        ({"latency_ms": "fast"}, ["latency_ms"]),
        ({"colour": "red"}, ["colour"]),
        ({"tokens": {"output": -1}}, ["tokens", "output"]),
        ({"tokens": {"inputs": 1}}, ["tokens", "inputs"]),
        ({"started_at": "2019-01-01T00:00:00Z"}, ["started_at"]),
        ({"started_at": (timezone.now() + timedelta(days=2)).isoformat()}, ["started_at"]),
        ({"started_at": "2026-11-01T00:00:00"}, ["started_at"]),
        ({"model": "a\0b"}, ["model"]),
        ({"model": "  "}, ["model"]),
        ({"id": "x" * 201}, ["id"]),
        ({"application": "other"}, ["application"]),
        ({"deployment": "nowhere"}, ["deployment"]),
        ({"task": "poetry"}, ["task"]),
        ({"provider": None}, ["provider"]),
        ({"prompt": [{"role": "user", "content": "a\0b"}]}, ["prompt", 0, "content"]),
    ],
)
def test_a_bad_row_is_named_and_the_good_ones_land(key: str, bad: dict[str, Any], loc: list[Any]) -> None:
    answer = post(key, {"requests": [row(id="good"), row(**bad)]})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["accepted"], [one["index"] for one in body["rejected"]]) == (1, [1])
    assert body["rejected"][0]["errors"][0]["loc"] == loc
    assert len(body["rejected"][0]["errors"][0]["msg"]) > 10


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"requests": 1}', b'{"requests": [', b"\xff", b"null"])
def test_a_wrong_outer_shape_is_400(key: str, body: bytes) -> None:
    answer = post(key, body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"detail", "errors"}


def test_a_first_token_after_the_end_is_left_out_and_said(key: str, conn: psycopg.Connection) -> None:
    late = row(latency_ms=5, ttft_ms=6, streamed=True)
    post(key, {"requests": [late, row(id="b", latency_ms=5, ttft_ms=5), row(id="c", ttft_ms=7)]})
    found = conn.execute("SELECT latency_ms, ttft_ms, raw -> 'doubts' FROM traffic_request ORDER BY external_id")
    assert found.fetchall() == [(5.0, None, ["ttft_after_end"]), (5.0, 5.0, None), (None, 7.0, None)]


def test_too_many_rows_are_413(key: str) -> None:
    assert post(key, {"requests": [1] * 5001}).status_code == 413


def test_a_bomb_is_413_at_the_limit(key: str) -> None:
    body = gzip.compress(b" " * (17 << 20))
    assert post(key, body, **{"Content-Encoding": "gzip"}).status_code == 413


@pytest.mark.parametrize("size", [0, 70_000, 1 << 20])
def test_what_follows_a_compressed_body_is_400_and_ends(key: str, size: int) -> None:
    """In a process of its own: where reading it does not end, nothing in ours could end the test."""
    program = (
        "import gzip, io\nfrom traffic.ingest.body import inflate\nfrom lib.errors import ApiError\n"
        f"try: inflate(io.BytesIO(gzip.compress(b'x' * {size}) + b'rest'), 1 << 24, 31)\n"
        "except ApiError as error: print(error.status)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "400\n", done.stderr


def test_a_broken_compression_is_400(key: str) -> None:
    assert post(key, b"not gzip", **{"Content-Encoding": "gzip"}).status_code == 400


def test_a_row_that_is_no_object_is_rejected(key: str) -> None:
    answer = post(key, {"requests": [1, "x", None, row()]}).json()
    assert (answer["accepted"], len(answer["rejected"])) == (1, 3)
    assert Unread.objects.values_list("signal", "unread", "rejected").get() == ("native", 0, 3)


@pytest.mark.parametrize(
    "wrong", [{"outcome": "a\0b"}, {"task": "a\0b"}, {"started_at": "a\0b"}, {"a\0b": 1}, {"tokens": {"a\0b": 1}}]
)
def test_a_refused_row_whose_reason_repeats_a_nul_costs_no_other(key: str, wrong: dict[str, Any]) -> None:
    answer = post(key, {"requests": [row(id="a"), row(id="b", **wrong)]})
    assert (answer.status_code, answer.json()["accepted"], len(answer.json()["rejected"])) == (200, 1, 1)
    assert "\0" not in Unread.objects.get().reason


def test_without_a_key_it_is_401_and_without_the_scope_403(application: Application) -> None:
    assert Client().post(URL, "{}", content_type="application/json").status_code == 401
    assert post("wrong", {}).status_code == 401
    reader = create_key(name="reader", scopes=["read"], application=application)[1]
    assert post(reader, {}).status_code == 403


def test_half_an_emoji_costs_its_own_row_alone(key: str) -> None:
    body = json.dumps({"requests": [row(id="a"), row(id="b", prompt="cut \ud83d"), row(id="c")]}).encode()
    answer = post(key, body).json()
    assert (answer["accepted"], [one["index"] for one in answer["rejected"]]) == (2, [1])


def test_a_revoked_key_is_refused(application: Application) -> None:
    made, secret = create_key(name="old", scopes=["ingest"], application=application)
    made.revoked_at = timezone.now()
    made.save(update_fields=["revoked_at"])
    assert post(secret, {"requests": []}).status_code == 401


def test_a_collectors_key_may_name_any_application(application: Application, conn: psycopg.Connection) -> None:
    secret = create_key(name="collector", scopes=["ingest"])[1]
    answer = post(secret, {"requests": [row(application="shop"), row(application="nobody")]}).json()
    assert (answer["accepted"], len(answer["rejected"])) == (1, 1)
    assert conn.execute("SELECT application_id FROM traffic_request").fetchone() == (application.pk,)


def test_bodies_are_kept_only_where_the_application_opted_in(key: str, application: Application, conn: Any) -> None:
    post(key, {"requests": [row(prompt="secret", answer="yes")]})
    assert conn.execute("SELECT count(*) FROM traffic_request_body").fetchone() == (0,)
    Application.objects.update(capture_bodies=True)
    callers.clear()
    post(key, {"requests": [row(id="b", prompt=[{"role": "user", "content": "hi"}], answer="yes")]})
    assert conn.execute("SELECT answer FROM traffic_request_body").fetchall() == [("yes",)]
