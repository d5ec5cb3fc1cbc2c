"""`manage.py import FILE`: bring a file's history in, or take it back, without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from traffic.imports import FORMATS, services
from traffic.imports.base import Options
from traffic.imports.files import take_in
from traffic.imports.forms import TARGETS
from traffic.imports.readers import Unreadable
from traffic.imports.run import work
from traffic.models import Import
from traffic.models.imports import ImportState

TOLD_S = 5.0


def column(argument: str) -> tuple[str, str]:
    target, separator, name = argument.partition("=")
    if not separator or target not in TARGETS:
        raise CommandError(f"--column {argument}: write FIELD=NAME, with a field of {', '.join(TARGETS)}.")
    return target, name


class Command(BaseCommand):
    help = "Read another tool's export: requests, or a vendor's sums. What was read once is not read twice."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=Path)
        parser.add_argument("--format", choices=list(FORMATS), default="", help="default: recognised by the columns")
        parser.add_argument("--application", default="", help="of requests whose row names none")
        parser.add_argument("--provider", default="", help="of rows that name none")
        parser.add_argument("--account", default="", help="whose report it is, for sums")
        parser.add_argument("--zone", default="UTC", help="of times without an offset")
        parser.add_argument("--day-first", action="store_true", default=None, help="05/06/2026 is 5 June")
        parser.add_argument("--month-first", action="store_false", dest="day_first", help="05/06/2026 is 6 May")
        parser.add_argument("--decimal-comma", action="store_true")
        parser.add_argument("--seconds", action="store_true", help="durations are seconds")
        parser.add_argument("--column", action="append", default=[], metavar="FIELD=NAME")
        parser.add_argument("--by", metavar="USERNAME")
        parser.add_argument("--dry-run", action="store_true", help="show what the first rows become, store nothing")
        parser.add_argument("--undo", type=int, metavar="NUMBER", help="undo an import")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["undo"] is not None:
            return self.undo(options["undo"])
        if options["file"] is None:
            raise CommandError("Name a file, or --undo an import.")
        imported, new = self.bring_in(options)
        here = f"This very file is here already, as import {imported.pk}: {imported.state}."
        if options["dry_run"]:
            if imported.state != ImportState.DRAFT:
                raise CommandError(here)
            return self.show(imported, discard=new)
        if not services.start_described(imported=imported):
            raise CommandError(here)
        self.finish(imported)
        return None

    def bring_in(self, options: dict[str, Any]) -> tuple[Import, bool]:
        """The file as it is said here, also one of which somebody has a draft; and whether it is new."""
        by = User.objects.filter(username=options["by"]).first() if options["by"] else None
        if options["by"] and by is None:
            raise CommandError(f"There is no user {options['by']!r}.")
        if options["zone"] not in available_timezones():
            raise CommandError(f"There is no time zone {options['zone']!r}.")
        chosen = Options.of({**options, "columns": dict(map(column, options["column"]))})
        try:
            path, size, digest = take_in(options["file"])
            made, new = services.bring_in(
                path=path, name=options["file"].name, size=size, sha256=digest, by=by, format=options["format"],
                options=chosen,
            )  # fmt: skip
        except (OSError, Unreadable) as error:
            raise CommandError(str(error)) from None
        if not new and made.state == ImportState.DRAFT:
            services.set_description(made, format=options["format"], options=chosen)
        return made, new

    def show(self, imported: Import, *, discard: bool) -> None:
        self.stdout.write(f"{services.label_of(imported)} {Options.of(imported.options).columns or ''}".rstrip())
        for became in services.preview(imported):
            result = became.problem or became.request or became.reported or "left out: no call to a model"
            self.stdout.write(f"{became.line:>6}  {result}")
        if discard:
            services.discard(imported=imported)

    def undo(self, pk: int) -> None:
        imported = Import.objects.filter(pk=pk).first()
        if imported is None or not services.take_back(imported=imported):
            raise CommandError(f"There is no import {pk} that can be undone.")
        self.finish(imported)

    def finish(self, imported: Import) -> None:
        """Work on it here; Ctrl-C cancels, and what was committed stays."""
        try:
            while work(imported.pk, seconds=TOLD_S):
                imported.refresh_from_db()
                self.stdout.write(f"{imported.percent} %, {imported.rows:,} rows")
        except KeyboardInterrupt:
            services.cancel(imported=imported)
            raise CommandError(f"Cancelled. --undo {imported.pk} deletes what was read.") from None
        imported.refresh_from_db()
        self.stdout.write(summary(imported))
        for line, words in [] if imported.state == "undone" else imported.errors[:10]:
            self.stdout.write(f"  line {line:,}: {words}")
        if imported.state not in ("done", "undone"):
            raise CommandError(imported.problem or f"It is {imported.get_state_display()}.")


def summary(imported: Import) -> str:
    if imported.state == "undone":
        return f"import {imported.pk}: {imported.removed:,} rows undone"
    return (
        f"import {imported.pk}: {imported.accepted:,} new, {imported.duplicates:,} here before,"
        f" {imported.skipped:,} left out, {imported.rejected:,} with an error"
    )
