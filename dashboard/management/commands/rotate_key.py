"""`manage.py rotate-key`: a new key for what is stored encrypted, while everything runs; `--finish` drops the old."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard.up.data import replace_private
from lib import keyring
from lib.encryption import keys
from lib.events import logged_run
from providers.accounts.key_rotation import Busy, alone, rewrite

logger = logging.getLogger(__name__)

RETIRED = "credentials.key.retired"

STEPS = """\
BREAKEVEN_KEY comes from the environment, so you change it there; nothing was changed yet. Nobody stands still if every
process is started again at each step before the next is begun:

 1. BREAKEVEN_KEY={old},{new}
    Every process can read what the new key encrypts.
 2. BREAKEVEN_KEY={new},{old}
    The new key encrypts. Then run: manage.py rotate-key
 3. When that has said that everything is under the new key, run: manage.py rotate-key --finish
    and set BREAKEVEN_KEY={new}
"""


class Command(BaseCommand):
    help = "Give what is stored encrypted a new key, while everything runs. --finish drops the old one."
    requires_system_checks: list[str] = []  # of the code alone; they load every page, for a second

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--finish", action="store_true", help="drop every key but the first")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path | None = settings.CREDENTIALS_KEY_FILE
        try:
            with alone():
                if options["finish"]:
                    self._finish(path)
                elif path is None and len(keys()) == 1:
                    self.stdout.write(STEPS.format(old=keys()[0], new=Fernet.generate_key().decode()))
                else:
                    self._rotate(path)
        except Busy as error:
            raise CommandError(str(error)) from None

    def _rotate(self, path: Path | None) -> None:
        if path is not None and len(keys()) == 1:  # more are there where an earlier rotation was not finished
            write(path, (Fernet.generate_key().decode(), *keys()))
            self.stdout.write(f"{path} holds a new key before the old one. Every process reads it by itself.")
        self._rewrite(finish=False)
        self.stdout.write(
            "What was stored under the old key is under the new one. Backups made before still need the old one. "
            "When every process has been seen working: manage.py rotate-key --finish"
        )

    def _finish(self, path: Path | None) -> None:
        first, *old = keys()
        if not old:
            raise CommandError("There is one key only: nothing is to be finished. Begin with: manage.py rotate-key")
        self._rewrite(finish=True)  # a process may have written with the old key during the change
        if path is None:
            self.stdout.write(f"Nothing needs the old key any more. Set BREAKEVEN_KEY={first} and start again.")
            return
        retired = path.with_name(RETIRED)
        retired_keys = keyring.split(retired.read_text()) if retired.exists() else ()
        write(retired, keyring.with_more(old, retired_keys))
        write(path, (first,))
        self.stdout.write(
            f"The old key is no longer used. It is in {retired}, for backups made under it. "
            "Remove that file, or take it elsewhere, as soon as no such backup is needed."
        )

    def _rewrite(self, *, finish: bool) -> None:
        with logged_run(logger, "key_rotation") as fields:
            done = rewrite(keys())
            fields |= {"finish": finish, "renewed": done.renewed, "current": done.current, "lost": len(done.lost)}
        self.stdout.write(
            f"{done.renewed} secrets were encrypted again, {done.current} were under the first key already."
        )
        if done.lost:
            rows = "; ".join(f"{table}.{column} of row {row}" for table, column, row in done.lost[:20])
            # The old key is dropped all the same, because it cannot read them either.
            self.stderr.write(
                f"{len(done.lost)} secrets can be read by no key of this installation, the old one included ({rows}): "
                "they were stored under yet another key. Enter them again."
            )


def write(path: Path, keys: keyring.Keys) -> None:
    """Write the keys to the file atomically, one a line."""
    replace_private(path, "".join(f"{key}\n" for key in keys))
