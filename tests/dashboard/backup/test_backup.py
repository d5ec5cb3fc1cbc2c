"""A backup holds everything in one moment, gives no vendor's key away, and comes back all or not at all."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import subprocess
import threading
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management import CommandError, call_command
from psycopg import sql

from dashboard.backup import archive as backup
from dashboard.backup import sealed_file
from dashboard.embedded import roles
from lib.keyring import mark, split
from lib.partitions import make_partitions
from tests.dashboard.elsewhere import Elsewhere, backed_up
from tests.database import conninfo
from tests.traffic.request_rows import row
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest


def contents(url: str) -> dict[str, Any]:
    """A sum over each table's rows; sessions are not backed up."""
    with psycopg.connect(url) as own:
        tables = own.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND relname <> 'dashboard_session'"
        ).fetchall()
        sums = "SELECT count(*), md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {} AS t"
        return {name: own.execute(sql.SQL(sums).format(sql.Identifier(name))).fetchone() for (name,) in tables}


def test_what_was_backed_up_comes_back_whole(in_use: psycopg.Connection, elsewhere: Elsewhere, tmp_path: Path) -> None:
    before = contents(conninfo())
    source = backed_up(tmp_path / "b.backup")
    elsewhere.takes_key(settings.CREDENTIALS_KEY)
    done = elsewhere.manage("restore", str(source))
    assert done.returncode == 0, done.stderr
    size = source.stat().st_size
    assert "restore_started" in done.stderr
    assert re.search(rf"restore_finished ms=\d+ bytes={size} snapshot_at=\S+", done.stderr), done.stderr
    assert "can be read with the key of this installation" in done.stdout
    assert as_written_by(elsewhere, before)
    audit = elsewhere.manage("audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr

    refused = elsewhere.manage("restore", str(source))
    assert refused.returncode == 1
    assert "--force" in refused.stderr
    assert "WARNING dashboard.management.commands.restore: restore_failed error=BackupError ms=" in refused.stderr
    with psycopg.connect(elsewhere.url, autocommit=True) as own:
        own.execute("DELETE FROM auth_user")
        own.execute("CREATE TABLE left_over (id int)")
        own.execute("CREATE FUNCTION left_over(one int) RETURNS int LANGUAGE sql RETURN one")
    assert elsewhere.manage("restore", str(source), "--force").returncode == 0
    assert as_written_by(elsewhere, before)
    with psycopg.connect(elsewhere.url) as own:
        routines = own.execute("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace").fetchall()
    assert ("costs_decision_is_final",) in routines and ("left_over",) not in routines


def as_written_by(elsewhere: Elsewhere, before: dict[str, Any]) -> bool:
    """Whether everything is there as it was, but for what the restore itself wrote into the audit log."""
    written = {"providers_auditentry", "providers_auditseal", "providers_auditkey"}
    now = contents(elsewhere.url)
    assert now.keys() == before.keys()
    differing = {table for table in now if now[table] != before[table]}
    assert differing <= written, differing
    return True


def test_after_a_restore_the_application_is_as_powerless_as_before(
    in_use: psycopg.Connection, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    elsewhere.takes_key(settings.CREDENTIALS_KEY)
    assert elsewhere.manage("restore", str(backed_up(tmp_path / "b.backup"))).returncode == 0
    assert "reads and writes rows and can do nothing else" in elsewhere.manage("doctor").stdout
    with psycopg.connect(elsewhere.server._url(roles.APPLICATION, elsewhere.name), autocommit=True) as application:
        assert make_partitions(application, "traffic_request", [date(2021, 5, 5)]) == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute("DELETE FROM providers_auditentry")
    with psycopg.connect(elsewhere.url) as owner:
        public = owner.execute(
            "SELECT proname FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS acl"
            " WHERE pronamespace = 'public'::regnamespace AND grantee = 0"
        ).fetchall()
    assert public == []


def test_the_moment_is_the_snapshots_and_not_the_end_of_the_dump(
    in_use: psycopg.Connection, elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that is committed while the dump runs is missing, and the moment that is told is before it."""
    real, late = backup.dump, list[datetime]()
    installation = PricingContext.load(in_use)

    def slow(into: Any, snapshot: str) -> None:
        ingest(in_use, [row(1001)], installation)
        late.append(datetime.now(UTC))
        real(into, snapshot)

    ingest(in_use, [row(1000)], installation)
    begun = datetime.now(UTC)
    monkeypatch.setattr(backup, "dump", slow)
    source = backed_up(tmp_path / "b.backup")
    elsewhere.takes_key(settings.CREDENTIALS_KEY)
    done = elsewhere.manage("restore", str(source))
    with psycopg.connect(elsewhere.url) as own:
        assert own.execute("SELECT count(*) FROM traffic_request").fetchone() == (31,)
    told = re.search(r"what it was at (\d{4}-\d\d-\d\d [\d:.]{12}) UTC", done.stdout)
    assert told, done.stdout
    moment = datetime.fromisoformat(told[1]).replace(tzinfo=UTC)
    assert begun - timedelta(milliseconds=1) <= moment < late[0]


def test_nothing_of_a_backup_is_readable_without_the_key(
    in_use: psycopg.Connection, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    source = backed_up(tmp_path / "a.backup")
    assert source.stat().st_mode & 0o777 == 0o600
    raw = source.read_bytes()
    assert raw.startswith(b"breakeven-backup-2\n")
    for text in (b"PGDMP", b"auth_user", b"traffic", b"migrations", settings.CREDENTIALS_KEY.encode()):
        assert text not in raw, text

    refused = elsewhere.manage("restore", str(source), "--trust-this-file")
    assert refused.returncode == 1 and "was made under another key" in refused.stderr
    key_file = tmp_path / "old.key"
    key_file.write_text(settings.CREDENTIALS_KEY)
    own = elsewhere.own_key()
    done = elsewhere.manage("restore", str(source), "--key-file", str(key_file))
    assert done.returncode == 0, done.stderr
    assert split(elsewhere.own_key()) == (own.strip(), settings.CREDENTIALS_KEY)
    assert secret_of(elsewhere) == "sk-of-a-vendor"


def secret_of(elsewhere: Elsewhere) -> str:
    script = "from providers.models import Account; print(Account.objects.get(slug='claude').secret.reveal())"
    return elsewhere.manage("shell", "--no-imports", "-c", script).stdout.strip()


def test_a_file_that_carries_its_key_is_enough_and_must_be_trusted(
    in_use: psycopg.Connection, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    source = backed_up(tmp_path / "b.backup", with_key=True)
    refused = elsewhere.manage("restore", str(source))
    assert refused.returncode == 1 and "its author is unknown: pass --trust-this-file" in refused.stderr
    done = elsewhere.manage("restore", str(source), "--trust-this-file")
    assert done.returncode == 0, done.stderr
    assert secret_of(elsewhere) == "sk-of-a-vendor"
    assert (elsewhere.data / "credentials.key").stat().st_mode & 0o777 == 0o600


def test_a_backup_of_before_a_rotation_is_read_by_the_retired_key(
    in_use: psycopg.Connection, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    source = backed_up(tmp_path / "b.backup")
    new = Fernet.generate_key().decode()
    elsewhere.takes_key(new)
    (elsewhere.data / "credentials.key.retired").write_text(f"{settings.CREDENTIALS_KEY}\n")
    done = elsewhere.manage("restore", str(source))
    assert done.returncode == 0, done.stderr
    assert split(elsewhere.own_key()) == (new, settings.CREDENTIALS_KEY)
    assert secret_of(elsewhere) == "sk-of-a-vendor"


def old_backup(path: Path, content: bytes) -> Path:
    """As earlier versions made them: in the clear, with a checksum that anybody can make."""
    applied, server = backup.state_of_database()
    manifest = {
        "format": 1, "made_at": "2026-11-30T03:17:41+00:00", "server": server, "migrations": applied,
        "key": mark(settings.CREDENTIALS_KEY), "sha256": {"database.dump": hashlib.sha256(content).hexdigest()},
    }  # fmt: skip
    with zipfile.ZipFile(path, "w") as parts:
        parts.writestr("database.dump", content)
        parts.writestr("manifest.json", json.dumps(manifest))
    return path


def dumped(**more: str) -> bytes:
    command = [backup.tool("pg_dump"), "--format=custom", "--no-owner", "--no-privileges"]
    return subprocess.run(command, env={**backup.libpq(), **more}, capture_output=True, check=True).stdout


def test_a_backup_of_an_earlier_version_comes_back_where_somebody_trusts_it(
    in_use: psycopg.Connection, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    before = contents(conninfo())
    source = old_backup(tmp_path / "b.zip", dumped())
    elsewhere.takes_key(settings.CREDENTIALS_KEY)
    refused = elsewhere.manage("restore", str(source))
    assert refused.returncode == 1 and "not signed, so its author is unknown" in refused.stderr
    done = elsewhere.manage("restore", str(source), "--trust-this-file")
    assert done.returncode == 0, done.stderr
    assert "when that backup began; it ended at 2026-11-30 03:17:41 UTC" in done.stdout
    assert as_written_by(elsewhere, before)


def test_a_hostile_file_runs_no_program_even_where_somebody_trusts_it(
    in_use: psycopg.Connection, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    """The review's own: a CHECK whose function copies to a program, in a dump that somebody else made."""
    sign = tmp_path / "it-ran"
    in_use.execute("CREATE FUNCTION run() RETURNS boolean LANGUAGE sql RETURN true")
    try:
        in_use.execute("CREATE TABLE bait (id int CHECK (run()))")
        in_use.execute("INSERT INTO bait VALUES (1)")
        in_use.execute(
            "CREATE OR REPLACE FUNCTION run() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
            f" COPY (SELECT 1) TO PROGRAM 'touch {sign}'; RETURN true; END $$"
        )
        source = old_backup(tmp_path / "b.zip", dumped())
    finally:
        in_use.execute("DROP TABLE IF EXISTS bait")
        in_use.execute("DROP FUNCTION run")
    done = elsewhere.manage("restore", str(source), "--trust-this-file")
    assert done.returncode == 1 and "permission denied to COPY to or from an external program" in done.stderr
    assert not sign.exists()
    with psycopg.connect(elsewhere.url) as own:
        assert own.execute("SELECT to_regclass('auth_user')").fetchone() == (None,)


def test_a_superuser_restores_nothing_unsigned(in_use: psycopg.Connection, tmp_path: Path) -> None:
    source = old_backup(tmp_path / "b.zip", dumped())
    before = contents(conninfo())
    with pytest.raises(CommandError, match="is a superuser: what the file holds could run programs"):
        call_command("restore", source, force=True, trust_this_file=True)
    assert contents(conninfo()) == before


def test_a_backup_while_requests_arrive_is_of_one_moment(
    in_use: psycopg.Connection, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    installation = PricingContext.load(in_use)
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
        source = backed_up(tmp_path / "b.backup")
    finally:
        enough.set()
        writer.join()
    elsewhere.takes_key(settings.CREDENTIALS_KEY)
    assert elsewhere.manage("restore", str(source)).returncode == 0
    audit = elsewhere.manage("audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr


@pytest.mark.parametrize("damage", ["changed", "cut", "cut at a chunk", "header", "longer", "chunks exchanged"])
def test_a_damaged_backup_changes_nothing(
    in_use: psycopg.Connection, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed_file, "CHUNK", 20_000)
    source = backed_up(tmp_path / "b.backup")
    raw = source.read_bytes()
    start, size = raw.index(b"\n", 20) + 1, 20_000 + sealed_file.TAG
    middle = len(raw) // 2
    source.write_bytes({
        "changed": raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :],
        "cut": raw[:-5_000],
        "cut at a chunk": raw[: start + 2 * size],
        "header": raw.replace(b'"salt"', b'"salt":"00", "salt"', 1),
        "longer": raw + raw[start : start + size],
        "chunks exchanged": raw[: start + size] + raw[start + 2 * size : start + 3 * size]
        + raw[start + size : start + 2 * size] + raw[start + 3 * size :],
    }[damage])  # fmt: skip
    before = contents(conninfo())
    with pytest.raises(CommandError, match=r"is damaged: .* The database is as it was"):
        call_command("restore", source, force=True)
    assert contents(conninfo()) == before


def test_a_dump_that_breaks_off_changes_nothing(in_use: psycopg.Connection) -> None:
    before = contents(conninfo())
    half = dumped()[:-20_000]
    with pytest.raises(backup.BackupError, match="as it was"):
        backup.load([half])
    assert contents(conninfo()) == before


@pytest.mark.parametrize("content", [b"", b"PK", b"breakeven-backup-2\n", b"breakeven-backup-2\n{}\n", b"x" * 100])
def test_what_is_no_backup_is_refused(db: Any, tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "b.backup"
    source.write_bytes(content)
    with pytest.raises(CommandError, match=r"no backup|is damaged|another key"):
        call_command("restore", source, trust_this_file=True)


def test_a_backup_of_a_newer_version_is_refused(in_use: psycopg.Connection, tmp_path: Path) -> None:
    source = backed_up(tmp_path / "b.backup")
    with backup.opened(source, [settings.CREDENTIALS_KEY]) as opened:
        newer = replace(opened.manifest, migrations=[*opened.manifest.migrations, "traffic.9999_of_next_year"])
        with pytest.raises(backup.BackupError, match="newer version"):
            backup.check(newer)
        # Of an installation that began with a version that had Django's admin site.
        backup.check(replace(opened.manifest, migrations=[*opened.manifest.migrations, "admin.0001_initial"]))
        assert opened.manifest.server.startswith("18")


@pytest.mark.parametrize("size", [0, 1, 19_999, 20_000, 20_001, 40_000, 100_000])
def test_a_sealed_file_gives_back_what_was_written_whatever_its_length(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed_file, "CHUNK", 20_000)
    key, plain, file = Fernet.generate_key().decode(), secrets.token_bytes(size), BytesIO()
    writer = sealed_file.Writer(file, key)
    for start in range(0, size, 7_001):
        writer.write(plain[start : start + 7_001])
    writer.close()
    file.seek(0)
    assert b"".join(sealed_file.read(file, [Fernet.generate_key().decode(), key])) == plain
    file.seek(0)
    with pytest.raises(sealed_file.OtherKey):
        next(sealed_file.read(file, [Fernet.generate_key().decode()]))


def test_a_backup_is_in_the_log_with_its_size_and_its_failure(
    in_use: psycopg.Connection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dashboard")
    size = backed_up(tmp_path / "b.backup").stat().st_size
    with pytest.raises(CommandError):
        backed_up(tmp_path / "b.backup")
    log = [re.sub(r"ms=\d+", "ms=N", record.getMessage()) for record in caplog.records]
    assert log == [
        "backup_started", f"backup_finished ms=N bytes={size}",
        "backup_started", "backup_failed error=BackupError ms=N",
    ]  # fmt: skip


def test_a_file_that_is_there_is_not_overwritten(in_use: psycopg.Connection, tmp_path: Path) -> None:
    source = backed_up(tmp_path / "b.backup")
    with pytest.raises(CommandError, match="already"):
        backed_up(source)
    assert [path.name for path in tmp_path.iterdir()] == ["b.backup"]
