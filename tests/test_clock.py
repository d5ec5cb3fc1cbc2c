"""All processes of a run have one clock, also where `make test-days` moves it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

NEAR = timedelta(minutes=2)


@pytest.mark.django_db
def test_the_database_has_the_clock_of_the_tests() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        assert abs(cursor.fetchone()[0] - datetime.now(UTC)) < NEAR


def test_a_process_that_a_test_starts_has_the_clock_of_the_tests() -> None:
    answer = subprocess.run([sys.executable, "-c", "import time; print(time.time())"], capture_output=True, check=True)
    assert abs(datetime.fromtimestamp(float(answer.stdout), UTC) - datetime.now(UTC)) < NEAR


def test_the_queue_has_the_clock_of_the_tests(valkey_url: str) -> None:
    import redis

    with redis.Redis.from_url(valkey_url) as queue:
        seconds, _ = queue.time()
    assert abs(datetime.fromtimestamp(seconds, UTC) - datetime.now(UTC)) < NEAR
