"""The gateway's connections to Postgres, each of a thread of its own."""

from __future__ import annotations

import psycopg


def connect(database_url: str, name: str, *, statement_s: int = 30) -> psycopg.Connection:
    """A connection in autocommit mode that notices within seconds when the other end has vanished without a word."""
    return psycopg.connect(
        database_url,
        autocommit=True,
        application_name=name,
        connect_timeout=2,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=10_000,
        options=f"-c statement_timeout={statement_s}s",
    )
