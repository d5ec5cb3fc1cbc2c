"""`/readyz`: 503 while nothing can be stored, in a sentence that tells strangers nothing, and at hardly any cost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from django.db import connection
from django.test import Client

from dashboard.health import heart, readiness
from dashboard.health.heart import Heart
from dashboard.health.readiness import Readiness
from lib import disk
from lib.disk import floor_of
from tests.traffic.gateway_stack import until
from tests.traffic.otlp_exports import body, protobuf, span
from tests.traffic.web_process import Intake, running_intake
from traffic.authentication import access
from traffic.authentication.keys import create_key
from traffic.ingest import store_status

GIB = 1 << 30
pytestmark = pytest.mark.django_db
FULL = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
FULL += " 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;"
FULL += " CREATE TRIGGER full_disk BEFORE INSERT ON traffic_usage_hour EXECUTE FUNCTION full_disk()"


@pytest.fixture(scope="module")
def intake(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any, valkey_url: str) -> Iterator[Intake]:
    with running_intake(django_db_blocker, tmp_path_factory.mktemp("web"), REDIS_URL=valkey_url) as running:
        yield running


@pytest.fixture
def ready(valkey_url: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Readiness]:
    """One that remembers nothing."""
    settings.REDIS_URL = valkey_url
    monkeypatch.setattr(readiness, "REMEMBERED_S", -1.0)
    made = Readiness()
    yield made
    made.close()
    store_status.stored()


def reasons(intake: Intake) -> list[str]:
    status, _headers, content = intake.web.ask("/readyz")
    answer = json.loads(content)
    assert (status == 200) == ("reasons" not in answer)
    found: list[str] = answer.get("reasons", [])
    return found


def test_a_frozen_database_makes_it_not_ready_and_its_thaw_ready_again(intake: Intake) -> None:
    until(lambda: not reasons(intake))
    intake.door.freeze()
    try:
        until(lambda: reasons(intake) == ["The database does not answer."])
        with ThreadPoolExecutor(50) as pool:
            assert set(pool.map(lambda _n: tuple(reasons(intake)), range(100))) == {("The database does not answer.",)}
        assert intake.web.ask("/healthz")[0] == 200
    finally:
        intake.door.thaw()
    until(lambda: not reasons(intake))


def test_strangers_do_not_learn_where_the_database_is(intake: Intake) -> None:
    intake.door.shut()
    try:
        until(lambda: reasons(intake))
        _status, _headers, content = intake.web.ask("/readyz")
    finally:
        intake.door.reopen()
    assert json.loads(content) == {"status": "unavailable", "reasons": ["The database does not answer."]}
    until(lambda: not reasons(intake))


def test_a_full_disk_is_told_to_exporters_and_machines_until_something_was_stored(intake: Intake) -> None:
    until(lambda: not reasons(intake))
    until(intake.web.answers)
    batch = protobuf(body(span(1)))
    intake.conn.execute(FULL)
    try:
        status, headers, content = intake.web.post(batch)
        assert (status, b"disk of the database is full" in content) == (503, True)
        assert headers["Retry-After"] == "2"
        assert until(lambda: reasons(intake)) == ["The disk of the database is full: nothing can be stored."]
    finally:
        intake.conn.execute("DROP FUNCTION full_disk() CASCADE")
    assert intake.web.post(batch)[0] == 200
    until(lambda: not reasons(intake))


def test_the_database_is_asked_to_write_and_keeps_nothing_of_it(ready: Readiness, transactional_db: Any) -> None:
    assert ready.reasons() == []
    store_status.failed(ValueError())
    assert ready.reasons() == []
    tables = tables_to_try()
    assert tables >= 1, "a table of the kept connection"
    assert ready.reasons() == [] and tables_to_try() == tables


def tables_to_try() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname = 'breakeven_try'")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("error", "sentence", "event"),
    [
        (
            psycopg.errors.DiskFull("no room"),
            "The disk of the database is full: nothing can be stored.",
            "database_disk_full",
        ),
        (psycopg.OperationalError("at 10.0.0.7, port 5432, user x"), "The database does not answer.", "database_away"),
        (psycopg.errors.ReadOnlySqlTransaction("no"), "The database takes nothing in: it is read-only.", ""),
    ],
)
def test_what_the_database_says_becomes_a_sentence(
    ready: Readiness, monkeypatch: pytest.MonkeyPatch, error: psycopg.Error, sentence: str, event: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def write(self: Heart) -> None:
        raise error

    monkeypatch.setattr(Heart, "write", write)
    assert ready.reasons() == [sentence]
    assert event in caplog.text and "readiness_changed ready=false" in caplog.text


def test_a_database_session_that_cannot_write_the_probe_counts_as_answering(
    transactional_db: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(heart, "MAKE", "SELECT 1")  # as where another session made the table
    own = Heart()
    own.write()
    own.close()


def test_a_read_only_database_is_seen(ready: Readiness, transactional_db: Any) -> None:
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        try:
            assert ready.reasons() == ["The database takes nothing in: it is read-only."]
        finally:
            cursor.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


@pytest.mark.parametrize(
    ("total", "floor"),
    [(1, GIB // 8), (8, GIB), (20, GIB), (100, 3 * GIB), (252, 252 * GIB * 3 // 100), (4_000, 10 * GIB)],
)
def test_the_floor_of_a_disk(total: int, floor: int) -> None:
    assert floor_of(total * GIB) == floor


def disk_with_free(monkeypatch: pytest.MonkeyPatch, free: int, total: int = 100 * GIB) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: (total, total - free, free))


def with_database(folder: Path) -> Path:
    """A data directory that holds the database as well."""
    (folder / "postgres" / "data").mkdir(parents=True)
    (folder / "postgres" / "data" / "PG_VERSION").write_text("18")
    return folder


def test_a_disk_below_its_floor_makes_it_not_ready(
    ready: Readiness, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR = with_database(tmp_path)
    disk_with_free(monkeypatch, 3 * GIB)
    assert ready.reasons() == []
    disk_with_free(monkeypatch, 3 * GIB - 1)
    assert ready.reasons() == ["The disk of the data directory is nearly full: nothing is taken in."]


def test_a_disk_without_the_database_may_be_fuller(
    ready: Readiness, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    disk_with_free(monkeypatch, 32 << 20)
    assert ready.reasons() == []
    disk_with_free(monkeypatch, (32 << 20) - 1)
    assert ready.reasons() == ["The disk of the data directory is nearly full: nothing is taken in."]


@pytest.mark.parametrize(
    ("path", "scope", "sent"),
    [
        ("/v1/traces", "ingest", "{}"),
        ("/v1/logs", "ingest", "{}"),
        ("/v1/metrics", "ingest", "{}"),
        ("/ingest/litellm", "ingest", "[]"),
        ("/api/v1/requests", "ingest", '{"requests": []}'),
        ("/api/v1/feedback", "rate", '{"request_id": "x", "by": "ada", "score": 1}'),
    ],
)
def test_nothing_is_taken_in_below_the_floor_and_reading_goes_on(
    monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path, path: str, scope: str, sent: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(disk, "REMEMBERED_S", -1.0)
    monkeypatch.setattr(access, "disk_watch", disk.DiskWatch())
    settings.DATA_DIR = with_database(tmp_path)
    caplog.set_level("INFO")
    _key, secret = create_key(name="k", scopes=[scope, "read"])
    ask: Any = {"headers": {"authorization": f"Bearer {secret}"}}
    disk_with_free(monkeypatch, 2 * GIB)
    for _ in range(3):
        refused = Client().post(path, sent, content_type="application/json", **ask)
        assert (refused.status_code, refused["Retry-After"]) == (503, "30")
        assert refused.json()["detail"] == (
            "The disk of the data directory is nearly full. Send the same again when there is room."
        )
    assert Client().get("/api/v1/usage", **ask).status_code == 200
    disk_with_free(monkeypatch, 4 * GIB)
    taken = Client().post(path, sent, content_type="application/json", **ask)
    assert taken.status_code not in (429, 503)
    changes = [record.getMessage() for record in caplog.records if record.getMessage().startswith("disk_")]
    assert changes == [
        f"disk_low free={2 * GIB} floor={3 * GIB}", f"disk_has_room free={4 * GIB} floor={3 * GIB}"
    ]  # fmt: skip


def test_a_queue_that_is_away_is_named_without_its_address(ready: Readiness, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert ready.reasons() == ["The queue does not answer."]


def test_one_connection_to_the_queue_is_kept(ready: Readiness, valkey_url: str) -> None:
    client = redis.Redis.from_url(valkey_url)
    ready.reasons()
    before = client.info("stats")["total_connections_received"]
    for _ in range(5):
        assert ready.reasons() == []
    assert client.info("stats")["total_connections_received"] == before
    client.close()


def test_readiness_is_checked_once_a_second_for_any_number_of_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    own = Readiness()

    def look() -> str:
        looked.append(1)
        time.sleep(0.1)
        return "full"

    monkeypatch.setattr(own, "_disk", look)
    monkeypatch.setattr(own, "_database", lambda: "")
    monkeypatch.setattr(own, "_ask_queue", lambda: "")
    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(lambda _n: own.reasons(), range(200))) == [["full"]] * 200
    assert looked == [1]
    own.close()
