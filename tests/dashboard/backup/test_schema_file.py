"""An empty database gets from `schema.sql` what the migrations, each by itself, would make of it."""

from __future__ import annotations

import re

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from dashboard.management.commands import migrate
from tests.dashboard.elsewhere import Elsewhere
from tests.database import conninfo

OF_A_DAY = "'_[0-9]{8}$'"
# Each with its definition as the server writes it; the tables of single days differ by the day.
PARTS = {
    "column": f"""
        SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
            attgenerated, pg_get_expr(adbin, adrelid)
        FROM pg_attribute LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
        WHERE attnum > 0 AND NOT attisdropped AND attrelid IN (
            SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')
            AND relname !~ {OF_A_DAY})""",
    "constraint": f"""
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text !~ {OF_A_DAY}""",
    "index": f"SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename !~ {OF_A_DAY}",
    "trigger": f"""
        SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger
        WHERE NOT tgisinternal AND tgrelid::regclass::text !~ {OF_A_DAY}""",
    "function": "SELECT pg_get_functiondef(oid), proacl::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "partitioning": f"""
        SELECT oid::regclass::text, pg_get_partkeydef(oid), reloptions FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname !~ {OF_A_DAY}""",
    "migration": "SELECT app, name FROM django_migrations",
    "permission": "SELECT content_type.model, codename FROM auth_permission"
    " JOIN django_content_type AS content_type ON content_type.id = content_type_id",
    "audit key": "SELECT count(*) FROM providers_auditkey",
}


# PostgreSQL casts the members of a list that a dump wrote, where it cast the whole list that Django wrote.
CASTS = re.compile(r"::(character varying|text)(\[\])?|[()]")


def parts(url: str, part: str) -> set[tuple[str, ...]]:
    with psycopg.connect(url) as own:
        return {tuple(CASTS.sub("", str(value)) for value in row) for row in own.execute(PARTS[part])}


def test_schema_file_makes_what_the_migrations_make(elsewhere: Elsewhere) -> None:
    """Where this fails after a new migration, that one and the file do not fit together: `python -m tests.schema`."""
    by_migrations = elsewhere.manage("migrate", "--each")
    assert by_migrations.returncode == 0, by_migrations.stderr
    assert "Applying traffic.0001_initial" in by_migrations.stdout
    each = {part: parts(elsewhere.url, part) for part in PARTS}
    with psycopg.connect(elsewhere.url, autocommit=True) as own:
        own.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    by_file = elsewhere.manage("migrate")
    assert by_file.returncode == 0, by_file.stderr
    assert "Applying traffic.0001_initial" not in by_file.stdout
    for part, expected in each.items():
        assert parts(elsewhere.url, part) == expected, part


@pytest.mark.django_db
def test_older_server_gets_every_migration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "IS_EMPTY", "SELECT true")
    assert migrate.takes_schema()
    monkeypatch.setattr(migrate, "OLDEST_SERVER", 19)
    assert not migrate.takes_schema()


@pytest.mark.django_db
def test_database_that_holds_something_is_left_as_it_is() -> None:
    before = parts(conninfo(), "migration")
    assert not migrate.takes_schema()
    call_command("migrate", verbosity=0)
    assert parts(conninfo(), "migration") == before


@pytest.mark.django_db
def test_file_names_only_migrations_that_exist() -> None:
    lines = migrate.SCHEMA.read_text().splitlines()
    named = {line.removeprefix(migrate.CONTAINS) for line in lines if line.startswith(migrate.CONTAINS)}
    applied = {f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations()}
    assert named <= applied
    assert len(named) > 60
