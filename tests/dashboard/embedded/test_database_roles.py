"""The application's role reads and writes rows, and whoever speaks through it can do nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from psycopg import errors, sql

from dashboard.backup.database_roles import APPEND_ONLY
from dashboard.embedded.postgres import Postgres
from lib.partitions import drop_partition, existing_days, make_partitions
from tests.servers import THROWAWAY, free_environment

Manage = Callable[..., subprocess.CompletedProcess[str]]


@dataclass
class Installation:
    server: Postgres
    data: Path

    def manage(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        roles = {"DATABASE_URL": self.server.url, "DATABASE_OWNER_URL": self.server.owner_url, **variables}
        environment = free_environment(BREAKEVEN_DATA=str(self.data), SECRET_KEY="s", **roles)
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A cluster as `up` makes it, prepared as `up` does."""
    home = tmp_path_factory.mktemp("roles")
    server = Postgres(home / "postgres", THROWAWAY)
    server.start()
    made = Installation(server, home / "var")
    done = made.manage("prepare")
    assert done.returncode == 0, done.stderr
    yield made
    server.stop()


@pytest.fixture
def application(installation: Installation) -> Iterator[psycopg.Connection]:
    with psycopg.connect(installation.server.url, autocommit=True) as connection:
        yield connection


FORBIDDEN = [
    "COPY auth_user TO PROGRAM 'cat'",
    "COPY auth_user FROM PROGRAM 'echo 1'",
    "COPY auth_user TO '/tmp/auth_user'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_shadow",
    "CREATE EXTENSION pg_trgm",
    "CREATE TABLE mine (id int)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
    "CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE c AS '/lib/x86_64-linux-gnu/libc.so.6', 'getpid'",
    "CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE internal AS 'pg_backend_pid'",
    "CREATE ROLE mine",
    "ALTER ROLE breakeven SUPERUSER",
    "SET ROLE breakeven_owner",
    "SET SESSION AUTHORIZATION postgres",
    "SET session_replication_role = replica",
    "CREATE DATABASE mine",
    "ALTER TABLE auth_user ADD COLUMN mine int",
    "ALTER TABLE auth_user DISABLE TRIGGER ALL",
    "CREATE INDEX mine ON auth_user (email)",
    "CREATE TRIGGER mine BEFORE INSERT ON auth_user FOR EACH ROW EXECUTE FUNCTION costs_decision_is_final()",
    "DROP TABLE auth_user",
    "TRUNCATE auth_user CASCADE",
    "DROP FUNCTION costs_decision_is_final CASCADE",
    "ALTER TABLE costs_decision DISABLE TRIGGER costs_decision_is_final",
    "CREATE OR REPLACE FUNCTION breakeven_drop_day(parent text, day date) RETURNS void LANGUAGE sql RETURN NULL",
    "ALTER SYSTEM SET log_statement = 'all'",
    "SELECT pg_reload_conf()",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
    "DELETE FROM django_migrations",
    *(f"{verb} {table}{rest}" for table in APPEND_ONLY
      for verb, rest in (("DELETE FROM", ""), ("TRUNCATE", ""), ("UPDATE", " SET key = key"))),
]  # fmt: skip


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_application_can_do_nothing_but_read_and_write_rows(
    application: psycopg.Connection, statement: str
) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        application.execute(statement)


def test_the_application_role_reads_and_writes_every_other_table(application: psycopg.Connection) -> None:
    names = (
        "SELECT oid::regclass::text, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p')"
    )
    tables = application.execute(names).fetchall()
    assert len(tables) > 80
    for table, name in tables:
        rights = ("SELECT", "INSERT") if name in APPEND_ONLY else ("SELECT", "INSERT", "UPDATE", "DELETE")
        for right in rights if name != "django_migrations" else ("SELECT",):
            allowed = application.execute("SELECT has_table_privilege(%s, %s)", [table, right]).fetchone()
            assert allowed == (True,), (table, right)


def test_it_makes_and_drops_days_of_the_tables_that_are_kept_by_day(application: psycopg.Connection) -> None:
    kept_by_day = "SELECT relname FROM pg_class WHERE relkind = 'p' AND relnamespace = 'public'::regnamespace"
    days = [date(2021, 2, 28), date(2021, 3, 1)]
    for (table,) in application.execute(kept_by_day).fetchall():
        assert make_partitions(application, table, days) == 2
        assert set(days) <= existing_days(application, table)
        owner = application.execute(
            "SELECT relowner::regrole::text FROM pg_class WHERE relname = %s", [f"{table}_20210301"]
        ).fetchone()
        assert owner == ("breakeven_owner",)
        application.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(f"{table}_20210301")))
        for day in days:
            drop_partition(application, table, day)
        assert not set(days) & existing_days(application, table)


@pytest.mark.parametrize(
    ("function", "table", "day"),
    [
        ("breakeven_attach_day", "auth_user", "2026-12-01"),
        ("breakeven_attach_day", "traffic_request; DROP TABLE auth_user", "2026-12-01"),
        ("breakeven_attach_day", "public.traffic_request", "2026-12-01"),
        ("breakeven_attach_day", "traffic_request_20260101", "2026-12-01"),
        ("breakeven_attach_day", "mine", "2026-12-01"),
        ("breakeven_attach_day", None, "2026-12-01"),
        ("breakeven_attach_day", "traffic_request", None),
        ("breakeven_attach_day", "traffic_request", "infinity"),
        ("breakeven_attach_day", "traffic_request", "0044-03-15 BC"),
        ("breakeven_drop_day", "auth_user", "2026-12-01"),
        ("breakeven_drop_day", "traffic_request", None),
        ("breakeven_drop_day", "traffic_request", "10000-01-01"),
    ],
)
def test_a_function_of_the_owner_refuses_what_is_no_day_of_such_a_table(
    application: psycopg.Connection, function: str, table: str | None, day: str | None
) -> None:
    application.execute("CREATE TEMP TABLE mine (day date) PARTITION BY RANGE (day)")
    with pytest.raises(errors.InvalidParameterValue, match=r"no day of ours|not a table that is kept by day"):
        application.execute(sql.SQL("SELECT {}(%s, %s)").format(sql.Identifier(function)), [table, day])


def test_a_day_that_is_no_partition_is_not_dropped(installation: Installation, application: psycopg.Connection) -> None:
    with psycopg.connect(installation.server.owner_url, autocommit=True) as owner:
        owner.execute("CREATE TABLE traffic_request_20200101 (id int)")
        application.execute("SELECT breakeven_drop_day('traffic_request', '2020-01-01')")
        owner.execute("DROP TABLE traffic_request_20200101")


def test_others_may_not_call_the_owners_functions(installation: Installation) -> None:
    with psycopg.connect(installation.server.superuser_url, autocommit=True) as superuser:
        superuser.execute("CREATE ROLE stranger")
        for function in ("breakeven_attach_day", "breakeven_drop_day"):
            may = superuser.execute(
                "SELECT has_function_privilege('stranger', %s, 'EXECUTE')", [f"{function}(text, date)"]
            ).fetchone()
            assert may == (False,)
        superuser.execute("DROP ROLE stranger")


def test_preparing_again_changes_no_right(installation: Installation) -> None:
    with psycopg.connect(installation.server.owner_url) as owner:
        before = owner.execute("SELECT relname, xmin::text FROM pg_class WHERE relkind IN ('r', 'p')").fetchall()
    assert installation.manage("prepare").returncode == 0
    with psycopg.connect(installation.server.owner_url) as owner:
        after = owner.execute("SELECT relname, xmin::text FROM pg_class WHERE relkind IN ('r', 'p')").fetchall()
    mine = {(name, at) for name, at in before if not name.startswith("pg_")}
    assert mine == {(name, at) for name, at in after if not name.startswith("pg_")}


def test_migrating_without_the_owner_is_refused_by_the_database(installation: Installation) -> None:
    done = installation.manage("migrate", "dashboard", "zero", DATABASE_OWNER_URL="")
    assert done.returncode != 0 and ("must be owner" in done.stderr or "permission denied" in done.stderr)


def test_two_urls_of_different_databases_are_refused(installation: Installation) -> None:
    elsewhere = installation.server.owner_url.replace("/breakeven?", "/postgres?")
    done = installation.manage("prepare", DATABASE_OWNER_URL=elsewhere)
    assert done.returncode == 1
    assert "must name the same database: NAME differs" in done.stderr


def test_the_doctor_tells_what_a_role_could_do(installation: Installation) -> None:
    def line(**variables: str) -> str:
        said = installation.manage("doctor", **variables).stdout
        return next(line for line in said.splitlines() if "database role" in line)

    assert line() == "ok   database role: breakeven reads and writes rows and can do nothing else"
    superuser = line(DATABASE_URL=installation.server.superuser_url, DATABASE_OWNER_URL="")
    assert superuser.startswith("risk database role: postgres is a superuser, who runs programs")
    owner = line(DATABASE_URL=installation.server.owner_url, DATABASE_OWNER_URL="")
    assert "breakeven_owner owns the tables" in owner and "docs/how-to/database-roles.md" in owner


def test_one_role_may_do_both(installation: Installation) -> None:
    """As in installations of earlier versions, and where a provider gives only one."""
    url = installation.server.owner_url
    assert installation.manage("prepare", DATABASE_URL=url, DATABASE_OWNER_URL="").returncode == 0
    with psycopg.connect(url, autocommit=True) as connection:
        assert make_partitions(connection, "traffic_request", [date(2021, 5, 5)]) == 1
        drop_partition(connection, "traffic_request", date(2021, 5, 5))
