"""A second installation, to which backups are restored."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command

from dashboard.embedded import roles
from dashboard.embedded.postgres import Postgres
from tests.servers import free_environment


@dataclass(frozen=True)
class Elsewhere:
    """Another installation, with a key of its own, on an empty database that it owns by two roles as `up` has them."""

    name: str
    data: Path
    server: Postgres

    @property
    def url(self) -> str:
        """As the owner, who sees everything."""
        return self.server._url(roles.OWNER, self.name)

    def manage(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        urls = {"DATABASE_URL": self.server._url(roles.APPLICATION, self.name), "DATABASE_OWNER_URL": self.url}
        environment = free_environment(**urls, BREAKEVEN_DATA=str(self.data), SECRET_KEY="s", **variables)
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, timeout=600, check=False
        )

    def own_key(self) -> str:
        return (self.data / "credentials.key").read_text()

    def takes_key(self, key: str) -> None:
        """The key is put there before, as on a new machine in the place of the old."""
        self.data.mkdir(exist_ok=True)
        (self.data / "credentials.key").write_text(key)


def backed_up(path: Path, **options: Any) -> Path:
    call_command("backup", path, stdout=StringIO(), **options)
    return path
