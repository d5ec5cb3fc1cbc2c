"""The web process as it runs in earnest, with the Procfile's own command, before a database that can be frozen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
from honcho.environ import parse_procfile

from tests.database import conninfo, empty_after_a_process
from tests.factories import ApplicationFactory
from tests.traffic.gateway_peers import Door, Loop
from tests.traffic.gateway_stack import free_port, until, url_through
from traffic.models import Key

BASE = Path(__file__).resolve().parent.parent.parent
SECRET = "bk_of_the_exporters"
Answer = tuple[int, Any, bytes]


@dataclass
class WebProcess:
    """One granian that serves the web, on a port that it keeps over its deaths."""

    database_url: str
    data: Path
    port: int = field(default_factory=free_port)
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "BREAKEVEN_DATA": str(self.data),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            **self.variables,
        }
        self.log = (self.data / "web.log").open("ab")
        command = parse_procfile((BASE / "Procfile").read_text()).processes["web"]
        self.process = subprocess.Popen(
            ["sh", "-c", command], cwd=BASE, env=environment, stdout=self.log, stderr=self.log, start_new_session=True
        )

    def kill(self) -> None:
        """As a crash does it: the worker and its parent at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(120)
        self.log.close()

    def post(self, content: bytes = b"", secret: str = SECRET) -> Answer:
        """Status, headers and body of an export."""
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/x-protobuf"}
        return self.ask("/v1/traces", content, headers)

    def ask(
        self, path: str, content: bytes | None = None, headers: dict[str, str] | None = None, seconds: float = 60
    ) -> Answer:
        """Status, headers and body of an answer."""
        request = urllib.request.Request(f"{self.url}{path}", content, headers or {})
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers, refused.read()

    def answers(self) -> bool:
        assert self.process.poll() is None, (self.data / "web.log").read_text()
        try:
            return self.post()[0] == 200
        except OSError:
            return False


@dataclass
class Intake:
    """A web process, the door between it and the database, and a connection that passes by that door."""

    web: WebProcess
    door: Door
    conn: psycopg.Connection[Any]


@contextmanager
def running_intake(blocker: Any, data: Path, **variables: str) -> Iterator[Intake]:
    """Until the block ends; the database is emptied then."""
    loop = Loop()
    with blocker.unblock():
        shop = ApplicationFactory.create(slug="exporters", name="Exporters")
        digest = sha256(SECRET.encode()).digest()
        Key.objects.create(application=shop, name="otlp", hint=SECRET[:8], hash=digest, scopes=["ingest"])
        parts = psycopg.conninfo.conninfo_to_dict(conninfo())
        door = Door(loop, str(parts["host"]), int(parts.get("port") or 5432))
        web = WebProcess(url_through(door), data, variables=variables)
        conn = psycopg.connect(conninfo(), autocommit=True)
    web.start()
    try:
        until(web.answers)
        yield Intake(web, door, conn)
    finally:
        web.kill()
        door.close()  # first, so that no connection of the dead lives on behind it
        with blocker.unblock():
            empty_after_a_process(conn)
        conn.close()
        loop.close()
