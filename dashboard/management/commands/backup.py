"""`manage.py backup [FILE]`: the whole installation in one file, while it works on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard.backup import BackupError, back_up


class Command(BaseCommand):
    help = "Write the database into one file, in one snapshot; the key of vendors' keys only with --with-key."
    requires_system_checks: list[str] = []  # of the code alone; they load every page, for a second

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", nargs="?", type=Path, help="default: backups/breakeven-TIME.zip in the data directory"
        )
        parser.add_argument("--with-key", action="store_true", help="put the key of vendors' keys into the file too")

    def handle(self, *args: Any, **options: Any) -> None:
        name = f"breakeven-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip"
        target = options["file"] or settings.DATA_DIR / "backups" / name
        try:
            back_up(target, with_key=options["with_key"])
        except BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{target}: {target.stat().st_size:,} bytes.")
        if options["with_key"]:
            self.stdout.write("The key of vendors' keys is inside: whoever has the file can use them.")
        else:
            self.stdout.write(
                "The key of vendors' keys is not inside: keep credentials.key, or BREAKEVEN_KEY, elsewhere."
            )
