"""The database and the queue of a stack: those of the environment, else embedded ones that are kept alive."""

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
# The demo loads half a million requests beside a page that someone looks at already.
DEMO_SETTINGS: Mapping[str, str] = {"shared_buffers": "192MB", "max_wal_size": "2GB"}
REVIVALS, WITHIN = 3, 60.0  # more deaths than that in so many seconds are no accident


@dataclass(frozen=True)
class Revived:
    """A server that had ended and answers again, and the last lines of its log before."""

    name: str
    last: str


class Servers:
    """`start` gives both URLs; `check` starts an embedded server again that has died; `stop` ends the embedded ones."""

    def __init__(self, data: DataDirectory, *, demo: bool) -> None:
        self._postgres = Postgres(data.postgres, DEMO_SETTINGS if demo else None)
        self._valkey = Valkey(data.valkey)
        self._running: dict[str, Postgres | Valkey] = {}
        self._deaths: deque[float] = deque(maxlen=REVIVALS)

    def start(self, environment: Mapping[str, str]) -> dict[str, str]:
        """DATABASE_URL and REDIS_URL, and DATABASE_OWNER_URL where another role owns the tables.

        Raises Refused where one that was given does not answer.
        """
        self.stop()  # of an earlier start that was killed, also when this one has URLs of its own
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
        """What was started again just now; raises Crashed when it keeps dying."""
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
        """Nothing of the two is left, of an earlier start neither."""
        self._running.clear()
        self._valkey.stop(2)
        # Half the time that is left: a checkpoint on a slow disk is then cut short, and made up for at the next start.
        self._postgres.stop(5)


def check_database(url: str) -> None:
    """Raises Refused unless a PostgreSQL of our version answers there."""
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            version = connection.info.server_version
    except psycopg.Error as error:
        raise Refused(f"The database of DATABASE_URL does not answer: {str(error).strip()}") from error
    if version < LEAST_VERSION * 10_000:
        raise Refused(
            f"The database of DATABASE_URL is PostgreSQL {version // 10_000}; "
            f"Breakeven needs {LEAST_VERSION} or newer. Without DATABASE_URL it starts one of its own."
        )


def check_queue(url: str) -> None:
    """Raises Refused unless somebody listens there."""
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss"):
        return  # unix:// and others: the worker tells what is wrong with them
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), timeout=5).close()
    except (OSError, ValueError) as error:
        raise Refused(f"The queue of REDIS_URL does not answer: {error}") from error
