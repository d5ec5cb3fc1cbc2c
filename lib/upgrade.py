"""What the migrations share that bring an installation of before version 0.1.0 to its schema.

Until then each app had a migration for each change; version 0.1.0 has one set, whose first migrations keep their names.
So an older database counts as up to date there, and these operations change what differs in it. A new database has
nothing to change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import migrations

COLUMN = """
SELECT EXISTS (SELECT FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = %s AND column_name = %s)
"""


def has_column(schema_editor: Any, table: str, column: str) -> bool:
    """Whether the database still has a column under this name."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(COLUMN, [table, column])
        return bool(cursor.fetchone()[0])


def rename_column(table: str, before: str, after: str) -> migrations.RunPython:
    """An operation that renames a column where it has its name of before."""

    def rename(apps: Any, schema_editor: Any) -> None:
        if has_column(schema_editor, table, before):
            schema_editor.execute(f"ALTER TABLE {table} RENAME COLUMN {before} TO {after}")

    return migrations.RunPython(rename, migrations.RunPython.noop)


def add_missing_fields(app: str, model_name: str, *names: str) -> migrations.RunPython:
    """An operation that adds the fields of a model whose columns are not there."""

    def add(apps: Any, schema_editor: Any) -> None:
        model = apps.get_model(app, model_name)
        for field in map(model._meta.get_field, names):
            if not has_column(schema_editor, model._meta.db_table, field.column):
                schema_editor.add_field(model, field)

    return migrations.RunPython(add, migrations.RunPython.noop)


def refuse_half(app: str, squashed: Sequence[str], needed: str = "") -> migrations.RunPython:
    """An operation that refuses a database with some of the `squashed` migrations and without the last, or `needed`.

    Raises RuntimeError: the steps that are missing there are no longer in the code.
    """

    def refuse(apps: Any, schema_editor: Any) -> None:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT name FROM django_migrations WHERE app = %s", [app])
            applied = {name for (name,) in cursor.fetchall()}
        last = needed or squashed[-1]
        if applied & set(squashed) and last not in applied:
            raise RuntimeError(
                f"This database is older than {app}.{last}, and this version no longer has the steps to it."
                " Update Breakeven to the last version before 0.1.0 first, start it once, then update to this one."
            )

    return migrations.RunPython(refuse, migrations.RunPython.noop)
