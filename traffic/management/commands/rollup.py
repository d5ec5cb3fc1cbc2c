"""`manage.py rollup --rebuild`: make usage and latency, by hour and by day, again from the raw requests."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from traffic.ingest.context import raw_connection
from traffic.usage.rebuild import Busy, rebuild


class Command(BaseCommand):
    help = "Make the rollups again from the raw requests, day by day, while ingest goes on. Sealed days stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rebuild", action="store_true", required=True)
        for name, text in (("--from", "first"), ("--to", "last")):
            parser.add_argument(
                name, type=date.fromisoformat, dest=text, metavar="YYYY-MM-DD", help=f"the {text} day, in UTC"
            )

    def handle(self, *args: Any, **options: Any) -> None:
        first, last = options["first"], options["last"]
        if first and last and first > last:
            raise CommandError("--from is after --to.")
        mended = days = 0
        try:
            with raw_connection() as conn:
                for done in rebuild(conn, first, last):
                    mended, days = mended + done.mended, days + 1
                    self.stdout.write(f"{done.day} {done.left or changed(done.mended)}")
                    self.stdout.flush()
        except Busy as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{days} days, {mended} rollup rows corrected.")


def changed(mended: int) -> str:
    return f"{mended} rollup rows mended" if mended else "right as it was"
