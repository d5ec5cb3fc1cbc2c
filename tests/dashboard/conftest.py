"""Fixtures of this folder."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from psycopg import sql

from dashboard.embedded import roles
from dashboard.embedded.postgres import Postgres
from lib.encryption import encrypt
from tests.dashboard.elsewhere import Elsewhere
from tests.dashboard.front_server import PASSWORD, signed_in
from tests.database import conninfo
from tests.factories import AccountFactory
from tests.servers import home
from tests.traffic.request_rows import row
from tests.traffic.web_process import Intake, running_intake
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest


@pytest.fixture
def in_use(conn: psycopg.Connection) -> psycopg.Connection:
    """An installation with a person, a vendor's key and requests with bodies."""
    User.objects.create_user("ada", "ada@example.com", "a long password")
    AccountFactory.create(slug="claude", name="Claude", secret=encrypt("sk-of-a-vendor"))
    ingest(conn, [row(n, prompt="p", raw={"n": n}) for n in range(30)], PricingContext.load(conn))
    return conn


@pytest.fixture
def elsewhere(transactional_db: Any, tmp_path: Path) -> Iterator[Elsewhere]:
    name = f"restored_{secrets.token_hex(4)}"
    server = Postgres(home() / "postgres")
    with psycopg.connect(conninfo(), autocommit=True) as own:
        server.port = own.info.port
        statement = sql.SQL("CREATE DATABASE {} OWNER {}")
        own.execute(statement.format(sql.Identifier(name), sql.Identifier(roles.OWNER)))
        yield Elsewhere(name, tmp_path / "other", server)
        own.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def intake(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[Intake]:
    with running_intake(django_db_blocker, tmp_path_factory.mktemp("web"), BREAKEVEN_SEND_TIMEOUT="2") as running:
        with django_db_blocker.unblock():
            # Hashed as in earnest, which the suite's own settings do not do.
            password = PBKDF2PasswordHasher().encode(PASSWORD, "salt")
            for name in ("door", "other"):
                User.objects.create(username=name, is_superuser=True, password=password)
        yield running


@pytest.fixture(scope="module")
def person(intake: Intake) -> Iterator[httpx.Client]:
    """Somebody who is logged in."""
    with signed_in(intake, "door") as client:
        yield client
