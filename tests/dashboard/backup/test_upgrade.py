"""A backup of before version 0.1.0, whose schema came of 75 migrations, comes back with today's schema and its rows.

`data/before_0_1_0.sql.xz` is a dump of such an installation: a budget of each scope and one of a person who is gone, a
limit of the operations' workload, a deferred mail, and a day and an hour of usage with a reported cost.
"""

from __future__ import annotations

import lzma
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dashboard.backup.archive import tool
from dashboard.embedded import roles
from tests.dashboard.elsewhere import Elsewhere
from tests.database import conninfo

DUMP = Path(__file__).parents[1] / "data" / "before_0_1_0.sql.xz"
KEY = "A" * 43 + "="  # of the installation that the dump is of
COLUMNS = """
SELECT table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable,
    column_default
FROM information_schema.columns WHERE table_schema = 'public' AND table_name !~ '_[0-9]{8}$'
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, contype, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text !~ '_[0-9]{8}$'
"""


def schema(url: str) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    with psycopg.connect(url) as own:
        return set(own.execute(COLUMNS).fetchall()), set(own.execute(CONSTRAINTS).fetchall())


@pytest.fixture
def old_backup(elsewhere: Elsewhere, tmp_path: Path) -> Path:
    """A backup made of the older installation."""
    psql = [tool("psql"), "--quiet", "--set=ON_ERROR_STOP=1", elsewhere.url]
    subprocess.run(psql, input=lzma.decompress(DUMP.read_bytes()), check=True, capture_output=True)
    with psycopg.connect(elsewhere.url, autocommit=True) as own:  # what a dump without privileges leaves out
        for kind in ("TABLES", "SEQUENCES"):
            own.execute(f"GRANT ALL ON ALL {kind} IN SCHEMA public TO {roles.APPLICATION}")
    made = elsewhere.manage("backup", str(tmp_path / "old.backup"), BREAKEVEN_KEY=KEY)
    assert made.returncode == 0, made.stderr
    return tmp_path / "old.backup"


def test_an_older_backup_comes_back_with_todays_schema_and_its_rows(
    elsewhere: Elsewhere,
    old_backup: Path,
) -> None:
    restored = elsewhere.manage("restore", str(old_backup), "--force", BREAKEVEN_KEY=KEY)
    assert restored.returncode == 0, restored.stderr
    assert schema(elsewhere.url) == schema(conninfo())
    with psycopg.connect(elsewhere.url) as own:
        budgets = own.execute(
            "SELECT scope, provider, a.slug, u.username, task FROM costs_budget b LEFT JOIN traffic_application a"
            " ON a.id = b.application_id LEFT JOIN auth_user u ON u.id = b.owner_id ORDER BY scope"
        ).fetchall()
        hours = own.execute("SELECT hours::text FROM costs_opsworkloadlimit").fetchall()
        deferred = own.execute("SELECT deferred_by FROM alerts_delivery").fetchall()
        sums = [
            own.execute(
                "SELECT cost_reports, cost_mismatches, reported_cost::float, computed_cost::float"
                f" FROM traffic_usage_{period}"
            ).fetchall()
            for period in ("hour", "day")
        ]
    assert budgets == [
        ("application", "", "support-bot", None, ""),
        ("everything", "", None, None, ""),
        ("owner", "", None, "ada", ""),  # the budget of a person who is gone is gone too
        ("provider", "anthropic", None, None, ""),
        ("task", "", None, None, "rag"),
    ]
    assert (hours, deferred) == ([("12.50",)], [("digest",)])
    assert sums == [[(4, 3, 2.25, 2.5)]] * 2
    assert elsewhere.manage("migrate", "--check", BREAKEVEN_KEY=KEY).returncode == 0


def test_a_database_in_the_middle_of_the_old_steps_is_refused(
    elsewhere: Elsewhere,
    old_backup: Path,
) -> None:
    with psycopg.connect(elsewhere.url, autocommit=True) as own:
        own.execute("DELETE FROM django_migrations WHERE (app, name) = ('traffic', '0025_admitted_names')")
    refused = elsewhere.manage("migrate", BREAKEVEN_KEY=KEY)
    assert refused.returncode == 1
    assert "older than traffic.0025_admitted_names" in refused.stderr
