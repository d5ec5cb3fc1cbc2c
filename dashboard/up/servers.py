"""The database and the queue of a run: those of the environment, else embedded ones, restarted if they end."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg

from dashboard.embedded.postgres import Postgres
from dashboard.embedded.servers import ServerError, tail
from dashboard.embedded.valkey import Valkey
from dashboard.up.data import DataDirectory
from dashboard.up.refusal import Crashed, Refused

LEAST_VERSION = 18
# The demo loads half a million requests while a person looks at its pages already.
DEMO_SETTINGS: Mapping[str, str] = {"shared_buffers": "192MB", "max_wal_size": "2GB"}
REVIVALS, WITHIN = 3, 60.0  # this many deaths within these seconds end the run


@dataclass(frozen=True)
class Revived:
    """A server that was restarted and answers again, with the last lines of its log before that."""

    name: str
    last: str


class Servers:
    """`start` returns the URLs; `check` restarts an embedded server that has ended; `stop` ends the embedded ones."""

    def __init__(self, data: DataDirectory, *, demo: bool) -> None:
        self._postgres = Postgres(data.postgres, DEMO_SETTINGS if demo else None)
        self._valkey = Valkey(data.valkey)
        self._running: dict[str, Postgres | Valkey] = {}
        self._deaths: deque[float] = deque(maxlen=REVIVALS)

    def start(self, environment: Mapping[str, str]) -> dict[str, str]:
        """DATABASE_URL and REDIS_URL, and DATABASE_OWNER_URL if another role owns the tables.

        Raises Refused if a given server does not answer.
        """
        self.stop()  # servers that a killed start left behind, also if this start uses others
        database, queue = environment.get("DATABASE_URL", ""), environment.get("REDIS_URL", "")
        owner = environment.get("DATABASE_OWNER_URL", "")
        if database:
            check_database(database)
        elif owner:
            raise Refused(
                "DATABASE_OWNER_URL is set without DATABASE_URL: set both, or none for a database of our own."
            )
        else:
            database = self._postgres.start()
            owner = self._postgres.owner_url
            self._running["postgres"] = self._postgres
        if queue:
            check_queue(queue)
        else:
            queue = self._valkey.start()
            self._running["valkey"] = self._valkey
        roles = {"DATABASE_OWNER_URL": owner} if owner else {}
        return {"DATABASE_URL": database, "REDIS_URL": queue, **roles}

    def check(self) -> Revived | None:
        """The server that was restarted just now, else None. Raises Crashed if it ends too often or cannot start."""
        for name, server in self._running.items():
            if server.process is not None and server.process.poll() is not None:
                last = tail(server.log)
                self._deaths.append(time.monotonic())
                if len(self._deaths) == REVIVALS and self._deaths[-1] - self._deaths[0] < WITHIN:
                    raise Crashed(f"{name} ends again and again. Its last lines:\n{last}")
                try:
                    server.revive()
                except ServerError as error:
                    raise Crashed(f"{name} ended and cannot be started again: {error}") from error
                return Revived(name, last)
        return None

    def stop(self) -> None:
        """Stop both embedded servers, also those of an earlier start."""
        self._running.clear()
        self._valkey.stop(2)
        # Half of the time left. A longer checkpoint (slow disk) is interrupted; the next start recovers from the log.
        self._postgres.stop(5)


def check_database(url: str) -> None:
    """Raises Refused unless a PostgreSQL of `LEAST_VERSION` or newer answers at this URL."""
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            version = connection.info.server_version
    except psycopg.Error as error:
        raise Refused(f"The database of DATABASE_URL does not answer: {str(error).strip()}") from error
    if version < LEAST_VERSION * 10_000:
        raise Refused(
            f"The database of DATABASE_URL is PostgreSQL {version // 10_000}. "
            f"Breakeven needs {LEAST_VERSION} or newer. Without DATABASE_URL it starts one of its own."
        )


def check_queue(url: str) -> None:
    """Raises Refused unless a server listens at this URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss"):
        return  # unix:// and others are not checked; the worker reports its error
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), timeout=5).close()
    except (OSError, ValueError) as error:
        raise Refused(f"The queue of REDIS_URL does not answer: {error}") from error
