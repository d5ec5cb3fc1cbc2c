"""`manage.py restore FILE`: replaces the content of the database by a backup."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard.backup.archive import OLD_FORMAT, BackupError, Manifest, Opened, restore
from dashboard.backup.database_roles import as_owner, grant
from dashboard.management.commands.rotate_key import RETIRED, write
from lib.encryption import keys
from lib.events import logged_run
from lib.keyring import Keys, mark, split, with_more

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Make the database what a backup holds, all or nothing. Refuses one that is in use unless --force."
    requires_system_checks: list[str] = []  # of the code alone; they load every page, for a second

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--force", action="store_true", help="replace what is in the database")
        parser.add_argument(
            "--key-file", type=Path, help="a credentials.key that the backup was made under, of another installation"
        )
        parser.add_argument(
            "--trust-this-file",
            action="store_true",
            help="run a file that no key of this installation has signed: its maker decides what your database "
            "holds and what code its triggers run",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            more = read_keys(options["key_file"])
            with logged_run(logger, "restore") as fields, as_owner() as application:
                backup = restore(
                    options["file"],
                    force=options["force"],
                    trusted=options["trust_this_file"],
                    more_keys=(*more, *retired_keys()),
                )
                call_command("migrate", verbosity=0)  # a backup of an older version
                if application:
                    grant(application)
                fields |= {"bytes": options["file"].stat().st_size, "snapshot_at": backup.manifest.at}
        except BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{moment(backup.manifest)} Start Breakeven again now.")
        self.stdout.write(about_keys(backup, more))


def moment(manifest: Manifest) -> str:
    """The time of the restored data: rows that were committed before it are there, later ones are not."""
    at = f"{datetime.fromisoformat(manifest.at):%Y-%m-%d %H:%M:%S.%f}"[:-3]
    if manifest.format == OLD_FORMAT:
        return f"The database is what it was when that backup began; it ended at {at[:-4]} UTC."
    return f"The database is what it was at {at} UTC: what was written later is not in it."


def about_keys(backup: Opened, key_file_keys: Keys) -> str:
    """Make the vendors' credentials readable, or return a sentence that says what to do."""
    missing = set(backup.manifest.keys) - set(map(mark, keys()))
    if not missing:
        return "Vendors' keys can be read with the key of this installation."
    path = settings.CREDENTIALS_KEY_FILE
    matching = [key for key in with_more(key_file_keys, (*backup.keys, *retired_keys())) if mark(key) in missing]
    if len(matching) < len(missing):
        return (
            "Vendors' keys were stored under another key: add the old credentials.key as a line to "
            f"{path or 'BREAKEVEN_KEY, after a comma'}, or enter them again under Accounts."
        )
    if path is None:
        return "Vendors' keys were stored under another key: add it to BREAKEVEN_KEY, after a comma, and start again."
    write(path, with_more(keys(), matching))
    return (
        f"Vendors' keys were stored under another key; it is in {path} now, after this installation's own. "
        "To have them under the first: manage.py rotate-key"
    )


def read_keys(path: Path | None) -> Keys:
    """The keys of a file. Raises BackupError if it cannot be read."""
    try:
        return split(path.read_text()) if path else ()
    except (OSError, UnicodeDecodeError) as error:
        raise BackupError(f"The key file cannot be read: {error}") from None


def retired_keys() -> Keys:
    """Keys that a rotation has dropped; older backups are encrypted with them."""
    path = settings.DATA_DIR / RETIRED
    return split(path.read_text()) if path.exists() else ()
