"""`manage.py audit`: recompute rollups and ledger, verify signed decisions and the audit log, name every difference.

With `--pages`: render every page, digest and mail of an open alert, and name every two figures that mean the same and
differ.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.utils import timezone

from costs.ledger.posting import differences
from costs.models import Decision
from costs.readiness.records import changed
from providers.audit import chain as audit_chain
from providers.audit import head
from traffic.privacy.retention import sealed_differences as sealed
from traffic.usage.audit import rollup_differences

SHOWN = 50


class Command(BaseCommand):
    help = "Recompute rollups and ledger from the raw rows, verify decisions and audit log. Exit 1 on any difference."
    requires_system_checks: list[str] = []  # of the code alone; they load every page, for a second

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--pages", action="store_true", help="compare the figures of all pages instead")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["pages"]:
            self.compare_pages()
        else:
            self.recompute()

    def compare_pages(self) -> None:
        from dashboard.page_audit.compare import read  # here: it loads every page

        reader = get_user_model().objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
        if reader is None:
            raise CommandError("No admin can see all pages yet: make one with `manage.py createsuperuser`.")
        figures = read(reader, timezone.now())
        self.report([*figures.differences()])
        text = "%d pages and mails: %d figures and verdicts stand on more than one of them, and all agree."
        self.stdout.write(text % (figures.places, figures.compared))

    def report(self, lines: Sequence[str]) -> None:
        """Print the differences and end with 1, if there are any."""
        for line in lines[:SHOWN]:
            self.stderr.write(line)
        if lines:
            self.stderr.write(f"{len(lines)} differences.")
            sys.exit(1)

    def recompute(self) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            lines = [str(difference) for difference in rollup_differences()]
            lines += [f"sealed {day} {name}: stored {stored}, sealed {right}" for day, name, stored, right in sealed()]
            lines += [
                f"decision {number}: it does not say what was signed"
                for number in changed(Decision.objects.order_by("number"))
            ]
            lines += [f"ledger {key}: stored {stored}, its source says {right}" for key, stored, right in differences()]
        audit_chain.seal_all()
        lines += audit_chain.differences(head.noted())
        self.report(lines)
        self.stdout.write("Rollups and ledger equal what their rows add up to.")
        end = audit_chain.head()
        head.note(end)
        self.stdout.write(f"The audit log is as it was written: {end.number:,} entries.")
        if end.number:
            self.stdout.write(f"Its end, to keep elsewhere: {end}")
