"""A gateway as it runs in earnest: a process over the test database, with two fake engines behind it."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet
from honcho.environ import parse_procfile

from tests.database import conninfo, database_url, empty_after_a_process
from tests.factories import ApplicationFactory, DeploymentFactory
from tests.traffic.gateway_peers import Door, FakeEngine, Loop
from traffic.models import Installation, Key, Route

BASE = Path(__file__).resolve().parent.parent.parent
KEY = "be_key_of_the_shop"
OTHER_KEY = "be_key_of_all"
INGEST_KEY = "be_key_that_only_ingests"
VENDOR_KEY = "sk-of-the-vendor"
NEW_KEY = """INSERT INTO traffic_key
    (application_id, name, hint, hash, scopes, created_at, quota_unit, quota_period)
    SELECT id, 'new', 'x', %s, '{gateway}', now(), 'requests', 'day' FROM traffic_application
    WHERE slug = 'shop' RETURNING id"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], Any]) -> Any:
    """Wait for something; its first true value. After two minutes it will never come, however busy the machine is."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if value := true():
            return value
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def takes(url: str, key: str) -> bool:
    """Whether the gateway there answers whoever has this key."""
    request = urllib.request.Request(f"{url}/v1/models", headers={"x-api-key": key})
    try:
        with urllib.request.urlopen(request, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


@dataclass
class GatewayProcess:
    """One process that serves the gateway, with the Procfile's own command."""

    database_url: str
    data_dir: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    url: str = ""

    def start(self) -> GatewayProcess:
        self.spawn()
        until(self.answers)
        return self

    def spawn(self) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "BREAKEVEN_DATA": str(self.data_dir),
            "HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        command = parse_procfile((BASE / "Procfile").read_text()).processes["gateway"]
        self.log = (self.data_dir / f"gateway-{port}.log").open("wb")
        self.process = subprocess.Popen(
            ["sh", "-c", command],
            cwd=BASE,
            env={**environment, **self.environment},
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def answers(self) -> bool:
        """Whether it is up and has read its keys."""
        assert self.process is not None
        assert self.process.poll() is None, Path(self.log.name).read_text()
        return takes(self.url, KEY)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(120)
        self.log.close()

    def kill(self) -> None:
        """As a crash does it."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(120)
        self.log.close()


@dataclass
class Stack:
    """The gateway of a test module and all that stands around it."""

    gateway: GatewayProcess
    own: FakeEngine  # deployment `own`, self-hosted llama.cpp, model `own-model`
    claude: FakeEngine  # deployment `claude`, the Claude API, model `claude-test`
    door: Door
    conn: psycopg.Connection[Any]

    @property
    def url(self) -> str:
        return self.gateway.url

    def rows(self, request_id: str) -> dict[str, Any]:
        """The stored row of a call, once it has arrived."""
        query = "SELECT * FROM traffic_request WHERE id = %s"

        def found() -> dict[str, Any] | None:
            with self.conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
                return cursor.execute(query, [request_id]).fetchone()

        row: dict[str, Any] = until(found)
        return row

    def newest(self, **where: Any) -> dict[str, Any]:
        """The newest row with these values, once there is one."""
        clause = " AND ".join(f"{name} = %({name})s" for name in where)
        # The names are a test's own keywords.
        query = f"SELECT * FROM traffic_request WHERE {clause} ORDER BY started_at DESC LIMIT 1"

        def found() -> dict[str, Any] | None:
            with self.conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
                return cursor.execute(query, where).fetchone()

        row: dict[str, Any] = until(found)
        return row

    def count(self) -> int:
        found = self.conn.execute("SELECT count(*) FROM traffic_request").fetchone()
        return int(found[0]) if found else 0

    @contextmanager
    def read_by(self, *urls: str) -> Iterator[None]:
        """What the block changes in the database, these gateways (the stack's own, if none is named) have read then.

        A key comes with the change, and a gateway reads everything in one snapshot: who takes the key has all of it.
        """
        secret = secrets.token_urlsafe()
        with self.conn.transaction():
            yield
            self.conn.execute(NEW_KEY, [sha256(secret.encode()).digest()])
        for url in urls or (self.url,):
            until(partial(takes, url, secret))

    @contextmanager
    def changed(self, change: str, undo: str, *urls: str) -> Iterator[None]:
        """The database otherwise for a while, by SQL, each time waited for until the gateway has read it."""
        with self.read_by(*urls):
            self.conn.execute(change)
        try:
            yield
        finally:
            with self.read_by(*urls):
                self.conn.execute(undo)


def set_up_database(own: FakeEngine, claude: FakeEngine, credentials_key: str) -> None:
    """A shop with a key, our own engine, the Claude API, and the shipped routes (the table has none)."""
    Installation.objects.get_or_create(id=1, defaults={"salt": os.urandom(32)})
    Route.objects.all().delete()
    shop = ApplicationFactory.create(slug="shop", name="Shop", capture_bodies=True)
    ApplicationFactory.create(slug="lab", name="Lab")
    for text, application, scopes in (
        (KEY, shop, ["gateway"]),
        (OTHER_KEY, None, ["gateway"]),
        (INGEST_KEY, shop, ["ingest"]),
    ):
        Key.objects.create(
            application=application,
            name=text,
            hint=text[:8],
            hash=sha256(text.encode()).digest(),
            scopes=scopes,
        )
    secret = Fernet(credentials_key).encrypt(VENDOR_KEY.encode()).decode()
    DeploymentFactory.create(
        slug="own",
        name="Own",
        engine="llamacpp",
        url=own.url,
        local=True,
        model="own-model",
        context_tokens=50_000,
    )
    DeploymentFactory.create(
        slug="claude",
        name="Claude",
        provider="anthropic",
        engine="anthropic",
        url=f"{claude.url}/v1",
        local=True,
        model="claude-test",
        api_key=secret,
    )


def url_through(door: Door) -> str:
    """The test database's URL by way of the door."""
    return database_url("127.0.0.1", door.port)


@pytest.fixture(scope="module")
def stack(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[Stack]:
    loop = Loop()
    own, claude = FakeEngine(loop).start(), FakeEngine(loop).start()
    credentials_key = Fernet.generate_key().decode()
    with django_db_blocker.unblock():
        set_up_database(own, claude, credentials_key)
        parts = psycopg.conninfo.conninfo_to_dict(conninfo())
        door = Door(loop, str(parts["host"]), int(parts.get("port") or 5432))
        gateway = GatewayProcess(
            url_through(door),
            tmp_path_factory.mktemp("gateway"),
            {
                "BREAKEVEN_KEY": credentials_key,
                "BREAKEVEN_GATEWAY_TIMEOUT": "3",
                "BREAKEVEN_SEND_TIMEOUT": "2",
                # What one test lets fail is asked first again in the next.
                "BREAKEVEN_GATEWAY_COOLDOWN": "0",
            },
        )
        own_conn = psycopg.connect(conninfo(), autocommit=True)
    try:
        yield Stack(gateway.start(), own, claude, door, own_conn)
    finally:
        gateway.stop()
        with django_db_blocker.unblock():
            empty_after_a_process(own_conn)
        own_conn.close()
        own.stop()
        claude.stop()
        door.close()
        loop.close()


@pytest.fixture
def calm(stack: Stack) -> Stack:
    """The stack with both engines well and nothing seen yet."""
    stack.own.reset()
    stack.claude.reset()
    return stack
