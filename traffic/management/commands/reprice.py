"""`manage.py reprice`: cost a period's requests anew at today's price book, and show what changes."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from traffic.reprice import Difference, Repriced, reprice

COLUMNS = "{:<10} {:<12} {:<36} {:>10} {:>18} {:>18} {:>18}  {}"


def day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no day; write it as 2026-11-24") from None


class Command(BaseCommand):
    help = (
        "Cost the requests of a period anew, each at the price that today's book says was in force. Leased requests "
        "and bills stay as they are. A run that was stopped can be started again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="since", required=True, metavar="DAY", type=day)
        parser.add_argument("--to", dest="until", required=True, metavar="DAY", type=day)
        parser.add_argument("--dry-run", action="store_true", help="write nothing, only show what would change")
        parser.add_argument("--by", metavar="USERNAME", help="who asks for it, for the audit log; needs --why")
        parser.add_argument("--why", default="", metavar="TEXT", help="the reason, for the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["until"] <= options["since"]:
            raise CommandError("--to is the day after the last one: it must lie after --from.")
        person = self.person(options["by"], options["why"].strip())
        self.stdout.write(
            COLUMNS.format("day", "provider", "model", "requests", "before USD", "after USD", "difference", "")
        )
        found = reprice(
            since=options["since"],
            until=options["until"],
            dry_run=options["dry_run"],
            person=person,
            why=options["why"].strip(),
            tell=self.tell,
        )
        self.stdout.write(summary(found, options["dry_run"]))

    def person(self, name: str | None, why: str) -> int | None:
        if name is None:
            return None
        if not why:
            raise CommandError("Say --why as well, for the audit log.")
        try:
            return User.objects.get(username=name, is_active=True).pk
        except User.DoesNotExist:
            raise CommandError(f"There is no active user {name!r}.") from None

    def tell(self, differences: list[Difference]) -> None:
        for row in differences:
            numbers = (f"{row.requests:,}", usd(row.before), usd(row.after), f"{row.amount:+,.6f}")
            line = COLUMNS.format(f"{row.day}", row.provider, row.model, *numbers, unknown(row))
            self.stdout.write(line.rstrip())


def usd(amount: Decimal) -> str:
    return f"{amount:,.6f}"


def unknown(row: Difference) -> str:
    """Costs that were or are not known do not stand in the sums."""
    if not (row.unknown_before or row.unknown_after):
        return ""
    return f"without a cost: {row.unknown_before:,} before, {row.unknown_after:,} after"


def summary(found: Repriced, dry_run: bool) -> str:
    verb = "would change" if dry_run else "changed"
    said = f"\n{found.changed:,} of {found.read:,} requests {verb}, by {found.amount:+,.6f} USD."
    if found.sealed:
        said += f" {len(found.sealed):,} days are left alone: their requests are no longer kept."
    return said
