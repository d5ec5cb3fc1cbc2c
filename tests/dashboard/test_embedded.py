from __future__ import annotations

import os
import pwd
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from dashboard.embedded import postgres as postgres_module
from dashboard.embedded.postgres import THROWAWAY, Postgres
from dashboard.embedded.servers import ServerError, gone
from dashboard.embedded.valkey import Valkey


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    server = Postgres(tmp_path / "postgres", THROWAWAY)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey")
    server.start()
    yield server
    server.stop()


def scalar(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]


def test_the_database_is_postgresql_18_with_a_collation_that_needs_no_icu(postgres: Postgres) -> None:
    assert str(scalar(postgres.url, "SHOW server_version")).startswith("18.")
    assert scalar(postgres.url, "SELECT datlocale FROM pg_database WHERE datname = current_database()") == "C.UTF-8"
    assert scalar(postgres.url, "SHOW timezone") == "UTC"


def test_the_database_refuses_a_wrong_password(postgres: Postgres) -> None:
    stranger = postgres.url.replace((postgres.home / "password").read_text(), "guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(stranger)


def test_files_of_the_database_stay_ours_and_private(postgres: Postgres) -> None:
    for path in (postgres.home, postgres.cluster, postgres.home / "password"):
        assert path.stat().st_uid == os.geteuid()
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_rows_outlive_a_stop_and_a_start(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    postgres.stop()
    assert postgres.pid() is None
    postgres.start()
    assert scalar(postgres.url, "SELECT answer FROM kept") == 42


def test_an_orphaned_server_is_stopped_before_a_new_one_starts(postgres: Postgres) -> None:
    orphan = postgres.pid()
    second = Postgres(postgres.home, THROWAWAY)
    second.start()
    assert second.pid() != orphan
    assert scalar(second.url, "SELECT 1") == 1


def test_a_killed_server_starts_again(postgres: Postgres) -> None:
    pid = postgres.pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    gone(psutil.Process(pid), 5)
    assert (postgres.cluster / "postmaster.pid").exists()
    postgres.start()
    assert scalar(postgres.url, "SELECT 1") == 1


def test_a_stale_record_that_names_another_program_neither_kills_it_nor_stops_the_start(postgres: Postgres) -> None:
    postgres.stop()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        (postgres.cluster / "postmaster.pid").write_text(f"{stranger.pid}\n{postgres.cluster}\n")
        postgres.start()
        assert stranger.poll() is None
        stranger.communicate(b"\n")


def test_a_half_made_cluster_is_made_again(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "postgres", THROWAWAY)
    (server.cluster / "base").mkdir(parents=True)
    server.start()
    try:
        assert scalar(server.url, "SELECT 1") == 1
    finally:
        server.stop()


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    server = Postgres(tmp_path / ("long" * 25) / ("longer" * 25), THROWAWAY)
    server.start()
    try:
        assert scalar(server.url, "SELECT 1") == 1
    finally:
        server.stop()


def test_a_cluster_of_another_version_is_left_alone_with_a_sentence(postgres: Postgres) -> None:
    postgres.stop()
    (postgres.cluster / "PG_VERSION").write_text("17\n")
    with pytest.raises(ServerError, match="is of PostgreSQL 17, this is 18"):
        postgres.start()


def test_a_failing_start_shows_the_servers_own_words(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "postgres", {**THROWAWAY, "shared_buffers": "-1"})
    with pytest.raises(ServerError, match="shared_buffers"):
        server.start()
    assert server.pid() is None


def test_where_namespaces_are_closed_root_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(postgres_module, "NAMESPACE", ("false",))
    with pytest.raises(ServerError, match="start Breakeven as another user, or set DATABASE_URL"):
        postgres_module._prefix.__wrapped__()


def test_a_user_without_a_name_gets_the_namespace_of_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 2**31)
    monkeypatch.setattr(postgres_module, "NAMESPACE", ("env",))
    assert postgres_module._prefix.__wrapped__() == ("env",)


def test_a_user_with_a_name_needs_no_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: pwd.getpwnam("nobody").pw_uid)
    assert postgres_module._prefix.__wrapped__() == ()


def test_the_queue_answers_with_its_password_alone(valkey: Valkey) -> None:
    assert redis.Redis.from_url(valkey.url).ping()
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(host="127.0.0.1", port=valkey.port, retry=Retry(NoBackoff(), 0)).ping()


def test_an_orphaned_queue_is_stopped_before_a_new_one_starts(valkey: Valkey) -> None:
    second = Valkey(valkey.home)
    second.start()
    assert redis.Redis.from_url(second.url).ping()
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(valkey.url, retry=Retry(NoBackoff(), 0)).ping()


def test_the_queue_keeps_its_password_in_a_private_file(valkey: Valkey) -> None:
    assert stat.S_IMODE((valkey.home / "valkey.conf").stat().st_mode) == 0o600
    process = psutil.Process(int((valkey.home / "valkey.pid").read_text()))
    assert valkey.password not in " ".join(process.cmdline())
