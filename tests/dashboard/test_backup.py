"""A backup holds everything in one moment, gives no vendor's key away, and comes back all or not at all."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from psycopg import sql

from dashboard import backup
from providers.encryption import encrypt
from providers.models import Account
from tests.servers import free_environment
from tests.traffic.conftest import conn, conninfo  # noqa: F401 -- a fixture
from tests.traffic.test_store import row
from traffic.ingest.staging import Installation
from traffic.ingest.store import ingest

Manage = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def in_use(conn: psycopg.Connection) -> psycopg.Connection:  # noqa: F811 -- the fixture above
    """An installation with a person, a vendor's key and requests with bodies."""
    User.objects.create_user("ada", "ada@example.com", "a long password")
    Account.objects.create(slug="claude", name="Claude", kind="anthropic", secret=encrypt("sk-of-a-vendor"))
    ingest(conn, [row(n, prompt="p", raw={"n": n}) for n in range(30)], Installation.load(conn))
    return conn


@pytest.fixture
def other(transactional_db: Any) -> Iterator[str]:
    """The URL of an empty database beside the suite's."""
    name = f"restored_{secrets.token_hex(4)}"
    with psycopg.connect(conninfo(), autocommit=True) as own:
        own.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        info = own.info
        yield f"postgresql://{info.user}:{info.password}@{info.host}:{info.port}/{name}"
        own.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def elsewhere(other: str, tmp_path: Path) -> Manage:
    """`manage.py` of another installation on the empty database, with a key of its own."""

    def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = free_environment(DATABASE_URL=other, BREAKEVEN_DATA=str(tmp_path / "other"), SECRET_KEY="s")
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    return manage


def backed_up(path: Path, **options: Any) -> Path:
    call_command("backup", path, stdout=StringIO(), **options)
    return path


def contents(url: str) -> dict[str, Any]:
    """A sum over each table's rows; sessions are not backed up."""
    with psycopg.connect(url) as own:
        tables = own.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND relname <> 'django_session'"
        ).fetchall()
        sums = "SELECT count(*), md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {} AS t"
        return {name: own.execute(sql.SQL(sums).format(sql.Identifier(name))).fetchone() for (name,) in tables}


def test_what_was_backed_up_comes_back_whole(
    in_use: psycopg.Connection, other: str, elsewhere: Manage, tmp_path: Path
) -> None:
    before = contents(conninfo())
    source = backed_up(tmp_path / "b.zip")
    done = elsewhere("restore", str(source))
    assert done.returncode == 0, done.stderr
    assert "stored under another key" in done.stdout
    assert contents(other) == before
    audit = elsewhere("audit")
    assert audit.returncode == 0, audit.stderr

    refused = elsewhere("restore", str(source))
    assert refused.returncode == 1
    assert "--force" in refused.stderr
    with psycopg.connect(other, autocommit=True) as own:
        own.execute("DELETE FROM auth_user")
        own.execute("CREATE TABLE left_over (id int)")
        own.execute("CREATE FUNCTION left_over(one int) RETURNS int LANGUAGE sql RETURN one")
    assert elsewhere("restore", str(source), "--force").returncode == 0
    assert contents(other) == before
    with psycopg.connect(other) as own:
        routines = own.execute("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace").fetchall()
    assert ("costs_decision_is_final",) in routines and ("left_over",) not in routines


def test_the_key_is_inside_only_when_asked_for(in_use: psycopg.Connection, elsewhere: Manage, tmp_path: Path) -> None:
    without, with_key = backed_up(tmp_path / "a.zip"), backed_up(tmp_path / "b.zip", with_key=True)
    assert without.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(without) as parts:
        assert sorted(parts.namelist()) == ["database.dump", "manifest.json"]
    assert settings.CREDENTIALS_KEY.encode() not in without.read_bytes()
    assert b"sk-of-a-vendor" not in with_key.read_bytes()

    assert elsewhere("restore", str(with_key)).returncode == 0
    script = "from providers.models import Account; print(Account.objects.get(slug='claude').secret.reveal())"
    assert "sk-of-a-vendor" in elsewhere("shell", "-c", script).stdout
    kept = tmp_path / "other" / "credentials.key"
    assert kept.read_text() == settings.CREDENTIALS_KEY
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_backup_while_requests_arrive_is_of_one_moment(
    in_use: psycopg.Connection, elsewhere: Manage, tmp_path: Path
) -> None:
    installation = Installation.load(in_use)
    enough, writing = threading.Event(), threading.Event()

    def write() -> None:
        with psycopg.connect(conninfo(), autocommit=True) as own:
            number = 1000
            while not enough.is_set():
                ingest(own, [row(n) for n in range(number, number + 20)], installation)
                number += 20
                writing.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert writing.wait(30)
    try:
        source = backed_up(tmp_path / "b.zip")
    finally:
        enough.set()
        writer.join()
    assert elsewhere("restore", str(source)).returncode == 0
    audit = elsewhere("audit")
    assert audit.returncode == 0, audit.stderr


def test_a_damaged_backup_changes_nothing(in_use: psycopg.Connection, tmp_path: Path) -> None:
    source = backed_up(tmp_path / "b.zip")
    content = bytearray(source.read_bytes())
    content[len(content) // 2] ^= 1
    source.write_bytes(content)
    before = contents(conninfo())
    with pytest.raises(CommandError, match=r"damaged|no whole backup"):
        call_command("restore", source, force=True)
    source.write_bytes(content[:2000])
    with pytest.raises(CommandError, match="no whole backup"):
        call_command("restore", source, force=True)
    assert contents(conninfo()) == before


def test_a_load_that_fails_half_way_leaves_the_database_as_it_was(in_use: psycopg.Connection, tmp_path: Path) -> None:
    source = backed_up(tmp_path / "b.zip")
    before = contents(conninfo())
    with zipfile.ZipFile(source) as parts:
        half = tmp_path / "half.dump"
        half.write_bytes(parts.read("database.dump")[:-20_000])
    with half.open("rb") as content, pytest.raises(backup.BackupError, match="as it was"):
        backup.load(content)
    assert contents(conninfo()) == before


def test_a_backup_of_a_newer_version_is_refused(in_use: psycopg.Connection, tmp_path: Path) -> None:
    source = backed_up(tmp_path / "b.zip")
    with backup.opened(source) as (parts, manifest):
        newer = replace(manifest, migrations=[*manifest.migrations, "traffic.9999_of_next_year"])
        with pytest.raises(backup.BackupError, match="newer version"):
            backup.check(parts, newer)
        assert json.loads(parts.read("manifest.json"))["server"].startswith("18")


def test_a_file_that_is_there_is_not_overwritten(in_use: psycopg.Connection, tmp_path: Path) -> None:
    source = backed_up(tmp_path / "b.zip")
    with pytest.raises(CommandError, match="already"):
        backed_up(source)
    assert [path.name for path in tmp_path.iterdir()] == ["b.zip"]
