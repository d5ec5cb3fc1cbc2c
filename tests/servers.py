"""The suite's own PostgreSQL: one per run, made by whoever collects the tests, found by workers in the environment."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import psutil

from dashboard.embedded.postgres import Postgres
from dashboard.embedded.valkey import Valkey

PREFIX = "breakeven-tests-"
# For servers whose data may be lost in a power failure.
THROWAWAY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class Servers:
    """What this process started; workers of pytest-xdist inherit the environment and start no database."""

    def __init__(self) -> None:
        self.home: Path | None = None

    def ensure(self) -> None:
        """Sets DATABASE_URL and BREAKEVEN_DATA for this process and its children, unless a run did so already."""
        if "BREAKEVEN_TESTS" in os.environ:
            return
        sweep()
        self.home = Path(tempfile.mkdtemp(prefix=PREFIX))
        (self.home / "owner").write_text(f"{os.getpid()} {psutil.Process().create_time()}")
        os.environ["BREAKEVEN_TESTS"] = str(self.home)
        # Never the developer's own ./var: a running `up` there would be joined.
        os.environ["BREAKEVEN_DATA"] = str(self.home / "var")
        if "DATABASE_URL" not in os.environ:
            settings = {**THROWAWAY, "max_connections": "200"}
            server = Postgres(self.home / "postgres", settings)
            server.start()
            # It makes databases and empties tables past their triggers; what the application may is tested apart.
            os.environ["DATABASE_URL"] = server.superuser_url

    def stop(self) -> None:
        """Stops what `ensure` started; does nothing in a worker."""
        if self.home:
            remove(self.home)
            self.home = None


servers = Servers()


def home() -> Path:
    """The run's temporary folder."""
    return Path(os.environ["BREAKEVEN_TESTS"])


def free_environment(**variables: str) -> dict[str, str]:
    """An environment for `manage.py` in a process of its own, as in a shell that knows nothing of the suite."""
    ours = (
        "BREAKEVEN_TESTS", "BREAKEVEN_DATA", "DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL",
        "DJANGO_SETTINGS_MODULE", "SECRET_KEY",
    )  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    return {**environment, "BREAKEVEN_DATA": str(home() / "elsewhere"), **variables}


def sweep() -> None:
    """Stops and removes what runs left behind that were killed before they could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, ValueError):
            pid, created = (folder / "owner").read_text().split()
            if not alive(int(pid), float(created)):
                remove(folder)


def alive(pid: int, created: float) -> bool:
    """Whether that very process runs: a number alone may have been given to another one since."""
    try:
        return abs(psutil.Process(pid).create_time() - created) < 1
    except psutil.NoSuchProcess:
        return False


def remove(folder: Path) -> None:
    Postgres(folder / "postgres").stop()
    for valkey in folder.glob("valkey-*"):
        Valkey(valkey).stop()
    shutil.rmtree(folder, ignore_errors=True)
