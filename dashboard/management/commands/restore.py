"""`manage.py restore FILE`: the database as a backup holds it, and the key where the backup carries it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard.backup import KEY, BackupError, Manifest, key_in, key_mark, restore
from dashboard.database_roles import as_owner, grant
from dashboard.up.data import replace_private


class Command(BaseCommand):
    help = "Make the database what a backup holds, all or nothing; refuses one that is in use unless --force."
    requires_system_checks: list[str] = []  # of the code alone; they load every page, for a second

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--force", action="store_true", help="replace what is in the database")

    def handle(self, *args: Any, **options: Any) -> None:
        source = options["file"]
        try:
            with as_owner() as application:
                manifest = restore(source, force=options["force"])
                key = key_in(source)
                call_command("migrate", verbosity=0)  # a backup of an older version
                if application:
                    grant(application)
        except BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"The database is what it was at {manifest.made_at}. Start Breakeven again now.")
        self.stdout.write(self.about_key(manifest, key))

    def about_key(self, manifest: Manifest, key: str) -> str:
        """Sees to it that vendors' keys can be read, or says what is to be done."""
        if manifest.key == key_mark():
            return "Vendors' keys can be read with the key of this installation."
        path = settings.DATA_DIR / KEY
        if not key:
            return (
                f"Vendors' keys were stored under another key: put the old {KEY} to {path} (or set BREAKEVEN_KEY), "
                "or enter them again under Accounts."
            )
        if not path.exists() or path.read_text().strip() != settings.CREDENTIALS_KEY:
            return "Vendors' keys need the key inside the backup, but BREAKEVEN_KEY is set to another one: set it anew."
        path.replace(path.with_name(f"{KEY}.before-restore"))
        replace_private(path, key)
        return f"The backup's key is in {path} now; the one before is beside it."
