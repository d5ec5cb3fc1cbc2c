"""`manage.py migrate`: Django's own, as the role that owns the tables; then the application's rights are granted.

An empty database gets its tables from `dashboard/schema.sql`, a second's work; to run each migration takes fifteen,
nearly all of it for Django's picture of the models between two steps. Migrations that are newer than the file follow it
as in any other database. `python -m tests.schema` writes the file, and a test holds it against the migrations.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from dashboard.backup.database_roles import as_owner, grant
from lib.encryption import encrypt

SCHEMA = Path(__file__).parents[2] / "schema.sql"
# How the file names a migration that it contains; to PostgreSQL it is a comment.
CONTAINS = "-- contains "
# Of the version whose pg_dump wrote the file: an older server may not read it and gets every migration instead.
OLDEST_SERVER = 18
IS_EMPTY = "SELECT NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace)"
# What migrations write into a new database besides its tables.
FIRST_AUDIT_KEY = "INSERT INTO providers_auditkey (secret, created_at) VALUES (%s, %s)"


class Command(migrate.Command):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--each", action="store_true", help="Run each migration, also in an empty database.")

    def handle(self, *args: Any, **options: Any) -> None:
        each = options.pop("each", False)
        if options["database"] != DEFAULT_DB_ALIAS:
            super().handle(*args, **options)
            return
        only_looks = options["check_unapplied"] or options["plan"]
        with as_owner() as application:
            if not (each or only_looks or options["app_label"] or options["fake"]) and takes_schema():
                load_schema()
            super().handle(*args, **options)
            if application:
                grant(application)


def takes_schema() -> bool:
    """Whether the database has nothing in it and its server reads what is in the file."""
    with connection.cursor() as cursor:
        cursor.execute(IS_EMPTY)
        return bool(cursor.fetchone()[0]) and connection.pg_version // 10_000 >= OLDEST_SERVER  # type: ignore[attr-defined]


def load_schema() -> None:
    """Make the tables and record the migrations that made them, all or nothing."""
    text = SCHEMA.read_text()
    contained = [line.removeprefix(CONTAINS).split(".") for line in text.splitlines() if line.startswith(CONTAINS)]
    recorder = MigrationRecorder(connection)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL check_function_bodies = off")  # a function may stand before the tables that it reads
        cursor.execute(text)
        for app, name in contained:
            recorder.record_applied(app, name)
        cursor.execute(FIRST_AUDIT_KEY, [encrypt(secrets.token_hex(32)), timezone.now()])
