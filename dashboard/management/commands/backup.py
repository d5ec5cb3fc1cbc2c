"""`manage.py backup [FILE]`: the whole installation in one file, while it works on."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard.backup.archive import BackupError, back_up
from lib.events import logged_run

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Write the database into one file, in one snapshot, encrypted with the installation's key."
    requires_system_checks: list[str] = []  # of the code alone; they load every page, for a second

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", nargs="?", type=Path, help="default: backups/breakeven-TIME.backup in the data directory"
        )
        parser.add_argument(
            "--with-key",
            action="store_true",
            help="put the key into the file too, unencrypted: with the file alone all of it can be read",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name = f"breakeven-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.backup"
        target = options["file"] or settings.DATA_DIR / "backups" / name
        try:
            with logged_run(logger, "backup") as fields:
                manifest = back_up(target, with_key=options["with_key"])
                fields["bytes"] = target.stat().st_size
        except BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{target}: {target.stat().st_size:,} bytes, of {manifest.at}.")
        if options["with_key"]:
            self.stdout.write(
                "The key is inside, unencrypted: with the file alone all of it can be read, vendors' keys included."
            )
        else:
            self.stdout.write(
                "It is encrypted with this installation's key, which is not inside: keep credentials.key, or "
                "BREAKEVEN_KEY, elsewhere. Without it the file cannot be read."
            )
