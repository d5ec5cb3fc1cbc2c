"""`manage.py evaluate`: run the alert rules once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alerts.evaluation import services
from alerts.kinds import KINDS
from alerts.models import Alert, Rule


class Command(BaseCommand):
    help = "Run the alert rules once, slow ones included. Waits for an evaluation that is running."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--kind", choices=sorted(KINDS), action="append", help="only rules of this kind, repeatable"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        done = services.evaluate(kinds=options["kind"], wait=True)
        shown = Alert.objects.shown().count()
        self.stdout.write(f"{len(done.kinds)} kinds of rules evaluated, {done.moves} transitions, {shown} alerts open.")
        bad = Rule.objects.enabled().exclude(last_error="")
        for rule in bad:
            self.stderr.write(f"{rule.slug}: {rule.last_error}")
        if done.errors or bad:
            raise CommandError("Some rules could not be evaluated.")
