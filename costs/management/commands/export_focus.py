"""`manage.py export_focus`: a month's FOCUS files, to a folder or to standard output."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from costs import focus
from lib.errors import ApiError
from lib.periods import month_days


class Command(BaseCommand):
    help = "Write a month in FOCUS 1.4: all three files into a folder, or one of them to standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--month", metavar="YYYY-MM", help="default: the month before this one")
        parser.add_argument("--dataset", choices=list(focus.DATASETS), help="only this one, to standard output")
        parser.add_argument("--folder", type=Path, default=Path(), help="where the files go, replaced whole")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        month = parsed(options["month"]) if options["month"] else (now.date().replace(day=1) - timedelta(days=1))
        first = month.replace(day=1)
        if options["dataset"]:
            self.stdout.write(focus.export(options["dataset"], first, now), ending="")
            return
        folder = options["folder"]
        for dataset in focus.DATASETS:
            try:
                path = write(folder, focus.file_name(dataset, first), focus.export(dataset, first, now))
            except OSError as error:
                raise CommandError(f"{folder} cannot be written to: {error.strerror}") from None
            self.stdout.write(str(path))


def parsed(text: str) -> date:
    try:
        return month_days(text)[0]
    except ApiError as error:
        raise CommandError(str(error)) from None


def write(folder: Path, name: str, text: str) -> Path:
    """Whole or not at all: whoever fetches the file must not meet half of one."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{name}.part"
    part.write_text(text, encoding="utf-8", newline="")
    return part.replace(folder / name)
