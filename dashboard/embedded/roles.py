"""The roles of a cluster: a superuser for the set-up, the owner of the tables, and the application.

The application's role can only read and write rows, even through an SQL injection: it cannot create tables, read files
of the server or run programs there. The owner migrates and restores, and is no superuser either.
`dashboard/backup/database_roles.py` gives the application its rights on the tables.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import sql

SUPERUSER, OWNER, APPLICATION = "postgres", "breakeven_owner", "breakeven"
DATABASE = "breakeven"
# In clusters of earlier versions the superuser of initdb had this name, and there was no other role.
LEGACY_SUPERUSER = "breakeven"
RENAMING = "breakeven_renaming"

POWERLESS = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")

# What the owner does not own yet, with the statement that makes it the owner; sequences follow their tables.
TAKE_OVER = """
SELECT format('ALTER TABLE %%s OWNER TO %%I', c.oid::regclass, %(owner)s::text)
FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
    AND c.relowner <> %(owner)s::text::regrole
UNION ALL
SELECT format('ALTER ROUTINE %%s OWNER TO %%I', p.oid::regprocedure, %(owner)s::text)
FROM pg_proc AS p WHERE p.pronamespace = 'public'::regnamespace AND p.proowner <> %(owner)s::text::regrole
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    )
"""


def set_up(connection: psycopg.Connection, passwords: Mapping[str, str]) -> None:
    """Make owner, application and database unless they exist; `passwords` are by role.

    `connection` is the superuser's, to the database `postgres`, in autocommit.
    """
    for role in (OWNER, APPLICATION):
        _role(connection, role, passwords[role])
    row = connection.execute(
        "SELECT datdba = %s::regrole FROM pg_database WHERE datname = %s", [OWNER, DATABASE]
    ).fetchone()
    database, owner, application = map(sql.Identifier, (DATABASE, OWNER, APPLICATION))
    if row is None:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
    elif not row[0]:
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, owner))
    for name in (DATABASE, "postgres", "template1"):
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
    connection.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(database, application))


def _role(connection: psycopg.Connection, role: str, password: str) -> None:
    there = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    # Hashed here, so that the password is not in the server's log when the statement fails.
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    verb = sql.SQL("CREATE ROLE" if there is None else "ALTER ROLE")
    connection.execute(
        sql.SQL("{} {} {} PASSWORD {}").format(verb, sql.Identifier(role), POWERLESS, sql.Literal(verifier))
    )


def take_over(connection: psycopg.Connection) -> int:
    """Give the owner every table and routine of the database that it does not own; returns how many.

    `connection` is the superuser's, to our database.
    """
    with connection.transaction():
        statements = connection.execute(TAKE_OVER, {"owner": OWNER}).fetchall()
        for (statement,) in statements:
            connection.execute(statement)
    return len(statements)


def make_renamer(connection: psycopg.Connection, password: str) -> None:
    """Make a temporary second superuser, because a session cannot rename its own role."""
    connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(RENAMING)))
    connection.execute(
        sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}").format(sql.Identifier(RENAMING), sql.Literal(password))
    )


def rename_legacy_superuser(renamer: psycopg.Connection) -> None:
    """Rename the old superuser, so that the application can have its name; the password stays the same.

    `renamer` is the connection of `make_renamer`'s role.
    """
    renamer.execute(
        sql.SQL("ALTER ROLE {} RENAME TO {}").format(sql.Identifier(LEGACY_SUPERUSER), sql.Identifier(SUPERUSER))
    )


def drop_renamer(connection: psycopg.Connection) -> None:
    """Drop the temporary superuser, also one that an interrupted start left."""
    connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(RENAMING)))
