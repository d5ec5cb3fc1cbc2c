"""`manage.py erase`: delete what is kept of an application, or of a user, and wait until it is done."""

from __future__ import annotations

import math
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from traffic.models import Application
from traffic.privacy import erasure as erase


class Command(BaseCommand):
    help = "Delete an application's or a user's data. Sums without identity stay."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--application", metavar="SLUG")
        which.add_argument("--user", metavar="NAME_OR_HASH", help="as the applications name it, or its stored hash")
        parser.add_argument("--yes", action="store_true", help="without it only what there is is counted")

    def handle(self, *args: Any, **options: Any) -> None:
        target: dict[str, Any] = {}
        if slug := options["application"]:
            target["application"] = Application.objects.filter(slug=slug).first()
            if target["application"] is None:
                raise CommandError(f"No application is called {slug!r}.")
        else:
            target["user"] = erase.hash_of_user(options["user"])
        counts = erase.counts(**target, seconds=math.inf)
        counts.pop("uncounted")  # no page waits for this: all of it is counted
        self.stdout.write(", ".join(f"{number:,} {name}" for name, number in counts.items()))
        if not options["yes"]:
            self.stdout.write("Nothing is deleted yet. Add --yes to delete them.")
            return
        erasure = erase.ask(**target)
        while erase.work(erasure.pk, now=timezone.now()):
            time.sleep(0.5)
        erasure.refresh_from_db()
        self.stdout.write(f"Done: {erasure.erased:,} requests have lost whose they were.")
