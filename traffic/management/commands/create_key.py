"""`manage.py create_key`: make a key for an application, or for the whole installation, and print it this once."""

from __future__ import annotations

import argparse
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from traffic.authentication.keys import create_key
from traffic.caps.services import checked_amount, set_cap
from traffic.models import Application, CapPeriod, QuotaUnit, Scope


def amount(unit: str, text: str) -> Decimal:
    """The amount of a cap, for argparse."""
    try:
        return checked_amount(unit, Decimal(text))
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text} is no amount") from None
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


class Command(BaseCommand):
    help = "Make a key and print it. It cannot be shown again."
    requires_system_checks: list[str] = []  # of the code alone; they load every page, for a second

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("scopes", nargs="+", choices=Scope.values)
        parser.add_argument(
            "--application", metavar="SLUG", help="made when it is not there, default: for the whole installation"
        )
        parser.add_argument(
            "--per-minute", type=int, metavar="CALLS", help="more are answered with 429, default: no limit"
        )
        for unit in QuotaUnit.values:
            number = "USD" if unit == QuotaUnit.USD else "N"
            parser.add_argument(
                f"--cap-{unit}-per-day",
                type=partial(amount, unit),
                metavar=number,
                help="calls of the gateway with it never pass this",
            )
        parser.add_argument("--name", default="made by manage.py create_key")

    def handle(self, *args: Any, **options: Any) -> None:
        application = None
        caps = {unit: options[f"cap_{unit}_per_day"] for unit in QuotaUnit.values}
        slug = options["application"]
        if not slug and Scope.GATEWAY in options["scopes"] and any(caps.values()):
            slug = "gateway"  # of whom nothing is known but how much they may use
            self.stderr.write("The key belongs to the application `gateway`. --application SLUG names another.")
        if slug:
            application, _ = Application.objects.get_or_create(slug=slug, defaults={"name": slug})
        if application is None and Scope.GATEWAY in options["scopes"]:
            raise CommandError("A key for the gateway belongs to an application: pass --application SLUG.")
        if application is not None and Scope.TRIALS in options["scopes"]:
            raise CommandError("A key for trials belongs to no application: leave --application out.")
        with transaction.atomic():
            key, secret = create_key(
                name=options["name"],
                scopes=options["scopes"],
                application=application,
                per_minute=options["per_minute"],
            )
            for unit, limit in caps.items():
                if limit is not None:
                    set_cap(key, unit=unit, period=CapPeriod.DAY, amount=limit)
        if application is None:
            self.stderr.write("This key belongs to no application: what it may, it may for the whole installation.")
        self.stdout.write(secret)
