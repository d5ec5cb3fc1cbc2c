"""`manage.py reprice`: cost a period's requests anew at today's price book, and show what changes."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from traffic.models import Repricing
from traffic.repricing.run import Difference, Repriced
from traffic.repricing.services import Refused, reprice, start, to_the_end, undo

COLUMNS = "{:<10} {:<12} {:<36} {:>10} {:>18} {:>18} {:>18}  {}"


def day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no day: write it as 2026-11-24") from None


class Command(BaseCommand):
    help = (
        "Re-price the requests of a period, each at the price that was in force by today's price book. Self-hosted "
        "requests and bills do not change. A stopped run can be resumed, and every run can be undone to the cent."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="since", metavar="DAY", type=day)
        parser.add_argument("--to", dest="until", metavar="DAY", type=day, help="the day after the last one")
        parser.add_argument("--provider", default="", metavar="SLUG", help="only requests to this provider")
        parser.add_argument("--model", default="", metavar="NAME", help="only requests to this model, as they call it")
        parser.add_argument("--dry-run", action="store_true", help="write nothing, only show what would change")
        parser.add_argument("--by", metavar="USERNAME", help="who requests it, for the audit log, needs --why")
        parser.add_argument("--why", default="", metavar="TEXT", help="the reason, for the audit log")
        parser.add_argument("--undo", metavar="NUMBER", type=int, help="undo a re-pricing, to the cent")
        parser.add_argument("--resume", metavar="NUMBER", type=int, help="resume one that was stopped")

    def handle(self, *args: Any, **options: Any) -> None:
        person = self.person(options["by"], options["why"].strip())
        try:
            if options["undo"] is not None or options["resume"] is not None:
                self.resume_or_undo(options, person)
            else:
                self.run(options, person)
        except Refused as refused:
            raise CommandError(str(refused)) from None

    def resume_or_undo(self, options: dict[str, Any], person: int | None) -> None:
        """Take one that stands back, or go on with it."""
        undoing = options["undo"] is not None
        number = options["undo"] if undoing else options["resume"]
        repricing = Repricing.objects.filter(pk=number).first()
        if repricing is None:
            raise CommandError(f"There is no repricing {number}.")
        moved = undo(repricing=repricing, person=person) if undoing else start(repricing=repricing)
        if not moved:
            raise CommandError(f"Repricing {number} is {repricing.get_state_display()}.")
        if not undoing:
            self.head()
        done = to_the_end(repricing, tell=self.tell)
        self.stdout.write(
            f"{done.restored:,} of {done.changed:,} requests have their old cost again. {done.kept:,} changed since."
            if undoing
            else f"\n{done.changed:,} of {done.read:,} requests changed."
        )

    def head(self) -> None:
        self.stdout.write(
            COLUMNS.format("day", "provider", "model", "requests", "before USD", "after USD", "difference", "")
        )

    def run(self, options: dict[str, Any], person: int | None) -> None:
        if options["since"] is None or options["until"] is None:
            raise CommandError("Give the period: --from and --to.")
        if options["until"] <= options["since"]:
            raise CommandError("--to is the day after the last one: it must lie after --from.")
        self.head()
        repriced = reprice(
            since=options["since"],
            until=options["until"],
            provider=options["provider"],
            model=options["model"],
            dry_run=options["dry_run"],
            person=person,
            why=options["why"].strip(),
            tell=self.tell,
        )
        self.stdout.write(summary(repriced, options["dry_run"]))

    def person(self, name: str | None, why: str) -> int | None:
        if name is None:
            return None
        if not why:
            raise CommandError("Give --why as well, for the audit log.")
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


def summary(repriced: Repriced, dry_run: bool) -> str:
    verb = "would change" if dry_run else "changed"
    sentence = f"\n{repriced.changed:,} of {repriced.read:,} requests {verb}, by {repriced.amount:+,.6f} USD."
    if repriced.pk is not None:
        sentence += f" Re-pricing {repriced.pk}: --undo {repriced.pk} reverses it."
    if repriced.sealed:
        sentence += f" {len(repriced.sealed):,} days are left alone: their requests are no longer kept."
    return sentence
