"""Two roles of the database: the owner of the tables migrates and restores, the application reads and writes rows.

`DATABASE_URL` connects as the application, `DATABASE_OWNER_URL` as the owner. If only the first is set, one role does
both, which `doctor` reports. The application's rights are granted here after each migration and each restore.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from psycopg import Connection, sql

from dashboard.settings import env

OWNER_URL = "DATABASE_OWNER_URL"
# Tables that keep what is written: the application's role may add rows, but not change or delete them.
APPEND_ONLY = ("providers_auditentry", "providers_auditseal")
# Tables that only a migration writes.
READ_ONLY = ("django_migrations",)

EVERYTHING = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN")
USUAL = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
RIGHTS = {
    **dict.fromkeys(APPEND_ONLY, frozenset({"SELECT", "INSERT"})),
    **dict.fromkeys(READ_ONLY, frozenset({"SELECT"})),
}

# The application's present rights on each table, partitions included: a backup by its role reads these one by one.
TABLES = """
SELECT c.oid::regclass::text, c.relname,
    ARRAY(SELECT p FROM unnest(%(everything)s::text[]) AS p WHERE has_table_privilege(%(role)s, c.oid, p))
FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1
"""
ROUTINES = """
SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
AND proowner = current_user::regrole ORDER BY 1
"""
# What a role can do besides reading and writing rows, with the word that `doctor` uses for it.
POWERS = """
SELECT rolname, ARRAY(
    SELECT word FROM (VALUES
        ('superuser', rolsuper), ('createrole', rolcreaterole), ('createdb', rolcreatedb), ('bypassrls', rolbypassrls),
        ('owner', EXISTS (
            SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND pg_has_role(relowner, 'USAGE')
        )),
        ('create', has_schema_privilege('public', 'CREATE'))
    ) AS power (word, has) WHERE has
) FROM pg_roles WHERE rolname = current_user
"""


def owner_url() -> str:
    """The URL of the owner of the tables; empty if the application's role owns them. A running `up` provides it."""
    of_this_process = OWNER_URL in os.environ or f"{OWNER_URL}_FILE" in os.environ
    if of_this_process or env.text("DATABASE_URL") == env.joined.get("DATABASE_URL"):
        return env.text(OWNER_URL)
    return ""


@contextmanager
def as_owner() -> Iterator[str]:
    """Inside the block Django connects as the owner. Yields the application's role, empty if there is only one role.

    Must be entered outside of a transaction. Raises ImproperlyConfigured if the two URLs name different databases.
    """
    url = owner_url()
    application = connection.settings_dict
    if not url:
        yield ""
        return
    owner = dj_database_url.parse(url)
    for name in ("NAME", "HOST", "PORT"):
        if str(owner[name] or "") != str(application[name] or ""):
            raise ImproperlyConfigured(f"{OWNER_URL} and DATABASE_URL must name the same database: {name} differs.")
    if owner["USER"] == application["USER"]:
        yield ""
        return
    changed = {name: owner.get(name, "") for name in ("USER", "PASSWORD")}
    options = {**application["OPTIONS"], **owner.get("OPTIONS", {})}
    _connect_by({**application, **changed, "OPTIONS": options})
    try:
        yield str(application["USER"])
    finally:
        _connect_by(application)


def _connect_by(settings: dict[str, Any]) -> None:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # of the backend for PostgreSQL
    connection.settings_dict = settings


def grant(role: str) -> int:
    """Give the application its rights on present and future tables; returns how many tables were changed.

    Must run as the owner. Tables with the right rights are left out, because a grant rewrites a row of the catalogue.
    """
    connection.ensure_connection()
    conn: Connection = connection.connection
    name = sql.Identifier(role)
    with conn.transaction():
        _grant_what_comes(conn, name)
        tables = conn.execute(TABLES, {"everything": list(EVERYTHING), "role": role}).fetchall()
        changed = [_set_rights(conn, name, table, RIGHTS.get(plain, USUAL), set(has)) for table, plain, has in tables]
        conn.execute(sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(name))
        for (routine,) in conn.execute(ROUTINES).fetchall():
            conn.execute(f"REVOKE ALL ON ROUTINE {routine} FROM PUBLIC")
            conn.execute(sql.SQL("GRANT EXECUTE ON ROUTINE {} TO {}").format(sql.SQL(routine), name))
    return sum(changed)


def _grant_what_comes(conn: Connection, role: sql.Identifier) -> None:
    conn.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role))
    for rights in ("SELECT, INSERT, UPDATE, DELETE ON TABLES", "USAGE, SELECT ON SEQUENCES"):
        statement = "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {} TO {}"
        conn.execute(sql.SQL(statement).format(sql.SQL(rights), role))


def _set_rights(conn: Connection, role: sql.Identifier, table: str, right: frozenset[str], has: set[str]) -> bool:
    """Set the role's rights on a table; returns whether they were different. `table` is quoted where necessary."""
    if has == right:
        return False
    conn.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(sql.SQL(table), role))
    conn.execute(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(", ".join(sorted(right))), sql.SQL(table), role))
    return True


def powers() -> tuple[str, list[str]]:
    """The role that the application connects as, and words for all that it can do besides reading and writing rows."""
    with connection.cursor() as cursor:
        cursor.execute(POWERS)
        role, words = cursor.fetchone()
    return role, list(words)
