"""The test database: where it is, what ingest writes into it, and what empties it after a process that died."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import psycopg
from django.db import connection

from tests.emptying import begin_again

WRITTEN = (
    "traffic_request",
    "traffic_request_body",
    "traffic_span_link",
    "traffic_usage_hour",
    "traffic_usage_day",
    "traffic_latency_hour",
    "traffic_latency_day",
    "traffic_error_hour",
    "traffic_error_day",
)


def conninfo() -> str:
    """Where the test database is, for connections of a test's own."""
    given = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    return psycopg.conninfo.make_conninfo(**{name: str(given[name]) for name in names if given.get(name)})


def database_url(host: str, port: int) -> str:
    """The test database at this address, for a process of its own."""
    parts = psycopg.conninfo.conninfo_to_dict(conninfo())
    credentials = quote(str(parts["user"]))
    if password := parts.get("password"):
        credentials += f":{quote(str(password))}"
    return f"postgresql://{credentials}@{host}:{port}/{parts['dbname']}"


def empty_after_a_process(conn: psycopg.Connection[Any]) -> None:
    """Empty what a process wrote that may have died in a transaction: what it left is ended, and nothing waits long.

    A gateway's connections are ended in any case: a batch may have reached Postgres that has not begun with it.
    """
    conn.execute(
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        " AND (xact_start IS NOT NULL OR application_name LIKE 'gateway %')"
    )
    begin_again()
